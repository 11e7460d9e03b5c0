"""Tests by ranks: they assume nothing of how values are distributed.

`mann_whitney` compares two independent samples, `signed_rank` (Wilcoxon) differences of pairs. Both are
exact, ties included, by counting how many ways of shuffling these very ranks give a sum as far out as the
one seen; above `EXACT_UP_TO` values the normal curve, corrected for ties, takes over. Probabilities are
two-sided.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from math import comb, erfc, sqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT_UP_TO: Final = 40


def mann_whitney(a: Sequence[float], b: Sequence[float]) -> float:
    """Return how probable ranks as unequal as these are where both are of one kind; 1.0 where one is
    empty.
    """
    if not (a and b):
        return 1.0
    ranks = doubled_ranks([*a, *b])
    seen = sum(ranks[: len(a)])
    if len(ranks) <= EXACT_UP_TO:
        ways = _ways_of_choosing(tuple(sorted(ranks)), len(a))
        return _two_sided(ways, seen, comb(len(ranks), len(a)))
    everybody = len(ranks)
    variance = len(a) * len(b) / 12 * (everybody + 1 - _ties(ranks) / (everybody * (everybody - 1)))
    return _normal(abs(seen / 2 - len(a) * (everybody + 1) / 2), variance)


def signed_rank(differences: Sequence[float]) -> float:
    """Return how probable differences as lopsided as these are where none is meant; those of 0 say
    nothing.
    """
    moved = [each for each in differences if each]
    if not moved:
        return 1.0
    ranks = doubled_ranks([abs(each) for each in moved])
    seen = sum(rank for rank, each in zip(ranks, moved, strict=True) if each > 0)
    count = len(ranks)
    if count <= EXACT_UP_TO:
        return _two_sided(_ways_of_signs(tuple(sorted(ranks))), seen, 1 << count)
    variance = count * (count + 1) * (2 * count + 1) / 24 - _ties(ranks) / 48
    return _normal(abs(seen / 2 - count * (count + 1) / 4), variance)


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each; equal values share the middle of their ranks.

    >>> doubled_ranks([5, 1, 5])
    [5, 2, 5]
    """
    first: dict[float, int] = {}
    times = Counter(values)
    below = 0
    for value in sorted(times):
        first[value] = 2 * below + times[value] + 1
        below += times[value]
    return [first[value] for value in values]


@lru_cache(maxsize=64)
def _ways_of_choosing(ranks: tuple[int, ...], chosen: int) -> dict[int, int]:
    """Return for each sum how many choices of so many ranks have it."""
    tables: list[Counter[int]] = [Counter({0: 1})] + [Counter() for _ in range(chosen)]
    for rank in ranks:
        for size in range(chosen, 0, -1):
            into = tables[size]
            for total, ways in tables[size - 1].items():
                into[total + rank] += ways
    return tables[chosen]


@lru_cache(maxsize=64)
def _ways_of_signs(ranks: tuple[int, ...]) -> dict[int, int]:
    """Return for each sum of the positive ranks how many choices of signs have it."""
    table = Counter({0: 1})
    for rank in ranks:
        grown = Counter(table)
        for total, ways in table.items():
            grown[total + rank] += ways
        table = grown
    return table


def _two_sided(ways: dict[int, int], seen: int, everything: int) -> float:
    below = sum(count for total, count in ways.items() if total <= seen)
    above = sum(count for total, count in ways.items() if total >= seen)
    return min(1.0, 2 * min(below, above) / everything)


def _normal(distance: float, variance: float) -> float:
    """Two-sided, with the half that makes up for steps."""
    if variance <= 0:
        return 1.0
    return erfc(max(0.0, distance - 0.5) / sqrt(2 * variance))


def _ties(ranks: Sequence[int]) -> int:
    return sum(times**3 - times for times in Counter(ranks).values())
