"""Check that every command-line flag and environment variable the Markdown files name exists.

The truth is what the commands print for `--help`. Read are command lines that start with penstock or
http-benchmark (in code spans and in shell blocks, also behind `python -m`), code spans that begin with `--`,
and names PENSTOCK_<FLAG>.
A flag of another program in a code span needs its program in the same span: `curl --head`, not `--head`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from markdown_files import ROOT, Page, code_spans, markdown_paths, read_page, shown

if TYPE_CHECKING:
    from pathlib import Path

SHELL = {"sh", "shell", "bash", "console"}
MODULES = {"penstock": "penstock", "http-benchmark": "http_benchmark"}
# What is documented as PENSTOCK_<NAME> and is no flag: the placeholder itself.
NOT_FLAGS = {"PENSTOCK_FLAG", "PENSTOCK_"}

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_COMMAND = re.compile(
    r"(?:^|[\s/;&|=$(])(?:python3? -m )?(penstock|http[-_]benchmark)(?=\s|$)(?!:)\s*([a-z]+)?([^|;&#]*)"
)
_VARIABLE = re.compile(r"\bPENSTOCK_[A-Z0-9_]*\b")
_SUBCOMMANDS = re.compile(r"\{([a-z,-]+)\}")


def read_help(command: str, *words: str) -> str:
    """What a command prints for --help; "" where it has no such command."""
    done = subprocess.run(
        [sys.executable, "-m", MODULES[command], *words, "--help"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


class Commands:
    """The flags of every command and subcommand, asked once."""

    def __init__(self) -> None:
        self.flags: dict[tuple[str, ...], set[str]] = {}
        for command in MODULES:
            text = read_help(command)
            self.flags[command,] = set(_FLAG.findall(text))
            names = _SUBCOMMANDS.search(text)
            for word in names[1].split(",") if names else []:
                self.flags[command, word] = set(_FLAG.findall(read_help(command, word)))

    @property
    def known(self) -> bool:
        """Whether penstock answers at all; before its cli exists there is nothing to check against."""
        return bool(self.flags["penstock",])

    def of_line(self, command: str, word: str | None) -> set[str]:
        own = self.flags.get((command, word or ""), set())
        return own | self.flags[command,]

    @property
    def every(self) -> set[str]:
        return set().union(*self.flags.values())

    @property
    def variables(self) -> set[str]:
        """PENSTOCK_<FLAG> for each flag, a --no-flag also under its plain name."""
        names = {flag[2:] for flag in self.flags.get(("penstock", "run"), set())}
        names |= {name.removeprefix("no-") for name in names}
        return {"PENSTOCK_" + name.upper().replace("-", "_") for name in names}


def faults_of_text(text: str, commands: Commands) -> list[str]:
    """Wrong flags and variables of one span or one shell line."""
    found = []
    for command, word, rest in _COMMAND.findall(text):
        name = command.replace("_", "-")
        known = commands.of_line(name, word)
        found += [
            f"{name} {word}".strip() + f" has no {flag}" for flag in _FLAG.findall(rest) if flag not in known
        ]
    if text.startswith("--"):
        found += [f"no command has {flag}" for flag in _FLAG.findall(text) if flag not in commands.every]
    found += [
        f"no flag stands behind {name}"
        for name in _VARIABLE.findall(text)
        if name not in commands.variables and name not in NOT_FLAGS
    ]
    return found


def page_faults(page: Page, commands: Commands) -> list[str]:
    found = []
    for number, line in page.prose:
        for span in code_spans(line):
            found += [f"{shown(page.path)}:{number}: {wrong}" for wrong in faults_of_text(span, commands)]
    for block in page.blocks:
        if block.language in SHELL:
            joined = block.text.replace("\\\n", " ")
            for line in joined.splitlines():
                found += [f"{block.where}: {wrong}" for wrong in faults_of_text(line, commands)]
    return found


def main(root: Path = ROOT) -> int:
    commands = Commands()
    if not commands.known:
        print("flags: `penstock --help` does not answer, nothing to check against")
        return 0
    faults = [wrong for path in markdown_paths(root) for wrong in page_faults(read_page(path), commands)]
    print(
        "\n".join([*faults, f"flags: {len(commands.every)} known, {len(faults)} wrong in the documentation"])
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
