"""Accepting: as long as there is room, a batch at a time."""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING

from penstock.server.poller import IN

if TYPE_CHECKING:
    from penstock.server.config import Config
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

# Accepted in one turn, before connections that are open get theirs.
_BATCH = 64

# No descriptor or no memory for a further connection; it stays in the kernel's queue.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts from one socket for a reactor; pauses while descriptors or the connection limit are used up."""

    def __init__(self, reactor: Reactor, sock: socket.socket, config: Config) -> None:
        self._reactor = reactor
        self._sock = sock
        self._limit = config.connection_limit
        self._is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        self._is_paused = True
        self._is_stopped = False
        self.fd = sock.fileno()

    def start(self) -> None:
        self._is_paused = False
        self._reactor.poller.register(self.fd, IN)

    def on_ready(self, events: int) -> None:  # noqa: ARG002 - the poller's interface
        """Accept what waits, a batch at most."""
        self._accept_batch()

    def _accept_batch(self) -> bool:
        """Return True when there may be more."""
        reactor = self._reactor
        for _ in range(_BATCH):
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
        if self._is_paused and not self._is_stopped and len(self._reactor.connections) < self._limit:
            self.start()

    def stop(self) -> None:
        """Accept what the kernel has completed already, then close: nobody who connected is reset."""
        if not self._is_stopped:
            while not self._is_paused and self._accept_batch():
                pass
            if not self._is_paused:
                self._reactor.poller.unregister(self.fd)
            self._is_stopped = self._is_paused = True
            self._reactor.drop_listener(self)
            self._sock.close()

    close = stop
