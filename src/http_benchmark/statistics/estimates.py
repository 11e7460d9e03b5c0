"""How large a difference is, and between which limits it lies.

Everything is of logarithms: a ratio and its inverse are then equally far from "equal", and what slows both
subjects of a round alike cancels. The middle is Hodges and Lehmann's: as good as a mean where noise is
normal, and unmoved by a round that went wrong. Limits are those of a percentile bootstrap, whose tails are
widened by what few values make them too narrow (Hesterberg 2015); it draws from its own seeded generator.
"""

from __future__ import annotations

from math import sqrt
from random import Random
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Final

from http_benchmark.statistics.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESAMPLES: Final = 2_000
_WORK: Final = 1_000_000  # averages of pairs in all resamples together
_SEED: Final = 6


def middle_of_pairs(differences: Sequence[float]) -> float:
    """Return the median of the averages of all pairs, each value with itself included.

    >>> middle_of_pairs([1.0, 2.0, 90.0])
    23.75
    """
    return median([x + y for at, x in enumerate(differences) for y in differences[at:]]) / 2


def middle_of_two(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the median of all differences of b to a."""
    return median([y - x for x in a for y in b])


def cliffs_delta(a: Sequence[float], b: Sequence[float]) -> float:
    """Return how much more often b is above a than below: 1.0 always, 0.0 as often, -1.0 never.

    >>> cliffs_delta([1, 2, 3], [2, 9, 9])
    0.6666666666666666
    """
    if not (a and b):
        return 0.0
    return sum((y > x) - (y < x) for x in a for y in b) / (len(a) * len(b))


def interval_of_pairs(
    differences: Sequence[float], tail: float, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return limits for `middle_of_pairs`, with so much outside at either end."""
    count = len(differences)
    chance = Random(_SEED)  # noqa: S311  # resampling, no secrets

    def draw() -> float:
        return middle_of_pairs(chance.choices(differences, k=count))

    return _interval(draw, _widened(tail, count, count - 1), _affordable(resamples, count * (count + 1) // 2))


def interval_of_two(
    a: Sequence[float], b: Sequence[float], tail: float, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return limits for `middle_of_two`, with so much outside at either end."""
    chance = Random(_SEED)  # noqa: S311  # as above

    def draw() -> float:
        return middle_of_two(chance.choices(a, k=len(a)), chance.choices(b, k=len(b)))

    widened = _widened(tail, min(len(a), len(b)), len(a) + len(b) - 2)
    return _interval(draw, widened, _affordable(resamples, len(a) * len(b)))


def _interval(draw: Callable[[], float], tail: float, resamples: int) -> tuple[float, float]:
    found = sorted(draw() for _ in range(resamples))
    outside = int(tail * resamples)
    return found[outside], found[-1 - outside]


def _affordable(resamples: int, pairs: int) -> int:
    return max(1, min(resamples, max(200, _WORK // pairs)))


def _widened(tail: float, count: int, freedom: int) -> float:
    """Return the tail of the bootstrap that leaves so much outside in truth."""
    return NormalDist().cdf(-t_quantile(tail, freedom) * sqrt(count / (count - 1)))
