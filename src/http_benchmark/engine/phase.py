"""What workers do in one stretch: its tickets, and, in an open loop, when each of them is due.

A ticket is the right to send one request. Workers share one iterator of them; taking the next is one step of
the interpreter, so that no two take the same and no lock is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Final

from http_benchmark.engine.schedule import Schedule, schedule_of
from http_benchmark.engine.stretch import FAR_NS, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterator

NS: Final = 10**9


@dataclass(slots=True)
class Phase:
    """Warm-up, or what is measured."""

    stretch: Stretch
    tickets: Iterator[int]
    schedule: Schedule | None = None
    """Open loop: due times, by ticket."""
    ends_by_count: bool = False
    """Whether it is over when the tickets are; its end in time is then that of the last request."""


@dataclass(slots=True)
class Phases:
    """Both phases of a round."""

    warm_up: Phase
    measured: Phase

    def stop(self, now_ns: int) -> None:
        """Have nothing more begun in either."""
        self.warm_up.stretch.stop(now_ns)
        self.measured.stretch.stop(now_ns)


def plan_phases(
    now_ns: int,
    *,
    warm_up_s: float,
    duration_s: float,
    requests: int | None = None,
    rate_per_s: float | None = None,
    rate_to_per_s: float | None = None,
) -> Phases:
    """Return the phases of a round that begins now. `requests`: it ends after so many, whatever time they
    take.
    """
    begin_ns = now_ns + round(warm_up_s * NS)
    end_ns = begin_ns + round(duration_s * NS) if requests is None else FAR_NS
    warm_up, measured = Stretch(now_ns, begin_ns), Stretch(begin_ns, end_ns)
    endless = repeat(0)
    if rate_per_s is None:
        tickets = endless if requests is None else iter(range(requests))
        return Phases(Phase(warm_up, endless), Phase(measured, tickets, None, requests is not None))
    warming = schedule_of(now_ns, warm_up_s, rate_per_s)
    schedule = schedule_of(begin_ns, duration_s, rate_per_s, rate_to_per_s, requests)
    return Phases(
        Phase(warm_up, iter(range(warming.total)), warming),
        Phase(measured, iter(range(schedule.total)), schedule, requests is not None),
    )
