"""Results as text for a person: the table, errors, corrected percentiles, verdicts, warnings, paths.

Colours only on a terminal, and not with NO_COLOR. Figures are of successes alone; a dash says that there is
none. The table needs no library, so that it looks the same on every machine.
"""

from __future__ import annotations

import os
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from http_benchmark.report.columns import columns_of, corrected_columns, how_corrected, legend_of, lines_of
from http_benchmark.report.figures import cells_of, fit, shorten, show_harmless, show_number
from http_benchmark.report.grid import Column, lay_out
from http_benchmark.report.subjects import all_errors, all_troubles, all_warnings, describe_subjects
from penstock.cli.plain import show_plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, TextIO

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.report.grid import Style

    class Sentence(Protocol):
        """What is told of a verdict (`statistics/comparison.py`)."""

        @property
        def sentence(self) -> str: ...


WIDTH: Final = 120
"""Of what is no terminal."""
_LEAST: Final = 32
_TITLE: Final = 14
_UNBOUNDED: Final = 10_000
_CODES: Final = {"head": "2", "name": "1", "best": "32", "bad": "31", "warn": "33", "dim": "2"}


def print_results(
    results: Sequence[BenchmarkResult],
    verdicts: Sequence[Sentence],
    stream: TextIO,
    *,
    report: str | None = None,
    saved: str | None = None,
) -> None:
    """Write all there is to say, with the paths of the report and of where the results are kept."""
    page = _Page(stream)
    page.table(results)
    page.corrected(results)
    page.errors(results)
    page.tell("", all_troubles(results), "warn")
    page.tell("", [show_harmless(each.sentence) for each in verdicts], "name")
    page.tell("warning: ", all_warnings(results), "warn")
    page.paths(report, saved)


class _Page:
    """Writes paragraphs to a stream, an empty line between them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width, is_terminal = _look_at(stream)
        self._is_coloured = is_terminal and not os.environ.get("NO_COLOR")
        self._has_written = False

    def table(self, results: Sequence[BenchmarkResult]) -> None:
        for line in describe_subjects(results):
            self._write(self._wrapped(line))
        if len(results) == 1:
            lines = [line for title, text in lines_of(results[0]) for line in self._fact(title, text)]
        else:
            lines = lay_out(columns_of(results), self._width, self._paint)
        self._paragraph(lines)
        if len(results) > 1:
            self._write(self._wrapped(legend_of(results), "dim"))

    def _fact(self, title: str, text: str) -> list[str]:
        lines = wrap(text, max(self._width - _TITLE, _LEAST), break_long_words=False)
        titles = [self._paint(title.ljust(_TITLE), "head"), *[" " * _TITLE] * (len(lines) - 1)]
        return [f"{before}{line}" for before, line in zip(titles, lines, strict=True)]

    def corrected(self, results: Sequence[BenchmarkResult]) -> None:
        columns = corrected_columns(results)
        if columns:
            title = f"Corrected for coordinated omission, {how_corrected(results)}:"
            self._paragraph([*self._wrapped(title, "dim"), *lay_out(columns, self._width, self._paint)])

    def errors(self, results: Sequence[BenchmarkResult]) -> None:
        """Write them by class, each with what the first one said."""
        found = list(all_errors(results))
        if not found:
            return
        columns = [
            Column("errors of", [label for label, *_ in found], is_text=True),
            Column("class", [kind for _, kind, *_ in found], ["bad"] * len(found), is_text=True),
            Column("count", [f"{count:,}" for _, _, count, *_ in found]),
            Column("%", [show_number(percent) for *_, percent, _ in found]),
        ]
        head, *rows = lay_out(columns, _UNBOUNDED, self._paint)
        room = self._width - max(map(cells_of, lay_out(columns, _UNBOUNDED, lambda text, _: text))) - 2
        lines = [head]
        for row, (*_, example) in zip(rows, found, strict=True):
            if room >= _LEAST:
                lines.append(f"{row}  {self._paint(shorten(example, room), 'dim')}")
            else:
                lines += [row, self._paint(shorten(f"  {example}", self._width), "dim")]
        self._paragraph([line.rstrip() for line in lines])

    def tell(self, mark: str, texts: Sequence[str], style: Style) -> None:
        """Write texts of which each is a paragraph."""
        if texts:
            self._paragraph([line for text in texts for line in self._wrapped(f"{mark}{text}", style)])

    def paths(self, report: str | None, saved: str | None) -> None:
        """Write them last, whole, so that they can be clicked and copied."""
        named = [("report: ", report), ("saved:  ", saved)]
        lines = [f"{self._paint(title, 'dim')}{show_plain(path)}" for title, path in named if path]
        if lines:
            self._paragraph(lines)

    def _wrapped(self, text: str, style: Style = "") -> list[str]:
        lines = wrap(
            text, self._width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        return [self._paint(line, style) for line in lines]

    def _paragraph(self, lines: Sequence[str]) -> None:
        self._write(["", *lines] if self._has_written else lines)

    def _write(self, lines: Sequence[str]) -> None:
        self._has_written = True
        self._stream.write(fit("".join(f"{line}\n" for line in lines), self._stream))

    def _paint(self, text: str, style: Style) -> str:
        if not (style and self._is_coloured and text.strip()):
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def _look_at(stream: TextIO) -> tuple[int, bool]:
    """Return how wide a stream is, and whether it is a terminal."""
    try:
        if stream.isatty():
            return max(_LEAST, os.get_terminal_size(stream.fileno()).columns or WIDTH), True
    except (OSError, ValueError):  # no terminal after all
        pass
    return WIDTH, False
