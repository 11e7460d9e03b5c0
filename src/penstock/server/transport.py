"""One connected socket as octets: sends, what could not be sent yet, which events are asked for, the close.

Who may write: the reactor's thread, or the one pool thread that holds the connection (`phase` is THREAD);
never both. A reply that thread holds back (`threads`) goes to whoever takes it out, it or the loop. Who may
close: the reactor's thread, and never while a pool thread holds the connection, because the number of a
closed descriptor comes back as another connection's. A send that takes only part leaves the rest in
`unsent`, and the poller says when to go on.
"""

from __future__ import annotations

import math
import socket
import struct
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from penstock.server.poller import IN, OUT

if TYPE_CHECKING:
    from penstock.server.reactor import Reactor

IDLE: Final = 0
"""Between requests."""
HEAD: Final = 1
"""A head has begun and is not complete."""
CONTENT: Final = 2
"""Content is being received for a handler that wants it whole."""
BUSY: Final = 3
"""A request is being answered on the loop: its Task waits, or a stream is under way."""
THREAD: Final = 4
"""A pool thread answers a request, and holds the write side."""
FLUSHING: Final = 5
"""The reply is complete, the client has not taken all of it."""
LINGER: Final = 6
"""The last reply is sent and our side shut; what still comes is discarded (RFC 9112 §9.6)."""
CLOSED: Final = 7

NEVER: Final = math.inf

# A reader this slow is no reader: each octet it takes earns it 1/240 s, up to the whole write deadline
# (Kestrel's rate).
WRITE_RATE_BYTES_PER_S = 240

# For SO_LINGER: what is not sent is dropped, and the client gets a reset.
_RESET = struct.pack("ii", 1, 0)

# Replies to pipelined requests are sent in batches of about this size.
_CORK_BYTES = 65_536


