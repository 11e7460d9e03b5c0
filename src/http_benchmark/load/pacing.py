"""When requests of an open loop are due: at a constant rate, or at one that grows or falls evenly.

Nanoseconds after a beginning. Each time is computed from its number, so that rounding never adds up.
"""

from __future__ import annotations

from itertools import count
from math import ceil, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_benchmark.load.options import LoadOptions

_NS = 1e9


def steady_times(begin_ns: int, rate_per_s: float) -> Iterator[int]:
    """Yield times at a constant rate, without end."""
    step_ns = _NS / rate_per_s
    return (begin_ns + round(number * step_ns) for number in count())


def due_times(begin_ns: int, options: LoadOptions) -> Iterator[int]:
    """Yield the times of a round: so many as are asked for, or as are due within its duration."""
    rate = options.rate_per_s or 1.0
    last_rate = options.rate_to_per_s or rate
    mean = (rate + last_rate) / 2
    if options.requests is None:
        duration_s = options.duration_s
        number = ceil(round(mean * duration_s, 6))
    else:
        number = options.requests
        duration_s = number / mean
    if rate == last_rate:
        step_ns = _NS / rate
        return (begin_ns + round(each * step_ns) for each in range(number))
    # After t seconds rate * t + growth * t * t / 2 were due: solved for t, in the form that divides by no 0.
    growth = (last_rate - rate) / duration_s
    return (
        begin_ns + round(2 * _NS * each / (rate + sqrt(max(0.0, rate * rate + 2 * growth * each))))
        for each in range(number)
    )
