"""The figures of servers as a table: for a terminal, and for a page in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from http_benchmark.statistics.wording import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.servers.figures import Figures
    from http_benchmark.servers.rounds import Measured
    from http_benchmark.statistics.comparison import Verdict

_TITLES: Final = (
    "server",
    "requests/s",
    "(low - high)",
    "CPU us/request",
    "(user + system)",
    "RSS MB",
    "p50 ms",
    "p99 ms",
    "errors",
    "x rate",
    "x CPU",
)
_NO_DIFFERENCE: Final = "="
_TOO_FEW: Final = "?"


def text_table(found: Sequence[Figures]) -> list[str]:
    """Return the lines of a table; `legend` explains it."""
    rows = [_TITLES, *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown_table(found: Sequence[Figures]) -> list[str]:
    """Return the lines of a table in Markdown."""
    rows = [_TITLES, ("---", *["--:"] * (len(_TITLES) - 1)), *map(_cells, found)]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]


def legend(first: str) -> str:
    """Return what the last two columns mean."""
    return (
        f"x rate, x CPU: times {first}, with the interval in which the ratio lies with 95 %; "
        f"{_NO_DIFFERENCE} marks no significant difference, {_TOO_FEW} too few rounds to tell"
    )


def left_out(found: Sequence[Measured]) -> list[str]:
    """Return who has no figures, and why."""
    return [f"{measured.server.name}: {measured.left_out}" for measured in found if measured.left_out]


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        row.name + (" *" if row.is_generator_limited else ""),
        f"{row.rate_per_s.middle:,.0f}",
        f"({row.rate_per_s.low:,.0f} - {row.rate_per_s.high:,.0f})",
        _short(row.cpu_us.middle),
        f"({_short(row.user_us)} + {_short(row.system_us)})",
        f"{row.rss_mb:.1f}",
        _short(row.p50_ms),
        _short(row.p99_ms),
        str(sum(row.errors.values())),
        _ratio(row.rate_verdict),
        _ratio(row.cpu_verdict),
    )


def _ratio(verdict: Verdict | None) -> str:
    if verdict is None:
        return "1"
    if verdict.rounds < 2:
        return f"{verdict.ratio:.2f} {_TOO_FEW}"
    none = _NO_DIFFERENCE if verdict.rounds >= ENOUGH else _TOO_FEW
    mark = "" if verdict.is_significant else f" {none}"
    return f"{verdict.ratio:.2f} [{verdict.low:.2f}, {verdict.high:.2f}]{mark}"


def _short(value: float) -> str:
    """Three significant digits, none of them lost before the point.

    >>> _short(0.0234), _short(9.876), _short(123.4)
    ('0.023', '9.88', '123')
    """
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.{2 if value >= 1 else 3}f}"
    )
