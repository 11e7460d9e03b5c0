"""What a benchmark is asked and what it answers, and the one table all answers are printed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.timing import Figure

_HEADINGS = ("benchmark", "case", "subject", "median", "low - high", "unit", "x first")
_LEFT = 3  # columns of words


class Options(NamedTuple):
    """What the command line says."""

    is_quick: bool = False
    """Few samples: shows that the program works, not how fast anything is."""
    peers: Path | None = None
    """A virtual environment in which to look for peers; None: this interpreter's."""


class Report(NamedTuple):
    """What a benchmark found."""

    figures: list[Figure]
    left_out: Sequence[str] = ()
    """What was not measured, why, and what to do about it."""


def render_table(reports: dict[str, Report]) -> str:
    """Return the figures of all benchmarks as one table.

    The last column compares with the first subject of the same case.
    """
    rows = [_HEADINGS]
    for name, report in reports.items():
        first: dict[tuple[str, str], float] = {}
        for figure in report.figures:
            reference = first.setdefault((figure.case, figure.unit), figure.median)
            ratio = f"{figure.median / reference:.2f}" if reference else "-"
            spread = f"{_number(figure.low)} - {_number(figure.high)}"
            rows.append(
                (name, figure.case, figure.subject, _number(figure.median), spread, figure.unit, ratio)
            )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(width) if column < _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )


def write_reports(reports: dict[str, Report], stream: TextIO) -> None:
    """Write the table, and what is not in it."""
    stream.write(render_table(reports))
    lines = dict.fromkeys(line for report in reports.values() for line in report.left_out)
    stream.writelines(f"left out: {line}\n" for line in lines)


def _number(value: float) -> str:
    """Three significant digits, none of them lost before the point.

    >>> _number(0.23456), _number(12.345), _number(123456.7)
    ('0.235', '12.3', '123457')
    """
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
