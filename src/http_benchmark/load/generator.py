"""A round of load, from the first connection to the Round: open, warm up, measure, drain.

One thread, one poller, one process; `spread` runs several. The garbage collector is off meanwhile: a
collection would stand between a reply and the clock that measures it.
"""

from __future__ import annotations

import gc
import resource
import time
from itertools import islice
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import NothingMeasured, UsageError
from http_benchmark.histogram.correction import correct_closed_loop
from http_benchmark.load.closed_loop import run_closed_loop
from http_benchmark.load.connection import READY, RESTING
from http_benchmark.load.open_loop import count_dropped, run_open_loop
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.pacing import due_times, steady_times
from http_benchmark.load.teller import Teller
from http_benchmark.load.timetable import Timetable
from http_benchmark.load.traffic import Traffic, clock_ns
from http_benchmark.measurement.round import Resources

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from http_benchmark.load.scenario import Scenario
    from http_benchmark.measurement.progress import Progress
    from http_benchmark.measurement.round import Round

__all__ = ["LoadOptions", "run_load"]

_CONNECTING_AT_ONCE: Final = 100
"""Fewer than the backlog of most servers: 128, 511, 1024, 2048."""
_OTHER_FILES: Final = 64
_WAIT_S: Final = 0.05


def run_load(
    scenario: Scenario,
    options: LoadOptions,
    *,
    number: int = 0,
    rounds: int = 1,
    name: str = "",
    watch: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    start: Callable[[], None] | None = None,
) -> Round:
    """Load the server and return what was measured. Ctrl-C, or `stop`, ends the round at once and still
    returns it. NothingMeasured when no connection can be opened. `start` is called when all are open, and
    returns when it is time for the first request: several generators begin together by it. `watch` is told
    four times a second how far it has come, with the name and the numbers given.
    """
    raise_file_limit(options.connections)
    run = _Run(scenario, options, stop, start)
    if watch is not None:
        run.teller = Teller(run.traffic, watch, name=name, number=number, rounds=rounds)
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        return run.measure(number)
    finally:
        run.traffic.close()
        if was_collecting:
            gc.enable()


