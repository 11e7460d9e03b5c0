"""Is the latest run of something different from the runs before it?

Runs of different days differ by more than their rounds do: another kernel, another neighbour, another
temperature. So the measure is how runs differed so far: the range in which one more run would fall 19 times
of 20, had nothing changed (a prediction interval of logarithms, by Student's t).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Final

from http_benchmark.statistics.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW: Final = 4
"""Fewer earlier runs say too little of how runs differ."""
_ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True)
class Trend:
    """The latest run beside the earlier ones."""

    change: float
    """Against the median of the earlier: 0.1 is a tenth more."""
    low: float
    high: float
    """Between which one more run was to be expected; both 0.0 where too few are known."""
    is_unusual: bool
    sentence: str


def trend_of(earlier: Sequence[float], latest: float, *, higher_is_better: bool) -> Trend | None:
    """Return how the latest run stands to the earlier; None where nothing is to be compared. Values that are
    not above 0 are left out.

    >>> trend_of([100, 101, 99, 100], 80, higher_is_better=True).sentence
    '-20 % against the median of 4 earlier runs: worse than they would lead to expect'
    >>> trend_of([100, 120, 90, 110], 95, higher_is_better=True).sentence
    '-9.5 % against the median of 4 earlier runs: as they differ among themselves'
    """
    known = [value for value in earlier if value > 0]
    if not known or not latest > 0:
        return None
    change = latest / median(known) - 1
    runs = "the run before" if len(known) == 1 else f"the median of {len(known)} earlier runs"
    said = f"{show_change(change)} against {runs}"
    if len(known) < FEW:
        return Trend(change, 0.0, 0.0, is_unusual=False, sentence=f"{said}: too few to say if that is much")
    logs = [log(value) for value in known]
    middle, count = fmean(logs), len(logs)
    reach = t_quantile(_ALPHA / 2, count - 1) * stdev(logs) * sqrt(1 + 1 / count)
    low, high = exp(middle - reach), exp(middle + reach)
    is_unusual = abs(log(latest) - middle) > reach + 1e-9  # which is what floating point adds to no spread
    word = "better" if (latest > high) == higher_is_better else "worse"
    told = f"{word} than they would lead to expect" if is_unusual else "as they differ among themselves"
    return Trend(change, low, high, is_unusual=is_unusual, sentence=f"{said}: {told}")


def show_change(change: float) -> str:
    """Two figures, with its sign.

    >>> [show_change(each) for each in (0.1234, -0.01, 0, 2.5, -0.00001)]
    ['+12 %', '-1 %', '0 %', '+250 %', '0 %']
    """
    percent = 100 * change
    if abs(percent) < 0.005:
        return "0 %"
    return f"{percent:+.2g} %" if abs(percent) < 99.5 else f"{percent:+.0f} %"
