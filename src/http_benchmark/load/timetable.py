"""When a round changes: warm-up ends, a second is over, timeouts are due, it is enough.

The loops run undisturbed until `milestone_ns`, then ask `tick` whether to go on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.load.traffic import Traffic

_SECOND_NS: Final = 1_000_000_000
_TELL_NS: Final = 250_000_000
_ROUTINE_NS: Final = 250_000_000
_LEAST_ROUTINE_NS: Final = 10_000_000


class Timetable:
    """Of one round, from the first request to the end of sending."""

    def __init__(
        self,
        traffic: Traffic,
        *,
        begin: Callable[[int], None],
        is_stopped: Callable[[], bool],
        tell: Callable[[int, int, int | None], None] | None,
        now: int,
    ) -> None:
        options = traffic.options
        self._traffic = traffic
        self._begin = begin
        self._is_stopped = is_stopped
        self._tell = tell
        self._tell_ns = now + _TELL_NS
        self._start_ns = now + round(options.warm_up_s * 1e9)
        self.end_ns: int | None = None
        """When sending ends; None: after a number of requests."""
        if options.requests is None:
            self.end_ns = self._start_ns + round(options.duration_s * 1e9)
        self._second_ns = self._start_ns + _SECOND_NS
        self._routine_every_ns = min(_ROUTINE_NS, max(_LEAST_ROUTINE_NS, round(options.timeout_s * 1e9 / 8)))
        self._routine_ns = now
        self.milestone_ns = now
        self.was_interrupted = False
        self.started_at = 0.0
        """Wall clock."""

    def tick(self, now: int) -> bool:
        """Do what is due; False: sending is over."""
        traffic = self._traffic
        if self._is_stopped():
            self.was_interrupted = True
            return False
        tally = traffic.tally
        if tally.start_ns is None and now >= self._start_ns:
            self._begin_measuring(now)
        if tally.start_ns is not None:
            while now >= self._second_ns:
                tally.next_second()
                self._second_ns += _SECOND_NS
            if self.end_ns is not None and now >= self.end_ns:
                return False
        if now >= self._routine_ns:
            traffic.expire(now)
            self._routine_ns = now + self._routine_every_ns
        if self._tell is not None and now >= self._tell_ns:
            self._tell(now, self._start_ns, self.end_ns)
            self._tell_ns = now + _TELL_NS
        traffic.wake(now)
        self.milestone_ns = self._next(now)
        return True

    def _begin_measuring(self, now: int) -> None:
        late_ns = now - self._start_ns
        self._start_ns += late_ns
        self._second_ns += late_ns
        if self.end_ns is not None:
            self.end_ns += late_ns
        self.started_at = time.time()
        self._begin(now)

    def _next(self, now: int) -> int:
        moments = [self._routine_ns]
        if self._tell is not None:
            moments.append(self._tell_ns)
        if self._traffic.tally.start_ns is None:
            moments.append(self._start_ns)
        else:
            moments.append(self._second_ns)
            if self.end_ns is not None:
                moments.append(self.end_ns)
        if self._traffic.resting:
            moments.append(max(now, min(c.rests_until_ns for c in self._traffic.resting)) + 1_000_000)
        return min(moments)