def raise_file_limit(connections: int) -> None:
    """Allow this process so many sockets; UsageError when the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise UsageError(
            f"{connections} connections need {wanted} open files, and {hard} are allowed; "
            "raise the limit (`ulimit -Hn`), or ask for fewer"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Run:
    """One round."""

    def __init__(
        self,
        scenario: Scenario,
        options: LoadOptions,
        stop: threading.Event | None,
        start: Callable[[], None] | None,
    ) -> None:
        self.options = options
        self.traffic = Traffic(scenario, options)
        self._stop = stop
        self._start = start
        self.teller: Teller | None = None
        self._used = resource.getrusage(resource.RUSAGE_SELF)
        """When measuring began."""
        self._was_interrupted = False
        self._last_ns = 0

    def measure(self, number: int) -> Round:
        traffic, options = self.traffic, self.options
        timetable: Timetable | None = None
        end_ns = 0
        in_flight = 0
        try:
            self._open()
            if self._start is not None:
                self._start()
            timetable = Timetable(
                traffic,
                begin=self._begin_measuring,
                is_stopped=self._is_stopped,
                tell=None if self.teller is None else self.teller.tell,
                now=clock_ns(),
            )
            traffic.shots = traffic.messages.shots()
            if options.rate_per_s is None:
                timetable.tick(clock_ns())  # without warm-up, measuring begins before the first request
                self._send_first()
                run_closed_loop(traffic, timetable)
            else:
                traffic.schedule = steady_times(clock_ns(), options.rate_per_s)
                run_open_loop(traffic, timetable)
            end_ns = clock_ns()
            if options.rate_per_s is not None and timetable.end_ns and not timetable.was_interrupted:
                end_ns = timetable.end_ns  # all that was due until then was sent, or is dropped
            used = self._cpu()
            self._was_interrupted |= timetable.was_interrupted
            in_flight = self._drain(is_patient=not self._was_interrupted)
        except KeyboardInterrupt:
            self._was_interrupted = True
            in_flight = self._count_in_flight()
            used = self._cpu()
        now = clock_ns()
        if traffic.tally.start_ns is None:
            self._begin_measuring(now)
        if options.requests is not None and not self._was_interrupted:
            end_ns = self._last_ns
        elif options.rate_per_s is not None:
            traffic.tally.dropped = count_dropped(traffic, end_ns or now)
        made = traffic.tally.to_round(
            number,
            timetable.started_at if timetable and timetable.started_at else time.time(),
            end_ns or now,
            correct=None if options.rate_per_s is not None else correct_closed_loop,
        )
        made.in_flight_at_end = in_flight
        made.was_interrupted = self._was_interrupted
        made.generator = used
        return made

    def _cpu(self) -> Resources:
        """What this process has used since measuring began."""
        before, now = self._used, resource.getrusage(resource.RUSAGE_SELF)
        user_s, system_s = now.ru_utime - before.ru_utime, now.ru_stime - before.ru_stime
        return Resources(cpu_s=user_s + system_s, user_s=user_s, system_s=system_s)

    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _open(self) -> None:
        """Open all connections, a few at a time. The first tells whether there is a server at all."""
        traffic = self.traffic
        unopened = list(reversed(traffic.connections))
        until_ns = clock_ns() + round(self.options.timeout_s * 1e9)
        traffic.open(unopened.pop(), clock_ns())
        while not traffic.has_connected:
            self._turn()
            if traffic.resting and traffic.refusal:
                raise NothingMeasured(_unreached(*traffic.refusal))
            if self._is_stopped():
                return
            traffic.wake(clock_ns())
            if clock_ns() > until_ns:
                text = f"{traffic.target.name}: not connected within {self.options.timeout_s:g} s"
                raise NothingMeasured(_unreached("timeout", text))
        while (now := clock_ns()) < until_ns and not self._is_stopped():
            connecting = sum(c.phase not in {READY, RESTING} for c in traffic.connections)
            for _ in range(min(_CONNECTING_AT_ONCE - connecting, len(unopened))):
                traffic.open(unopened.pop(), now)
            traffic.wake(now)
            if not (connecting or unopened or traffic.resting):
                return
            self._turn()
        for c in unopened if not self._is_stopped() else ():
            traffic.open(c, clock_ns())

    def _turn(self) -> None:
        """Handle what is ready, with care."""
        traffic = self.traffic
        for fd, events in traffic.poller.poll(_WAIT_S, 256):
            traffic.ready(traffic.by_fd[fd], events, clock_ns())
        traffic.expire(clock_ns())

    def _send_first(self) -> None:
        traffic = self.traffic
        traffic.is_sending = True
        for c in list(traffic.free):
            if c.is_free and c.phase == READY:
                c.is_free = False
                traffic.fill(c, clock_ns())
        traffic.free.clear()

    def _begin_measuring(self, now: int) -> None:
        """Warm-up is over: what is in flight belongs to it."""
        self._used = resource.getrusage(resource.RUSAGE_SELF)
        traffic = self.traffic
        traffic.tally.begin(now, sum(c.phase == READY for c in traffic.connections))
        shots = traffic.messages.shots()
        traffic.shots = shots if self.options.requests is None else islice(shots, self.options.requests)
        if self.options.rate_per_s is not None:
            traffic.schedule = due_times(now, self.options)
        for c in traffic.connections:
            c.be_careful()

    def _drain(self, *, is_patient: bool) -> int:
        """Wait for what is in flight; return how many were not answered."""
        traffic = self.traffic
        traffic.is_sending = traffic.is_opening = False
        for c in traffic.connections:
            c.be_careful()
        pending = {c for c in traffic.connections if c.in_flight}
        until_ns = clock_ns() + (round(self.options.timeout_s * 1e9) if is_patient else 0)
        looked_ns = clock_ns()
        while pending and (now := clock_ns()) < until_ns:
            for fd, events in traffic.poller.poll(_WAIT_S, 256):
                c = traffic.by_fd[fd]
                traffic.ready(c, events, clock_ns())
                if not c.in_flight:
                    pending.discard(c)
            if is_patient and self._is_stopped():
                self._was_interrupted = True
                break
            if now - looked_ns > 100_000_000:
                traffic.expire(now)
                pending = {c for c in pending if c.in_flight}
                looked_ns = now
        self._last_ns = clock_ns()
        return self._count_in_flight()

    def _count_in_flight(self) -> int:
        start_ns = self.traffic.tally.start_ns or 0
        return sum(
            (request.due_ns or request.sent_ns) >= start_ns
            for c in self.traffic.connections
            for request in c.requests
        )


def _unreached(kind: str, text: str) -> str:
    hint = {
        "refused": "is the server running there?",
        "tls": "is it an https server? --no-verify-ssl accepts any certificate",
        "unreachable": "is the path right?",
        "timeout": "is it reachable from here?",
    }.get(kind)
    return f"cannot connect to {text}" + (f"; {hint}" if hint else "")
