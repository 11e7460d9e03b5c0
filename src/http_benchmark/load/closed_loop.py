"""The closed loop: every connection sends its next request as soon as the last one was answered.

The usual exchange is here and nowhere else: one read, one clock, one comparison with the reply that is known,
one send. Everything unusual goes to `Traffic`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from http_benchmark.load.traffic import RECEIVE, clock_ns

if TYPE_CHECKING:
    from http_benchmark.load.timetable import Timetable
    from http_benchmark.load.traffic import Traffic

_EVENTS: Final = 256
"""Of one turn; more would make the clock of a turn old."""


def run_closed_loop(traffic: Traffic, timetable: Timetable) -> None:
    """Send and receive until the timetable says it is enough, or there are no more requests."""
    poll, by_fd, clock = traffic.poller.poll, traffic.by_fd, clock_ns
    tally = traffic.tally
    now = clock()
    c = traffic.connections[0]
    while timetable.tick(now):
        # All of it may be new after a tick: another second, another phase.
        append, take = tally.block.latency.append, traffic.shots.__next__
        milestone = timetable.milestone_ns
        received = sent = count = 0
        try:
            while now < milestone and not traffic.is_exhausted:
                for fd, events in poll((milestone - now) / 1e9, _EVENTS):
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
                    # PERF: most replies are the octets of the last: 0.06 us; read with care they cost 3.7.
                    if octets != expected.usual:  # type: ignore[union-attr]  # one is in flight
                        if octets not in expected.known:  # type: ignore[union-attr]  # as above
                            traffic.take_in(c, octets, now)
                            continue
                        expected.usual = octets  # type: ignore[union-attr]  # as above
                    append(now - c.sent_ns)
                    received += len(octets)
                    request, c.expected = take()
                    c.sent_ns = now
                    count += 1
                    size = len(request)
                    sent += size
                    try:
                        done = c.send(request)
                    except OSError as error:
                        traffic.cannot_send(c, error, request)
                        continue
                    if done != size:
                        traffic.postpone(c, request[done:])
                now = clock()
                if tally.is_behind:
                    tally.fold_some()
        except StopIteration:  # of `take`: the connection at hand was answered and has no more to do
            c.expected = None
            c.is_plain = False
            traffic.is_exhausted = True
            traffic.is_sending = False
        finally:
            tally.octets_received += received
            tally.octets_sent += sent
            tally.sent += count
        if traffic.is_exhausted:
            return
        now = clock()
