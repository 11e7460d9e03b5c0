"""Everything that happens on connections, done with care: opening, sending, reading, closing, failing.

The loops (`closed_loop`, `open_loop`) do the usual exchange themselves, for it is all the cost there is, and
leave everything else to this. Every request that was taken from the scenario ends in exactly one of: success,
one error, in flight at the end.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import BenchmarkError
from http_benchmark.load.connection import (
    CONNECTING,
    HANDSHAKING,
    READY,
    RESTING,
    Connection,
    InFlight,
    classify,
    find_targets,
)
from http_benchmark.load.cookies import CookieJar
from http_benchmark.load.messages import Messages, with_fields
from http_benchmark.load.poller import READABLE, WRITABLE, make_poller
from http_benchmark.load.reply import ReplyFault
from http_benchmark.load.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_benchmark.load.messages import Shot
    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario

RECEIVE: Final = 65_536
"""Octets of one read."""
_REST_MS: Final = (10, 1_000)
"""After a failed attempt to connect, doubled with each further one."""
_CLOSE: Final = b"Connection: close\r\n"

clock_ns = time.perf_counter_ns


class Traffic:
    """All connections of a round."""

    def __init__(self, scenario: Scenario, options: LoadOptions) -> None:
        self.options = options
        self.targets = find_targets(scenario, options)
        """Where to connect: one after the other until one was reached."""
        self.target = self.targets.pop(0)
        self.has_connected = False
        self.messages = Messages(scenario, options)
        self.shots: Iterator[Shot] = iter(())
        """What is still to be sent."""
        self.is_sending = False
        """Whether a connection that is free sends the next request at once (closed loop)."""
        self.is_opening = True
        """Whether connections that end are opened again."""
        self.is_exhausted = False
        """`shots` has come to its end."""
        self.free: deque[Connection] = deque()
        """Connections that can take a request, longest free first; some may have ended meanwhile."""
        self.schedule: Iterator[int] = iter(())
        """Open loop: when requests are due that are later than `next_due_ns`."""
        self.next_due_ns = 0
        self.failures: deque[tuple[str, str]] = deque(maxlen=options.connections)
        """Open loop: connections that could not be opened just now, each for one request that is due."""
        is_open_loop = options.rate_per_s is not None
        self.tally = Tally(is_open_loop=is_open_loop)
        plain = options.pipeline == 1 and options.requests_per_connection is None and not scenario.cookies
        self.connections = [
            Connection(can_be_plain=plain, jar=CookieJar() if scenario.cookies else None)
            for _ in range(options.connections)
        ]
        self.by_fd: dict[int, Connection] = {}
        self.resting: list[Connection] = []
        self.refusal: tuple[str, str] | None = None
        """Class and text of the last failure to connect."""
        self.poller = make_poller()

    def close(self) -> None:
        """Close all sockets."""
        for c in self.connections:
            self.shut(c)
        self.poller.close()

    # ---------------------------------------------------------------- opening

    def open(self, c: Connection, now: int) -> None:
        """Begin to connect."""
        c.opened_ns = now
        target = self.target
        try:
            sock = socket.socket(target.family, socket.SOCK_STREAM)
        except OSError as error:
            raise BenchmarkError(f"no more sockets ({error.strerror}); raise `ulimit -n`") from None
        sock.setblocking(False)
        c.sock = sock
        c.fd = sock.fileno()
        c.phase = CONNECTING
        self.by_fd[c.fd] = c
        if target.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        status = sock.connect_ex(target.address)
        self.poller.register(c.fd, WRITABLE)
        if status not in {0, errno.EINPROGRESS}:
            self.cannot_connect(c, OSError(status, os.strerror(status)), now)

    def reopen(self, c: Connection, now: int) -> None:
        """Close, and connect again if connections are still needed."""
        self.shut(c)
        most = self.options.requests
        if self.tally.start_ns is not None and most is not None and self.tally.sent >= most:
            self.is_exhausted = True
            self.is_sending = False
        elif self.is_opening:
            self.open(c, now)

    def cannot_connect(self, c: Connection, error: OSError, now: int) -> None:
        """Let it rest; a request that would have gone over it has failed."""
        self.shut(c)
        if self.targets and not self.has_connected:
            self.target = self.targets.pop(0)
            self.open(c, now)
            return
        c.rest_ms = min(max(_REST_MS[0], c.rest_ms * 2), _REST_MS[1])
        c.rests_until_ns = now + c.rest_ms * 1_000_000
        self.resting.append(c)
        if error.errno == errno.EAGAIN:  # a unix socket whose backlog is full: no failure, only not yet
            return
        kind, text = classify(error), f"{self.target.name}: {_text_of(error)}"
        self.refusal = kind, text
        if self.tally.is_open_loop:
            self.failures.append((kind, text))
        elif self.is_sending and self.take() is not None:
            self.tally.error(kind, text, now, now)

    def wake(self, now: int) -> None:
        """Connect what has rested."""
        rested = [c for c in self.resting if c.rests_until_ns <= now]
        self.resting = [c for c in self.resting if c.rests_until_ns > now]
        for c in rested:
            if self.is_opening:
                self.open(c, now)

    def _go_on_connecting(self, c: Connection, now: int) -> None:
        sock = c.sock
        try:
            if c.phase == CONNECTING:
                status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if status:
                    raise OSError(status, os.strerror(status))  # the class that belongs to the number
                c.phase = HANDSHAKING
                if self.target.context is not None:
                    sock = c.sock = self.target.context.wrap_socket(
                        sock, server_hostname=self.target.host, do_handshake_on_connect=False
                    )
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
        except ssl.SSLWantReadError:
            self.poller.modify(c.fd, READABLE)
        except ssl.SSLWantWriteError:
            self.poller.modify(c.fd, WRITABLE)
        except OSError as error:
            self.cannot_connect(c, error, now)
        else:
            self.poller.modify(c.fd, READABLE)
            c.phase = READY
            c.recv = sock.recv
            c.send = sock.send
            c.rest_ms = 0
            self.has_connected = True
            self.tally.opened += 1
            self.settle(c, now)

    def shut(self, c: Connection) -> None:
        """Close, whatever state it is in."""
        if c.phase == RESTING:
            return
        del self.by_fd[c.fd]
        if not c.is_unwatched:
            self.poller.unregister(c.fd)
        c.sock.close()
        c.reset()

    # ---------------------------------------------------------------- sending

    def take(self) -> Shot | None:
        """Return the next request; None: there is none, and never will be."""
        shot = next(self.shots, None)
        if shot is None:
            self.is_exhausted = True
            self.is_sending = False
        return shot

    def settle(self, c: Connection, now: int) -> None:
        """Use a connection that has room for a request: send on it, or have it free."""
        if c.closes:
            return
        if self.is_sending:
            self.fill(c, now)
        elif not c.is_free:
            c.is_free = True
            self.free.append(c)

    def fill(self, c: Connection, now: int) -> None:
        """Send as many requests as it may have in flight, in one piece."""
        pieces = []
        room = self.options.pipeline - c.in_flight
        while room and not c.closes and (shot := self.take()) is not None:
            pieces.append(self.enter(c, shot, 0, now))
            room -= 1
        if pieces:
            self.write(c, b"".join(pieces), now)

    def enter(self, c: Connection, shot: Shot, due: int, now: int) -> bytes:
        """Note a request as in flight and return its octets, with what this connection adds to it."""
        octets, expected = shot
        c.uses += 1
        tally = self.tally
        tally.sent += 1
        tally.first_uses += c.uses == 1
        if c.expected is None:
            c.expect(InFlight(expected, due, now))
        else:
            c.later.append(InFlight(expected, due, now))
        if c.jar:
            octets = with_fields(octets, c.jar.field())
        if c.uses == self.options.requests_per_connection:
            c.closes = True
            octets = with_fields(octets, _CLOSE)
        tally.octets_sent += len(octets)
        return octets

    def write(self, c: Connection, octets: bytes, now: int) -> None:
        """Send, and keep what the socket does not take."""
        if c.has_spoken:
            self.fail(c, "protocol", f"{self.target.name}: octets before any request", now)
            return
        if c.is_unwatched:
            self.poller.register(c.fd, READABLE)
            c.is_unwatched = False
        if c.unsent:
            c.unsent += octets
            return
        try:
            sent = c.send(octets)
        except OSError as error:
            self.cannot_send(c, error, octets)
            return
        if sent < len(octets):
            self.postpone(c, octets[sent:])
        else:
            c.is_plain = c.can_be_plain

    def postpone(self, c: Connection, unsent: bytes) -> None:
        """Send the rest when the socket takes it."""
        c.be_careful()
        c.unsent = unsent
        self.poller.modify(c.fd, READABLE | WRITABLE)

    def cannot_send(self, c: Connection, error: OSError, octets: bytes) -> None:
        """Handle what `send` raised. A server that has closed may have answered before: reading tells."""
        c.be_careful()
        if isinstance(error, _NOT_YET):
            self.postpone(c, octets)
        else:
            c.closes = True

    def _go_on_writing(self, c: Connection) -> None:
        try:
            sent = c.send(c.unsent)
        except OSError as error:
            if not isinstance(error, _NOT_YET):
                c.unsent = b""
                c.closes = True
        else:
            c.unsent = c.unsent[sent:]
        if not c.unsent:
            self.poller.modify(c.fd, READABLE)

    # ---------------------------------------------------------------- reading

    def ready(self, c: Connection, events: int, now: int) -> None:
        """Do what a socket is ready for."""
        if c.phase != READY:
            self._go_on_connecting(c, now)
            return
        if events & WRITABLE and c.unsent:
            self._go_on_writing(c)
        if events & ~WRITABLE:
            try:
                octets = c.recv(RECEIVE)
            except OSError as error:
                self.cannot_read(c, error, clock_ns())
            else:
                self.take_in(c, octets, clock_ns())

    def cannot_read(self, c: Connection, error: OSError, now: int) -> None:
        """Handle what `recv` raised."""
        c.be_careful()
        if isinstance(error, _NOT_YET):
            return
        if c.expected is None:
            self._surprised(c, b"", now)
        else:
            self.fail(c, classify(error), f"{c.expected.label}: {_text_of(error)}", now)

    def take_in(self, c: Connection, octets: bytes, now: int) -> None:
        """Handle octets that came; none: the server has closed."""
        self.tally.octets_received += len(octets)
        c.be_careful()
        if c.expected is None:
            self._surprised(c, octets, now)
            return
        try:
            if not octets:
                c.reader.end()
                self._finish(c, b"", now)
            while octets:
                octets = self._next_reply(c, octets, now)
        except ReplyFault as fault:
            self.fail(c, fault.kind, str(fault), now)
            return
        if c.phase == READY and c.in_flight < self.options.pipeline:
            self.settle(c, now)

    def _next_reply(self, c: Connection, octets: bytes, now: int) -> bytes:
        """Take one reply, or the beginning of one, from octets; return what there still is to read."""
        expected, reader = c.expected, c.reader
        assert expected is not None  # noqa: S101  # for mypy: callers ask
        is_whole = not reader.has_begun
        usual = expected.usual if c.may_go_on else None
        # PERF: 0.1 us of a pipelined reply that is known; feeding it costs 2
        is_known = is_whole and usual is not None and octets.startswith(usual)
        rest = octets[len(usual or b"") :] if is_known else reader.feed(octets)
        if not c.first_ns and (is_known or reader.head is not None):
            c.first_ns = now
        if rest is None:
            return b""
        if rest and not c.later:
            raise ReplyFault("protocol", f"{expected.label}: octets after the end of the reply")
        if is_known:
            self._succeed(c, now)
            c.advance()
        else:
            self._finish(c, octets[: len(octets) - len(rest)] if is_whole else b"", now)
        return rest if c.phase == READY else b""

    def _finish(self, c: Connection, reply: bytes, now: int) -> None:
        """Judge a complete reply, given its octets where it came in one piece."""
        expected, head = c.expected, c.reader.head
        assert expected is not None  # noqa: S101  # for mypy: a reply is complete
        assert head is not None  # noqa: S101  # as above
        if c.jar is not None:
            for value in head.set_cookies:
                c.jar.store(value)
        fault = expected.fault(head.status, is_content_right=c.reader.is_content_right)
        if fault is not None:
            self.tally.error(*fault, c.due_ns or c.sent_ns, now)
        else:
            self._succeed(c, now)
            if reply and head.keeps and not (head.set_cookies and c.jar is not None):
                expected.remember(reply)
        c.advance()
        if head.keeps and (c.in_flight or not c.closes) and not c.unsent:
            return
        if c.in_flight:
            self.fail(
                c, "reset", f"{expected.label}: closed before the requests behind it were answered", now
            )
        else:
            self.reopen(c, now)

    def _succeed(self, c: Connection, now: int) -> None:
        self.tally.success(c.due_ns or c.sent_ns, c.sent_ns, c.first_ns or now, now)

    def _surprised(self, c: Connection, octets: bytes, now: int) -> None:
        """Handle what comes while no request is in flight."""
        if not octets and c.uses:  # kept long enough, says the server
            self.reopen(c, now)
            return
        # Told when it is used: a request must end in an error for it.
        c.has_spoken = bool(octets)
        if not c.is_unwatched:
            self.poller.unregister(c.fd)
            c.is_unwatched = True

    def fail(self, c: Connection, kind: str, text: str, now: int) -> None:
        """End a connection; all requests in flight on it have failed."""
        while c.expected is not None:
            self.tally.error(kind, text, c.due_ns or c.sent_ns, now)
            c.advance()
        self.reopen(c, now)

    def expire(self, now: int) -> None:
        """Fail what has taken longer than the timeout."""
        before = now - round(self.options.timeout_s * 1e9)
        for c in self.connections:
            if c.phase == READY:
                if c.expected is not None and c.sent_ns < before:
                    text = f"{c.expected.label}: no whole reply within {self.options.timeout_s:g} s"
                    self.fail(c, "timeout", text, now)
            elif c.phase != RESTING and c.opened_ns < before:
                text = f"not connected within {self.options.timeout_s:g} s"
                self.cannot_connect(c, TimeoutError(errno.ETIMEDOUT, text), now)


_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _text_of(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    return error.strerror or str(error)
