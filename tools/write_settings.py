"""Write the tables of settings in docs/configuration.md from the settings themselves.

    python tools/write_settings.py           writes them
    python tools/write_settings.py --check   says whether they are up to date, for `make docs`

The tables stand between two comments; what is outside is written by hand.
"""

from __future__ import annotations

import re
import sys

from markdown_files import ROOT

sys.path.insert(0, str(ROOT / "src"))

from penstock.server.config import SETTINGS, Setting

PAGE = ROOT / "docs" / "configuration.md"
BEGIN = "<!-- settings: written by tools/write_settings.py -->"
END = "<!-- settings end -->"


def row(setting: Setting) -> str:
    cells = [f"`{setting.flag}`", setting.kind.metavar or "switch", setting.default, setting.purpose]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables() -> str:
    parts = []
    for group in dict.fromkeys(setting.group for setting in SETTINGS):
        rows = [row(setting) for setting in SETTINGS if setting.group == group]
        head = ["| flag | takes | default | what it is |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {group.capitalize()}", "", *head, *rows]))
    return "\n\n".join(parts)


def updated(page: str) -> str:
    """The page with the tables as they should be; ValueError when it has no place for them."""
    text, count = re.subn(
        f"(?s){re.escape(BEGIN)}\n.*{re.escape(END)}", lambda _: f"{BEGIN}\n{tables()}\n{END}", page
    )
    if count != 1:
        raise ValueError(f"one pair of comments is expected, {BEGIN} and {END}")
    return text


def main(arguments: list[str]) -> int:
    page = PAGE.read_text("utf-8")
    wanted = updated(page)
    if "--check" in arguments:
        is_right = page == wanted
        print(
            "settings: " + ("up to date" if is_right else "out of date; run python tools/write_settings.py")
        )
        return 0 if is_right else 1
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
