"""Accepting: as long as there is room, a batch at a time."""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING

from penstock.server.poller import IN

if TYPE_CHECKING:
    import asyncio

    from penstock.server.config import Config
    from penstock.server.reactor import Reactor
    from penstock.server.scoreboard import Entry

_log = logging.getLogger("penstock.server")

# Accepted in one turn, before connections that are open get theirs.
_BATCH = 64

# How long a worker leaves a connection to others that have fewer, before it takes it nevertheless.
_DEFERENCE_S = 0.001

# No descriptor or no memory for a further connection; it stays in the kernel's queue.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts from one socket for a reactor; pauses while descriptors or the connection limit are used up."""

    def __init__(
        self, reactor: Reactor, sock: socket.socket, config: Config, entry: Entry | None = None
    ) -> None:
        self._reactor = reactor
        self._sock = sock
        self._limit = config.connection_limit
        self._is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        self._is_paused = True
        self._is_stopped = False
        self._entry = entry
        """Among those of the workers that accept from the same socket."""
        self._deference: asyncio.TimerHandle | None = None
        self._has_deferred = False
        self.fd = sock.fileno()

    def start(self) -> None:
        self._is_paused = False
        self._reactor.poller.register(self.fd, IN)
        if self._entry is not None:
            self._entry.set_connections(len(self._reactor.connections))

    def on_ready(self, events: int) -> None:  # noqa: ARG002 - the poller's interface
        """Accept what waits, a batch at most."""
        if self._entry is None:
            self._accept_batch()
            return
        allowance = self._entry.allowance(len(self._reactor.connections))
        if allowance < 1 and not self._has_deferred:
            self._defer()
            return
        self._has_deferred = False
        self._accept_batch(min(_BATCH, max(1, allowance)))
        self._entry.set_connections(len(self._reactor.connections))

    def _defer(self) -> None:
        """Leave what waits to other workers for a moment."""
        self._reactor.poller.unregister(self.fd)
        self._deference = self._reactor.loop.call_later(_DEFERENCE_S, self._end_deference)

    def _end_deference(self) -> None:
        self._deference = None
        self._has_deferred = True
        self._reactor.poller.register(self.fd, IN)

    def _accept_batch(self, most: int = _BATCH) -> bool:
        """Return True when there may be more."""
        reactor = self._reactor
        for _ in range(most):
            if len(reactor.connections) >= self._limit:
                self._pause(f"{self._limit} connections are open")
                return False
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error.strerror)
                # Anything else is the fault of that connection: gone before it was accepted (accept(2)).
                return False
            try:
                sock.setblocking(False)
                if self._is_tcp:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                sock.close()
                continue
            reactor.add(sock, address)
        return True

    def _pause(self, reason: str | None) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._reactor.poller.unregister(self.fd)
            _log.warning("accepting pauses: %s", reason)

    def on_room(self) -> None:
        """A descriptor was freed, or a moment has passed: try again."""
        if self._entry is not None and not self._is_stopped:
            self._entry.set_connections(len(self._reactor.connections))
        if self._is_paused and not self._is_stopped and len(self._reactor.connections) < self._limit:
            self.start()

    def stop(self, *, takes_rest: bool = True) -> None:
        """Accept what the kernel has completed already, then close: nobody who connected is reset. Not when
        other processes are there to accept it.
        """
        if not self._is_stopped:
            while takes_rest and not self._is_paused and self._accept_batch():
                pass
            if self._deference is not None:
                self._deference.cancel()
            elif not self._is_paused:
                self._reactor.poller.unregister(self.fd)
            if self._entry is not None:
                self._entry.leave()
            self._is_stopped = self._is_paused = True
            self._reactor.drop_listener(self)
            self._sock.close()

    close = stop
