"""The server behind `trouble`: one thread, raw sockets, a heap of timers.

A reply leaves within 0.2 ms of when it is due, where a core is free: epoll waits in whole milliseconds, so
while a timer runs it is waited for with select, on the epoll's own descriptor. Requests on one connection are
answered one after the other. What it reads is trusted to be HTTP/1.1 by a client under test; it is no server
for anybody else.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import time
from contextlib import suppress
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.targets.behaviour import KINDS, Behaviour, Kind, compose_reply
from http_benchmark.targets.trouble_request import read_request

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCEPTED_AT_ONCE: Final = 64
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER for no time: close() sends RST
_WAKE_NS: Final = 80_000  # the kernel wakes us so late; as long before a timer we stay awake
_NONE: Final = b""


class Connection:
    """A client's."""

    __slots__ = (
        "ends",
        "fd",
        "inbox",
        "is_busy",
        "is_new",
        "is_open",
        "outbox",
        "secures",
        "since_ns",
        "sock",
    )

    def __init__(self, sock: socket.socket, *, secures: bool) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.inbox = bytearray()
        self.outbox = _NONE
        self.is_open = True
        self.is_busy = False
        """A request is being answered."""
        self.is_new = True
        """No request has come yet."""
        self.ends = False
        """After what is in the outbox."""
        self.secures = secures
        """The TLS handshake is not done."""
        self.since_ns = 0
        """When the request came that is being answered; 0: none that counts."""


