"""When the requests of an open loop are due: evenly, or ever closer, or ever farther apart.

The rate grows evenly over the stretch, so that after t seconds r0 t + (r1 - r0) t^2 / 2T requests are due;
solved for t in the form that holds for a constant and a falling rate too.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Schedule:
    """Due times of requests 0 to `total` - 1."""

    begin_ns: int
    rate_per_s: float
    rate_to_per_s: float
    total: int

    def due_ns(self, index: int) -> int:
        """Return when it is due, by the clock of `begin_ns`.

        >>> [Schedule(0, 1000.0, 1000.0, 5).due_ns(index) for index in (0, 1, 4)]
        [0, 1000000, 4000000]
        """
        first = self.rate_per_s
        # growth = (r1 - r0) / T, and T = total / mean rate
        growth = (self.rate_to_per_s - first) * (self.rate_to_per_s + first) / (2 * self.total)
        root = sqrt(max(0.0, first * first + 2 * growth * index))
        return self.begin_ns + round(2e9 * index / (first + root))

    def due_before(self, end_ns: int) -> int:
        """Return how many are due before that time."""
        return bisect_left(range(self.total), end_ns, key=self.due_ns)


def schedule_of(
    begin_ns: int,
    duration_s: float,
    rate_per_s: float,
    rate_to_per_s: float | None = None,
    requests: int | None = None,
) -> Schedule:
    """Return the schedule of so many seconds, or of so many requests."""
    last = rate_per_s if rate_to_per_s is None else rate_to_per_s
    # 0.5 s at 1000/s are 500, whatever the last digit of a product says
    total = round((rate_per_s + last) / 2 * duration_s) if requests is None else requests
    return Schedule(begin_ns, rate_per_s, last, max(total, 1))
