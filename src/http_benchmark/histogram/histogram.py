"""A distribution of durations, in the layout of an HdrHistogram of two significant figures.

Up to 255 ns a bucket is one nanosecond; above, each octave has 128 buckets, so that a value is off by 1/128
of itself at most (0.78 %), and by half of that where the middle of a bucket stands for it. Buckets are
sparse: an empty one takes no memory. Count, least, greatest, sum and sum of squares are exact. Two
histograms merge without loss, whoever recorded them: threads, processes, machines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from math import ceil, sqrt
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SUB_BITS = 7
"""Buckets of an octave: 2 to the power of it."""


def index_of(value_ns: int) -> int:
    """Return the number of the bucket a value belongs to; of a negative value that of 0.

    >>> [index_of(ns) for ns in (0, 255, 256, 257, 258, 10**9)]
    [0, 255, 256, 256, 257, 3054]
    """
    if value_ns < 256:
        return max(value_ns, 0)
    shift = value_ns.bit_length() - 8
    return (shift << SUB_BITS) + (value_ns >> shift)


def edges_of(index: int) -> tuple[int, int]:
    """Return the least and the greatest value of a bucket.

    >>> edges_of(257)
    (258, 259)
    """
    shift = max(0, (index >> SUB_BITS) - 1)
    low = (index - (shift << SUB_BITS)) << shift
    return low, low + (1 << shift) - 1


class Histogram:
    """A distribution. Not for several threads at once: give each its own and merge them."""

    __slots__ = ("counts", "max_ns", "min_ns", "squares", "total", "total_ns")

    def __init__(self, values_ns: Iterable[int] = ()) -> None:
        self.counts: Counter[int] = Counter()
        """By bucket; only those that hold something."""
        self.total = 0
        """How many values there are."""
        self.min_ns = 0
        self.max_ns = 0
        self.total_ns = 0
        """Their sum."""
        self.squares = 0
        """The sum of their squares, for the standard deviation."""
        self.record_many(values_ns if isinstance(values_ns, list) else list(values_ns))

    def record(self, value_ns: int, count: int = 1) -> None:
        """Add a value, so many times, at least once."""
        if self.total:
            self.min_ns = min(self.min_ns, value_ns)
            self.max_ns = max(self.max_ns, value_ns)
        else:
            self.min_ns = self.max_ns = value_ns
        self.total += count
        self.total_ns += value_ns * count
        self.squares += value_ns * value_ns * count
        self.counts[index_of(value_ns)] += count

    def record_many(self, values_ns: list[int]) -> None:
        """Add values; a third of the cost of one at a time."""
        if not values_ns:
            return
        least, greatest = min(values_ns), max(values_ns)
        self.min_ns = min(self.min_ns, least) if self.total else least
        self.max_ns = max(self.max_ns, greatest) if self.total else greatest
        self.total += len(values_ns)
        self.total_ns += sum(values_ns)
        self.squares += sum(map(mul, values_ns, values_ns))
        self.counts.update(map(index_of, values_ns))

    def merge(self, other: Histogram) -> None:
        """Add all values of another."""
        if not other.total:
            return
        self.min_ns = min(self.min_ns, other.min_ns) if self.total else other.min_ns
        self.max_ns = max(self.max_ns, other.max_ns) if self.total else other.max_ns
        self.total += other.total
        self.total_ns += other.total_ns
        self.squares += other.squares
        self.counts.update(other.counts)

    @property
    def mean_ns(self) -> float:
        """0.0 of nothing."""
        return self.total_ns / self.total if self.total else 0.0

    @property
    def stdev_ns(self) -> float:
        """Of the values as a whole population; 0.0 of nothing."""
        if not self.total:
            return 0.0
        return sqrt(max(0, self.squares * self.total - self.total_ns * self.total_ns)) / self.total

    def percentile(self, percent: float) -> int:
        """Return the value which so many percent do not exceed (nearest rank), to 0.4 %; 0 of nothing, the
        greatest at 100.
        """
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Iterable[float]) -> list[int]:
        """Return the values of several percents, in one walk."""
        indexes = sorted(self.counts)
        sums = list(accumulate(self.counts[index] for index in indexes))
        found = []
        for percent in percents:
            # Rounded first: 99.9 % of 1000 is rank 999, also where floating point makes it 999.0000000000001.
            rank = max(1, ceil(round(self.total * min(max(percent, 0.0), 100.0) / 100, 6)))
            if rank >= self.total:
                found.append(self.max_ns)
                continue
            low, high = edges_of(indexes[bisect_left(sums, rank)])
            found.append(min(max((low + high) // 2, self.min_ns), self.max_ns))
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Histogram({self.total} values, {self.min_ns} to {self.max_ns} ns)"
