"""The open loop: requests are sent when they are due, whether or not earlier ones were answered.

A request that is due takes the connection that was free longest; when none is free it waits, and is sent
late. Every request has three times: when it was due, when it was sent, when its reply was complete.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from http_benchmark.load.connection import READY
from http_benchmark.load.poller import PollPoller
from http_benchmark.load.traffic import RECEIVE, clock_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from http_benchmark.load.connection import Connection
    from http_benchmark.load.messages import Shot
    from http_benchmark.load.timetable import Timetable
    from http_benchmark.load.traffic import Traffic

_AT_ONCE: Final = 64
"""Sends, or reads, in a row: a burst of one delays the other."""
_NEVER: Final = 1 << 63
_SELECTABLE: Final = 1_024
"""File numbers select() takes: those below FD_SETSIZE."""


def run_open_loop(traffic: Traffic, timetable: Timetable) -> None:
    """Send and receive until the timetable says it is enough, or there are no more requests."""
    wait, poll, by_fd, clock = make_wait(traffic.poller), traffic.poller.poll, traffic.by_fd, clock_ns
    tally, free = traffic.tally, traffic.free
    schedule: Iterator[int] | None = None
    now = clock()
    while timetable.tick(now):
        # All of it may be new after a tick: another second, another phase.
        block = tally.block
        append, append_corrected = block.latency.append, block.corrected.append
        if schedule is not traffic.schedule:
            schedule = traffic.schedule
            traffic.next_due_ns = next(schedule, _NEVER)
        milestone, received = timetable.milestone_ns, 0
        try:
            while now < milestone:
                if traffic.next_due_ns <= now:
                    now = send_due(traffic, schedule, now)
                if traffic.next_due_ns == _NEVER:
                    traffic.is_exhausted = True
                    return
                until = milestone
                if traffic.next_due_ns > now or free:
                    until = min(traffic.next_due_ns, milestone)
                if until > now:
                    wait(until - now)
                for fd, events in poll(0, _AT_ONCE):
                    c = by_fd[fd]
                    if not c.is_plain:
                        traffic.ready(c, events, clock())
                        continue
                    try:
                        octets = c.recv(RECEIVE)
                    except OSError as error:
                        traffic.cannot_read(c, error, clock())
                        continue
                    now = clock()
                    expected = c.expected
                    if octets != expected.usual:  # type: ignore[union-attr]  # one is in flight
                        if octets not in expected.known:  # type: ignore[union-attr]  # as above
                            traffic.take_in(c, octets, now)
                            continue
                        expected.usual = octets  # type: ignore[union-attr]  # as above
                    append(now - c.sent_ns)
                    append_corrected(now - c.due_ns)
                    received += len(octets)
                    c.expected = None
                    c.is_plain = False
                    c.is_free = True
                    free.append(c)
                now = clock()
                if tally.is_behind:
                    tally.fold_some()
        finally:
            tally.octets_received += received
        now = clock()
    if timetable.end_ns is not None and schedule is not None and not timetable.was_interrupted:
        # What was due in the last microseconds is sent now, if anybody is free.
        _send_last(traffic, schedule, timetable.end_ns)


def send_due(traffic: Traffic, schedule: Iterator[int], now: int, *, most: int = _AT_ONCE) -> int:
    """Send requests that are due, as long as connections are free; return the time."""
    due, free, clock = traffic.next_due_ns, traffic.free, clock_ns
    late = traffic.tally.block.lateness.append
    while due <= now and most:
        if not free:
            if traffic.failures:
                traffic.take()
                traffic.tally.error(*traffic.failures.popleft(), due, now)
                due = next(schedule, _NEVER)
                continue
            break
        c = free.popleft()
        if not c.is_free or c.phase != READY:  # ended since, or counted twice
            continue
        c.is_free = False
        shot = traffic.take()
        if shot is None:
            break
        now = clock()
        late(now - due)
        if c.can_be_plain and c.uses and not c.is_unwatched:
            _send_plain(traffic, c, shot, due, now)
        else:
            _send(traffic, c, traffic.enter(c, shot, due, now), now)
        due = next(schedule, _NEVER)
        most -= 1
    traffic.failures.clear()
    traffic.next_due_ns = due
    return now


def count_dropped(traffic: Traffic, end_ns: int) -> int:
    """Return how many were due before the end and never sent."""
    if traffic.next_due_ns >= end_ns:
        return 0
    dropped = 1
    for due in traffic.schedule:
        if due >= end_ns:
            break
        dropped += 1
    return dropped


def make_wait(poller: select.epoll | PollPoller) -> Callable[[int], object]:
    """Return a function that waits until a socket is ready, so many nanoseconds at most.

    epoll and poll count milliseconds and round up, which would send 10,000 requests a second in bursts of
    ten; select counts microseconds, and an epoll can be waited for like a socket.
    """
    number = _SELECTABLE if isinstance(poller, PollPoller) else poller.fileno()
    if number >= _SELECTABLE:
        return lambda nanoseconds: poller.poll(nanoseconds // 1_000_000 / 1e3)
    numbers, choose = [number], select.select
    return lambda nanoseconds: choose(numbers, (), (), nanoseconds / 1e9)


def _send_plain(traffic: Traffic, c: Connection, shot: Shot, due: int, now: int) -> None:
    """Send on a connection that was used before. PERF: 0.5 us, with care 1.9."""
    request, c.expected = shot
    c.due_ns, c.sent_ns = due, now
    c.is_plain = True
    size = len(request)
    tally = traffic.tally
    tally.sent += 1
    tally.octets_sent += size
    try:
        done = c.send(request)
    except OSError as error:
        traffic.cannot_send(c, error, request)
        return
    if done != size:
        traffic.postpone(c, request[done:])


def _send(traffic: Traffic, c: Connection, octets: bytes, now: int) -> None:
    traffic.write(c, octets, now)
    if c.phase == READY and not c.closes and c.in_flight < traffic.options.pipeline:
        c.is_free = True
        traffic.free.append(c)


def _send_last(traffic: Traffic, schedule: Iterator[int], end_ns: int) -> None:
    while traffic.next_due_ns < end_ns and traffic.free:
        send_due(traffic, schedule, end_ns - 1)
