"""Write the tables of settings in the pages from the settings themselves.

    python tools/write_settings.py           writes them
    python tools/write_settings.py --check   says whether they are up to date, for `make docs`

docs/configuration.md has all of them, README.md what a connection may take and how long. The tables stand
between two comments; what is outside is written by hand.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from markdown_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

sys.path.insert(0, str(ROOT / "src"))

from penstock.server.config import SETTINGS
from penstock.server.setting import DEADLINES, LIMITS, Setting

BEGIN = "<!-- settings: written by tools/write_settings.py -->"
END = "<!-- settings end -->"
BOUNDS = ("connection_limit", "requests_per_connection", "queue_limit")


def row(setting: Setting) -> str:
    cells = [f"`{setting.flag}`", setting.kind.metavar or "switch", setting.default, setting.purpose]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables() -> str:
    parts = []
    for group in dict.fromkeys(setting.group for setting in SETTINGS):
        rows = [row(setting) for setting in SETTINGS if setting.group == group]
        head = ["| flag | takes | default | what it is |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {group[0].upper()}{group[1:]}", "", *head, *rows]))
    return "\n\n".join(parts)


def short_table() -> str:
    """Deadlines and limits alone."""
    chosen = [setting for setting in SETTINGS if setting.group == DEADLINES]
    chosen += [setting for setting in SETTINGS if setting.group == LIMITS or setting.name in BOUNDS]
    rows = [f"| `{setting.flag}` | {setting.default} | {setting.purpose} |" for setting in chosen]
    return "\n".join(["| flag | default | what it is |", "|---|---|---|", *rows])


PAGES = {ROOT / "docs" / "configuration.md": tables, ROOT / "README.md": short_table}


def updated(path: Path) -> str:
    """The page with its tables as they should be; ValueError when it has no place for them."""
    text, count = re.subn(
        f"(?s){re.escape(BEGIN)}\n.*{re.escape(END)}",
        lambda _: f"{BEGIN}\n{PAGES[path]()}\n{END}",
        path.read_text("utf-8"),
    )
    if count != 1:
        raise ValueError(f"one pair of comments is expected, {BEGIN} and {END}")
    return text


def main(arguments: list[str]) -> int:
    stale = []
    for path in PAGES:
        wanted = updated(path)
        if path.read_text("utf-8") != wanted:
            stale.append(path.name)
            if "--check" not in arguments:
                path.write_text(wanted, "utf-8")
    if "--check" not in arguments:
        return 0
    advice = "; run python tools/write_settings.py"
    print("settings: " + (f"out of date in {', '.join(stale)}{advice}" if stale else "up to date"))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
