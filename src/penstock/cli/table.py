"""The settings as a Markdown table, for the documentation: `python -m penstock.cli.table` prints it."""

from __future__ import annotations

from penstock.server.config import SETTINGS


def render_table() -> str:
    """Every setting: flag, default, purpose; environment variable and key follow from the flag."""
    groups = dict.fromkeys(setting.group for setting in SETTINGS)
    parts = []
    for group in groups:
        rows = [
            f"| `{setting.flag}` | {setting.default} | {setting.purpose} |"
            for setting in SETTINGS
            if setting.group == group
        ]
        parts.append(f"| {group} | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(render_table(), end="")
