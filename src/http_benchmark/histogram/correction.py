"""Correction for coordinated omission (Gil Tene): what requests would have seen that were never sent.

A closed loop that waits a second for one reply records one slow request, although a user who comes every
20 ms would have been hit 50 times. So a value above the expected interval stands for all that were due while
it lasted: value - interval, value - 2 intervals, ... as long as that is above 0. This is an estimate for a
closed loop; an open loop measures it, from the time a request was due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_benchmark.errors import UsageError
from http_benchmark.histogram.histogram import Histogram, edges_of, index_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def correct(histogram: Histogram, expected_interval_ns: int, least_ns: int = 1) -> Histogram:
    """Return a copy to which the omitted values are added, down to the least; each bucket counts as its
    middle, the greatest value as itself. Cost grows with the number of buckets, not with that of values or
    intervals.

    >>> sorted(correct(Histogram([100]), 30).counts)
    [10, 40, 70, 100]
    """
    if expected_interval_ns < 1:
        raise UsageError(f"the expected interval is {expected_interval_ns} ns, but must be above 0")
    found = Histogram()
    found.merge(histogram)
    if histogram.max_ns <= expected_interval_ns:
        return found
    last = index_of(histogram.max_ns)
    for index, count in histogram.counts.items():
        low, high = edges_of(index)
        value_ns = (low + high) // 2
        if index == last:
            _add_omitted(found, histogram.max_ns, 1, expected_interval_ns, least_ns)
            count -= 1  # noqa: PLW2901  # the greatest is known exactly
            value_ns = min(value_ns, histogram.max_ns)
        if count and value_ns > expected_interval_ns:
            _add_omitted(found, value_ns, count, expected_interval_ns, least_ns)
    return found


def correct_closed_loop(latency: Histogram) -> Histogram:
    """Return the estimate for a closed loop, of which nobody knows when its requests were due: as if each
    connection had gone on asking at the pace it held on average. Half of the times (the median) as interval
    would take a pace no connection held for the intended one, wherever times are uneven; values below the
    average would lower percentiles by requests nobody sent.
    """
    interval_ns = max(1, round(latency.mean_ns))
    return correct(latency, interval_ns, interval_ns)


def _add_omitted(into: Histogram, value_ns: int, count: int, interval_ns: int, least_ns: int) -> None:
    last = 0
    for first, last in _runs(value_ns, interval_ns, least_ns):
        steps = last - first + 1
        # The sums of k and of k squared from first to last.
        line = (first + last) * steps // 2
        square = _square_pyramid(last) - _square_pyramid(first - 1)
        into.counts[index_of(value_ns - first * interval_ns)] += steps * count
        into.total += steps * count
        into.total_ns += count * (steps * value_ns - interval_ns * line)
        into.squares += count * (
            steps * value_ns * value_ns
            - 2 * value_ns * interval_ns * line
            + interval_ns * interval_ns * square
        )
    if last:
        into.min_ns = min(into.min_ns, value_ns - last * interval_ns)


def _runs(value_ns: int, interval_ns: int, least_ns: int) -> Iterator[tuple[int, int]]:
    """Yield from which to which k the values value - k intervals lie in one bucket."""
    most = (value_ns - least_ns) // interval_ns
    k = 1
    while k <= most:
        low, _ = edges_of(index_of(value_ns - k * interval_ns))
        last = min(most, (value_ns - low) // interval_ns)
        yield k, last
        k = last + 1


def _square_pyramid(count: int) -> int:
    return count * (count + 1) * (2 * count + 1) // 6