class Transport:
    """The octet side of a connection."""

    __slots__ = (
        "_address",
        "_corked_bytes",
        "_recv",
        "_send",
        "accepted_at",
        "closing",
        "corked",
        "deadline",
        "due",
        "fd",
        "is_doomed",
        "mask",
        "needs_reset",
        "peer_ended",
        "phase",
        "reactor",
        "requests",
        "sock",
        "unsent",
    )

    def __init__(self, reactor: Reactor, sock: socket.socket, address: object) -> None:
        self.reactor = reactor
        self.sock = sock
        self._address = address
        self.fd = sock.fileno()
        self.accepted_at = perf_counter_ns()
        self._recv = sock.recv
        self._send = sock.send
        self.phase: int = IDLE
        self.requests = 0
        """Begun on this connection so far; the publisher's thread reads it."""
        self.mask = IN
        """The events asked for."""
        self.unsent: memoryview | None = None
        self.corked: list[bytes] | None = None
        """Replies that leave together: to pipelined requests, or those of one turn of the reactor."""
        self._corked_bytes = 0
        self.deadline: float = NEVER
        """On the reactor's clock; what passing it means depends on the phase."""
        self.due: float = NEVER
        """When the handler under way is to have answered; NEVER where nobody set a limit, or none is."""
        self.closing = False
        """The connection ends after the reply under way."""
        self.peer_ended = False
        """The client has shut its side: no more octets come."""
        self.needs_reset = False
        """An orderly end of the connection would pass for the end of the content under way."""
        self.is_doomed = False
        """To be closed as soon as the thread that holds it lets go."""

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the peer; None where there is no such thing."""
        return self._address[:2] if isinstance(self._address, tuple) else None

    def describe_client(self) -> str:
        client = self.client
        return f"{client[0]}:{client[1]}" if client is not None else "a client"

    def watch(self, mask: int) -> None:
        """Ask for these events from now on."""
        if mask != self.mask and self.phase != CLOSED and not self.is_doomed:
            self.mask = mask
            self.reactor.poller.modify(self.fd, mask)

    def write(self, octets: bytes) -> None:
        """Send as much as the client takes now and keep the rest. Reactor's thread only."""
        if self.phase == CLOSED:
            return
        if self.unsent is not None:
            self.unsent = memoryview(bytes(self.unsent) + octets)
            return
        try:
            sent = self._send(octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        if sent != len(octets):
            self.block(memoryview(octets)[sent:])

    def cork(self, octets: bytes) -> None:
        """Keep a reply, to be sent with those that follow at once, or with those of the other connections."""
        if self.corked is None:
            self.corked = []
            self._corked_bytes = 0
            if self.reactor.is_holding:
                self.reactor.held.append(self)
        self.corked.append(octets)
        self._corked_bytes += len(octets)
        if self._corked_bytes >= _CORK_BYTES:
            self.uncork()

    def uncork(self) -> None:
        """Send what is corked."""
        if self.corked is not None:
            octets = b"".join(self.corked)
            self.corked = None
            self.write(octets)
            if self.unsent is not None and self.phase <= HEAD:  # a head goes on when that is read
                self.phase = FLUSHING

    def send(self, octets: bytes) -> memoryview | None:
        """Send from the thread that holds the connection; return what the client did not take, or None.
        OSError when it left.
        """
        if not octets:
            return None
        try:
            sent = self._send(octets)
        except BlockingIOError:
            sent = 0
        return memoryview(octets)[sent:] if sent != len(octets) else None

    def block(self, rest: memoryview) -> None:
        """Keep what the client has not taken, and wait until it takes more."""
        self.unsent = rest
        self.deadline = self.reactor.now + self.reactor.config.write_timeout_s
        self.watch(self.mask | OUT)

    def flush(self) -> None:
        """The client takes octets again."""
        rest = self.unsent
        if rest:
            try:
                sent = self._send(rest)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            if sent != len(rest):
                self.unsent = rest[sent:]
                latest = self.reactor.now + self.reactor.config.write_timeout_s
                self.deadline = min(latest, self.deadline + sent / WRITE_RATE_BYTES_PER_S)
                return
        if rest is not None:
            self.unsent = None
            self.deadline = self.due
            self.on_flushed()
        if self.unsent is None:  # nothing more has come to wait for the client
            self.watch(self.mask & ~OUT)

    def end(self) -> None:
        """Everything is sent: shut our side, then read until the client has shut its own, so that no reset
        destroys the reply.
        """
        self.needs_reset = False
        linger_s = self.reactor.config.linger_timeout_s
        if self.peer_ended or not linger_s:
            self.close()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.phase = LINGER
        self.deadline = self.reactor.now + linger_s
        self.watch(IN)

    def close(self) -> None:
        """Close now, whatever was under way; a thread that holds the connection keeps the descriptor until it
        lets go.
        """
        if self.phase == CLOSED:
            return
        if self.phase == THREAD:
            self._doom()
            return
        was_doomed, self.phase = self.is_doomed, CLOSED
        self.unsent = None
        if not was_doomed:
            self.reactor.poller.unregister(self.fd)
        self.reactor.forget(self)
        if self.needs_reset:
            try:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                pass  # it has been reset already
        self.sock.close()
        self.on_closed()

    def _doom(self) -> None:
        if not self.is_doomed:
            self.is_doomed = self.closing = self.peer_ended = True
            self.deadline = self.due
            self.reactor.poller.unregister(self.fd)
            try:
                self.sock.shutdown(socket.SHUT_RD if self.needs_reset else socket.SHUT_RDWR)
            except OSError:
                pass
            self.on_doomed()
            if self.phase == IDLE:  # the thread let go between our look and the flags it looks at
                self.close()

    def on_flushed(self) -> None:
        """Called when everything kept is sent."""
        raise NotImplementedError

    def on_doomed(self) -> None:
        """Called when a thread still holds a connection that is to be closed."""
        raise NotImplementedError

    def on_closed(self) -> None:
        """Called once, after the socket is closed."""
        raise NotImplementedError
