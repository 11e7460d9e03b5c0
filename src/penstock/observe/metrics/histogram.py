"""Durations by logarithm: 16 buckets an octave of microseconds, the same for every histogram.

Up to 16 us a bucket is one microsecond; above, one sixteenth of its octave, so that a percentile is off by
1/16 of itself at most (6.25 %). A bucket holds its upper edge and not its lower, so the powers of two are
exact edges in the sense of `le`. The last bucket takes all beyond 71 minutes. What is added up are the words
of the buckets as one big number: a word has 64 bits, and none ever overflows into the next.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from penstock.observe.metrics.memory import BLOCK_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

BUCKETS: Final = 464
SUM: Final = BUCKETS
"""The word behind the buckets: nanoseconds in all."""
LIMIT_US: Final = 2**32
_WORDS: Final = struct.Struct(f"<{BLOCK_WORDS}Q")
_NS: Final = 10**9


def bucket_of(duration_ns: int) -> int:
    """Return the number of the bucket a duration belongs to.

    >>> [bucket_of(us * 1000) for us in (0, 1, 16, 17, 64, 65, 10**10)]
    [0, 0, 15, 16, 47, 48, 463]
    """
    us = (duration_ns - 1) // 1000
    if us < 16:
        return max(us, 0)
    if us >= LIMIT_US:
        return BUCKETS - 1
    bits = us.bit_length()
    return ((bits - 4) << 4) + ((us >> (bits - 5)) & 15)


def edge_of(bucket: int) -> int:
    """Return the microseconds above which a bucket begins; those of the next are the most it holds."""
    if bucket < 16:
        return bucket
    return (16 + (bucket & 15)) << ((bucket >> 4) - 1)


EDGES_US: Final = tuple(edge_of(bucket) for bucket in range(BUCKETS + 1))

# The edges that are told as `le`: 64 us to 67 s, each twice the one before.
_TOLD: Final = range(6, 27)


def _name_edge(us: int) -> str:
    return f"{us // 10**6}.{us % 10**6:06}".rstrip("0")


TOLD_EDGES: Final = tuple((_name_edge(2**power), (power - 3) << 4) for power in _TOLD)
"""Edge in seconds, exactly, and how many buckets lie below it."""


class Distribution:
    """The durations of a series as they are now."""

    __slots__ = ("_total", "counts", "sum_ns")

    def __init__(self, counts: Sequence[int], sum_ns: int) -> None:
        self.counts = counts
        """By bucket."""
        self.sum_ns = sum_ns
        self._total = sum(counts)

    @property
    def count(self) -> int:
        return self._total

    @property
    def sum_s(self) -> float:
        return self.sum_ns / _NS

    def percentile(self, percent: float) -> float:
        """Return the seconds which so many percent do not exceed, exact to 1/16; 0.0 when there are none."""
        rank = self._total * min(max(percent, 0.0), 100.0) / 100
        below = 0
        for bucket, count in enumerate(self.counts):
            if count and below + count >= rank:
                low, high = EDGES_US[bucket], EDGES_US[bucket + 1]
                share = max(0.0, rank - below) / count
                return (low + (high - low) * share) / 1e6
            below += count
        return 0.0

    def cumulative(self) -> list[tuple[str, int]]:
        """Return for each edge that is told how many do not exceed it."""
        sums = list(accumulate(self.counts, initial=0))
        return [(name, sums[buckets]) for name, buckets in TOLD_EDGES]

    def __add__(self, other: Distribution) -> Distribution:
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return Distribution(counts, self.sum_ns + other.sum_ns)


def split(block: bytes) -> tuple[Distribution, tuple[int, ...]]:
    """Return what a block of words holds: durations, and the words behind their sum."""
    words = _WORDS.unpack(block)
    return Distribution(words[:BUCKETS], words[SUM]), words[SUM + 1 :]


def none() -> Distribution:
    """Return a distribution of nothing."""
    return Distribution((0,) * BUCKETS, 0)
