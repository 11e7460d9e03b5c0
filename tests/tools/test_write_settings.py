from __future__ import annotations

import pytest

from penstock.server.config import SETTINGS
from penstock.server.setting import DEADLINES, LIMITS


@pytest.fixture
def tool(load_tool, tmp_path, monkeypatch):
    tool = load_tool("write_settings")
    pages = {tmp_path / "configuration.md": tool.tables, tmp_path / "README.md": tool.short_table}
    monkeypatch.setattr(tool, "PAGES", pages)
    for path in pages:
        path.write_text(f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")
    return tool


def test_every_setting_gets_a_row(tool):
    assert tool.main([]) == 0

    page = next(iter(tool.PAGES)).read_text()
    for setting in SETTINGS:
        assert page.count(f"| `{setting.flag}` |") == 1
    assert page.startswith("before\n")
    assert page.endswith("after\n")


def test_short_table_has_deadlines_and_limits(tool):
    rows = tool.short_table().splitlines()[2:]

    bounds = [setting for setting in SETTINGS if setting.name in tool.BOUNDS]
    wanted = [setting for setting in SETTINGS if setting.group in (DEADLINES, LIMITS)]
    assert len(bounds) == len(tool.BOUNDS)
    assert {row.split("`")[1] for row in rows} == {setting.flag for setting in wanted + bounds}
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows)


def test_check_says_which_page_is_behind(tool, capsys):
    assert tool.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert "configuration.md, README.md; run python tools/write_settings.py" in said

    tool.main([])

    assert tool.main(["--check"]) == 0


def test_row_keeps_its_columns(tool):
    for line in tool.tables().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 5


@pytest.mark.parametrize("text", ["nothing", "{begin}\n", "{end}\n{begin}\n"])
def test_page_without_a_place_for_them_is_an_error(tool, text):
    for path in tool.PAGES:
        path.write_text(text.format(begin=tool.BEGIN, end=tool.END))

        with pytest.raises(ValueError, match="one pair"):
            tool.updated(path)
