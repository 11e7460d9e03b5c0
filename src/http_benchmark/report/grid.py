"""A table of text: results as rows where they fit beside each other, as columns of several blocks where they
do not. Nothing is left out in a narrow terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from http_benchmark.report.figures import cells_of, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Style: TypeAlias = Literal["", "head", "name", "best", "bad", "warn", "dim"]
_GAP: Final = 2
_LONGEST: Final = 36


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of all results; the first column of a table has their names."""

    title: str
    cells: Sequence[str]
    styles: Sequence[Style] = ()
    """Of the cells; none: no style."""
    is_text: bool = False

    def style(self, row: int) -> Style:
        return self.styles[row] if self.styles else ""


def lay_out(columns: Sequence[Column], width: int, paint: Callable[[str, Style], str]) -> list[str]:
    """Return the lines of a table."""
    first = columns[0]
    names = [shorten(cell, _LONGEST) for cell in first.cells]
    columns = [Column(first.title, names, first.styles, is_text=True), *columns[1:]]
    widths = [max(map(cells_of, (column.title, *column.cells))) for column in columns]
    if sum(widths) + _GAP * (len(widths) - 1) <= width:
        return _rows(columns, widths, paint)
    return _blocks(columns, width, paint)


def _rows(columns: Sequence[Column], widths: Sequence[int], paint: Callable[[str, Style], str]) -> list[str]:
    head = [
        _align(column.title, width, column.is_text) for column, width in zip(columns, widths, strict=True)
    ]
    lines = [paint((" " * _GAP).join(head).rstrip(), "head")]
    for row in range(len(columns[0].cells)):
        cells = [
            paint(_align(column.cells[row], width, column.is_text), column.style(row))
            for column, width in zip(columns, widths, strict=True)
        ]
        lines.append((" " * _GAP).join(cells).rstrip())
    return lines


def _blocks(columns: Sequence[Column], width: int, paint: Callable[[str, Style], str]) -> list[str]:
    """Figures as rows, and as many results beside each other as fit."""
    titles = max(cells_of(column.title) for column in columns)
    widths = [
        max(cells_of(column.cells[row]) for column in columns) + _GAP for row in range(len(columns[0].cells))
    ]
    lines: list[str] = []
    row = 0
    while row < len(widths):
        end, taken = row, titles
        while end < len(widths) and (end == row or taken + widths[end] <= width):
            taken += widths[end]
            end += 1
        if lines:
            lines.append("")
        for column in columns:
            cells = [
                paint(" " * (widths[at] - cells_of(column.cells[at])) + column.cells[at], column.style(at))
                for at in range(row, end)
            ]
            title = paint(column.title.ljust(titles), "head")
            lines.append(f"{title}{''.join(cells)}".rstrip())
        row = end
    return lines


def _align(text: str, width: int, is_text: bool) -> str:  # noqa: FBT001 - of a column
    space = " " * (width - cells_of(text))
    return f"{text}{space}" if is_text else f"{space}{text}"
