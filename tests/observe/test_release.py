"""Which release this process serves: from a setting, a file or the application."""

from __future__ import annotations

import pytest

from penstock.errors import ConfigError
from penstock.observe.release import get_release, settle_release


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    settle_release(None, "")


def test_a_setting_beats_the_version_of_the_application():
    settle_release("2026-11-20.3", "1.4.2")

    assert get_release() == "2026-11-20.3"


def test_without_a_setting_it_is_the_version():
    settle_release(None, "1.4.2")

    assert get_release() == "1.4.2"


def test_a_file_has_it_in_its_first_line(tmp_path):
    path = tmp_path / "RELEASE"
    path.write_text("r7 \r\nbuilt on a Friday\n")

    settle_release(f"@{path}", "1.4.2")

    assert get_release() == "r7"


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 200, b"\xff\n", b"a\x1b[31mb\n"])
def test_a_file_without_one_is_a_mistake(tmp_path, content):
    path = tmp_path / "RELEASE"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"release: .*RELEASE"):
        settle_release(f"@{path}", "")


@pytest.mark.parametrize("text", ["x" * 5000, "é" * 5000])
def test_a_long_one_is_cut(text):
    settle_release(text, "")

    assert len(get_release()) == 100
