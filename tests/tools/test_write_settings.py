from __future__ import annotations

import pytest

from penstock.server.config import SETTINGS


@pytest.fixture
def tool(load_tool, tmp_path, monkeypatch):
    tool = load_tool("write_settings")
    monkeypatch.setattr(tool, "PAGE", tmp_path / "configuration.md")
    tool.PAGE.write_text(f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")
    return tool


def test_every_setting_gets_a_row(tool):
    assert tool.main([]) == 0

    page = tool.PAGE.read_text()
    for setting in SETTINGS:
        assert page.count(f"| `{setting.flag}` |") == 1
    assert page.startswith("before\n")
    assert page.endswith("after\n")


def test_check_says_when_the_page_is_behind(tool, capsys):
    assert tool.main(["--check"]) == 1
    assert "python tools/write_settings.py" in capsys.readouterr().out

    tool.main([])

    assert tool.main(["--check"]) == 0


def test_row_keeps_its_columns(tool):
    for line in tool.tables().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 5


@pytest.mark.parametrize("text", ["nothing", "{begin}\n", "{end}\n{begin}\n"])
def test_page_without_a_place_for_them_is_an_error(tool, text):
    with pytest.raises(ValueError, match="one pair"):
        tool.updated(text.format(begin=tool.BEGIN, end=tool.END))
