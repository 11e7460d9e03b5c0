"""The Markdown of this repository, as the documentation checks read it.

A small reader, not a Markdown parser: lines, fenced blocks, inline code, links. It knows what the checks
need and treats the rest as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED_FOLDERS = {"build", "dist", "node_modules", "changelog.d"}

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@dataclass(frozen=True)
class Block:
    """One fenced block: the words after the fence, the text inside, and the line its text begins on."""

    path: Path
    line: int
    words: tuple[str, ...]
    text: str

    @property
    def language(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def where(self) -> str:
        return f"{shown(self.path)}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One file: its numbered lines outside fenced blocks, and the blocks."""

    path: Path
    prose: tuple[tuple[int, str], ...]
    blocks: tuple[Block, ...]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def markdown_paths(root: Path = ROOT) -> list[Path]:
    """Every Markdown file below a folder but those of hidden and built folders."""
    return [
        path
        for path in sorted(root.rglob("*.md"))
        if not any(part.startswith(".") or part in SKIPPED_FOLDERS for part in path.relative_to(root).parts)
    ]


def read_page(path: Path) -> Page:
    """Raises ValueError for a fence that is never closed."""
    prose: list[tuple[int, str]] = []
    blocks: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.fullmatch(lines[number])
        if opening is None:
            prose.append((number + 1, lines[number]))
            number += 1
            continue
        end = _closing_line(lines, number + 1, opening["fence"])
        if end is None:
            raise ValueError(f"{shown(path)}:{number + 1}: this fence is never closed")
        indent = len(opening["indent"])
        text = "".join(
            line[min(indent, len(line) - len(line.lstrip())) :] + "\n" for line in lines[number + 1 : end]
        )
        blocks.append(Block(path, number + 2, tuple(opening["info"].split()), text))
        number = end + 1
    return Page(path, tuple(prose), tuple(blocks))


def code_spans(line: str) -> list[str]:
    return [found[2].strip() for found in _CODE_SPAN.finditer(line)]


def without_code_spans(line: str) -> str:
    return _CODE_SPAN.sub("", line)


def _closing_line(lines: list[str], start: int, fence: str) -> int | None:
    for number in range(start, len(lines)):
        bare = lines[number].strip()
        if len(bare) >= len(fence) and set(bare) == {fence[0]}:
            return number
    return None
