"""The documentation's table of settings is made, not written."""

from __future__ import annotations

from penstock.cli.table import render_table
from penstock.server.config import SETTINGS


def test_table_has_a_row_for_each_setting():
    rows = [line for line in render_table().splitlines() if line.startswith("| `--")]

    assert len(rows) == len(SETTINGS)
    for row, setting in zip(rows, SETTINGS, strict=True):
        assert row == f"| `{setting.flag}` | {setting.default} | {setting.purpose} |"