class TroubleServer:
    """Serves for ever."""

    def __init__(
        self, listener: socket.socket, behaviour: Behaviour, context: ssl.SSLContext | None = None
    ) -> None:
        self._listener = listener
        self._behaviour = behaviour
        self._context = context
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._timers: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._timers_made = 0
        self._made: dict[tuple[Kind, bool, bool], bytes] = {}
        self.counts: dict[str, int] = dict.fromkeys(
            ("connections", "requests", "abandoned", "in_flight_ns", "paused_ns", *KINDS), 0
        )
        listener.setblocking(False)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until the process ends."""
        with suppress(OSError):  # Linux: how late a timer of ours may be, 50 us otherwise
            Path("/proc/self/timerslack_ns").write_text("1", "ascii")
        accepting = self._listener.fileno()
        while True:
            for fd, events in self._wait():
                if fd == accepting:
                    self._accept()
                elif (connection := self._connections.get(fd)) is not None:
                    self._on_ready(connection, events)
            while self._timers and self._timers[0][0] <= time.perf_counter_ns():
                _, _, call, arguments = heappop(self._timers)
                call(*arguments)

    def _wait(self) -> list[tuple[int, int]]:
        if not self._timers:
            return self._epoll.poll()
        left_ns = self._timers[0][0] - time.perf_counter_ns()
        select.select([self._epoll], [], [], max(left_ns - _WAKE_NS, 0) / 1e9)
        return self._epoll.poll(0)

    def _after(self, due_ns: int, call: Callable[..., None], *arguments: object) -> None:
        self._timers_made += 1
        heappush(self._timers, (due_ns, self._timers_made, call, arguments))

    # ------------------------------------------------------------------------------------------- connections
    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            connection = Connection(sock, secures=self._context is not None)
            self._connections[connection.fd] = connection
            self.counts["connections"] += 1
            if self._behaviour.accept_delay_s:
                due_ns = time.perf_counter_ns() + int(self._behaviour.accept_delay_s * 1e9)
                self._after(due_ns, self._begin, connection)
            else:
                self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        self._epoll.register(connection.fd, select.EPOLLIN)

    def _on_ready(self, connection: Connection, events: int) -> None:
        try:
            if connection.secures:
                connection.sock.do_handshake()  # type: ignore[attr-defined]  # it is an SSLSocket
                connection.secures = False
            if events & select.EPOLLOUT:
                self._send(connection, _NONE)
            if connection.is_open and not self._receive(connection):
                self._close(connection)
                return
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self._close(connection)
            return
        self._answer_next(connection)

    def _receive(self, connection: Connection) -> bool:
        """Take in what is there; False at the end."""
        while True:
            try:
                octets = connection.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return True
            if not octets:
                return False
            connection.inbox += octets
            if self._context is None and len(octets) < 65536:
                return True

    def _close(self, connection: Connection, *, resets: bool = False) -> None:
        if not connection.is_open:
            return
        connection.is_open = False
        del self._connections[connection.fd]
        if connection.since_ns:
            self.counts["abandoned"] += 1
        if resets:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif isinstance(connection.sock, ssl.SSLSocket) and not connection.secures:
            try:
                connection.sock.unwrap()  # sends close_notify, and waits for nothing
            except OSError:
                pass
        connection.sock.close()

    # ---------------------------------------------------------------------------------------------- requests
    def _answer_next(self, connection: Connection) -> None:
        """Begin to answer what has come, as long as nothing before it is being answered."""
        while connection.is_open and not connection.is_busy and not connection.ends:
            request = read_request(connection.inbox)
            if request is None:
                return
            if request.wants_continue:
                self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
                continue
            connection.ends = not request.is_persistent
            if request.target == b"/counts":
                self._tell_counts(connection)
            else:
                self._count(connection, is_head=request.method == b"HEAD")

    def _tell_counts(self, connection: Connection) -> None:
        """Not counted, nor the connection it came on."""
        if connection.is_new:
            connection.is_new = False
            self.counts["connections"] -= 1
        content = json.dumps(self.counts).encode()
        self._send(connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    def _count(self, connection: Connection, *, is_head: bool) -> None:
        behaviour, now_ns = self._behaviour, time.perf_counter_ns()
        self.counts["requests"] += 1
        number = self.counts["requests"]
        if number == 1 and behaviour.pause_s:
            self._after(now_ns + int(behaviour.pause_at_s * 1e9), self._pause)
        connection.is_new = False
        connection.is_busy = True
        connection.since_ns = now_ns
        if behaviour.is_silent:
            return
        kind = behaviour.kind_of(number)
        if delay_s := behaviour.delay_of(kind):
            self._after(now_ns + round(delay_s * 1e9), self._reply, connection, kind, is_head)
        else:
            self._reply(connection, kind, is_head=is_head)

    def _pause(self) -> None:
        started_ns = time.perf_counter_ns()
        time.sleep(self._behaviour.pause_s)
        self.counts["paused_ns"] += time.perf_counter_ns() - started_ns

    # ----------------------------------------------------------------------------------------------- replies
    def _reply(self, connection: Connection, kind: Kind, is_head: bool) -> None:  # noqa: FBT001 - of a timer
        if not connection.is_open:
            return
        self.counts[kind] += 1
        if kind == "reset":
            self._finish(connection)
            self._close(connection, resets=True)
            return
        which = (kind, is_head, connection.ends)
        octets = self._made.get(which)
        if octets is None:
            octets = compose_reply(self._behaviour, kind, is_head=is_head, closes=connection.ends)
            self._made[which] = octets
        if kind in ("short", "closed") or self._behaviour.framing == "close":
            connection.ends = True
        if self._behaviour.head_octet_s:
            self._send_slowly(connection, octets, 0, octets.index(b"\r\n\r\n") + 3)
            return
        self._finish(connection)
        self._send(connection, octets)
        # A reply that was waited for: what came behind its request is there already.
        if connection.inbox and self._behaviour.delay_s:
            self._answer_next(connection)

    def _send_slowly(self, connection: Connection, octets: bytes, at: int, whole_from: int) -> None:
        if not connection.is_open:
            return
        if at < whole_from:
            self._send(connection, octets[at : at + 1], is_part=True)
            due_ns = time.perf_counter_ns() + int(self._behaviour.head_octet_s * 1e9)
            self._after(due_ns, self._send_slowly, connection, octets, at + 1, whole_from)
            return
        self._finish(connection)
        self._send(connection, octets[at:])
        self._answer_next(connection)

    def _finish(self, connection: Connection) -> None:
        self.counts["in_flight_ns"] += time.perf_counter_ns() - connection.since_ns
        connection.since_ns = 0
        connection.is_busy = False

    def _send(self, connection: Connection, octets: bytes, *, is_part: bool = False) -> None:
        waiting = connection.outbox + octets if connection.outbox else octets
        try:
            sent = connection.sock.send(waiting) if waiting else 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            self._close(connection)
            return
        rest = waiting[sent:]
        if bool(rest) != bool(connection.outbox):
            wanted = select.EPOLLIN | select.EPOLLOUT if rest else select.EPOLLIN
            self._epoll.modify(connection.fd, wanted)
        connection.outbox = rest
        if connection.ends and not rest and not is_part and not connection.is_busy:
            self._close(connection)
