"""A chart as values: axes, series, and the same figures as a table for whoever cannot see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Round

# Hues of like lightness, to be told apart on white and on black, by most who do not see all colours too.
COLOURS: Final = ("#3b82f6", "#f0883e", "#2da44e", "#bf5af2", "#e5484d", "#12a594", "#b8960c", "#d6409f")
POINTS: Final = 600
"""Of a series, at most."""
ROWS: Final = 30
"""Of a table of figures, about."""
NS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Axis:
    """What it shows, and how."""

    title: str
    scale: Literal["linear", "log", "names"] = "linear"
    ticks: Sequence[tuple[float, str]] = ()
    """Value and text; none: whoever draws chooses. Of names, all: 0, 1, 2 and so on."""
    from_zero: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together. A y of None is a gap."""

    name: str
    subject: int
    """Whose they are: the number of the result; it decides the colour."""
    x: Sequence[float]
    y: Sequence[float | None]
    kind: Literal["line", "dashes", "dots", "bars"] = "line"
    low: Sequence[float] = ()
    """Of the interval around each bar."""
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Something to look at."""

    key: str
    """Part of file names."""
    title: str
    says: str
    """How to read it, in a sentence or two."""
    x: Axis
    y: Axis
    series: Sequence[Series]
    head: Sequence[str]
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    """The figures, as text."""
    is_wide: bool = False


def laid_end_to_end(result: BenchmarkResult) -> Iterator[tuple[float, Round]]:
    """Yield each round with the measured seconds before it."""
    before_s = 0.0
    for each in result.rounds:
        yield before_s, each
        before_s += each.duration_s


def every_nth(length: int, limit: int) -> int:
    """Return in which steps to go through so many to see as many as the limit, at most."""
    return max(1, -(-length // limit))
