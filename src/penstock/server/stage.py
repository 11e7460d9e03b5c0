"""What a connection can be before it speaks HTTP: a PROXY protocol header awaited, a TLS handshake under way.

A stage has the descriptor, a deadline and a place among the connections, so it counts against their limit; at
its end it hands all of them to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.server.transport import HEAD, Transport

if TYPE_CHECKING:
    import asyncio
    import socket

    from penstock.server.reactor import Reactor

_DISCARD_BYTES = 65_536


class Stage(Transport):
    """A connection that is not yet one of HTTP. Reactor's thread only."""

    __slots__ = ()

    request = endpoint = task = stream = body = unnoted = None

    def __init__(self, reactor: Reactor, sock: socket.socket, address: object) -> None:
        super().__init__(reactor, sock, address)
        self.phase = HEAD

    def on_ready(self, events: int) -> None:
        raise NotImplementedError

    def on_deadline(self) -> None:
        raise NotImplementedError

    def become(self, successor: Any) -> None:
        """Hand everything on; this object is nothing from here on."""
        self.reactor.replace(self, successor)

    def discard(self) -> None:
        """Throw away what still comes after the last reply."""
        try:
            if self._recv(_DISCARD_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()

    def drain(self, patience_s: float = 0.0) -> None:
        """The server stops: with patience the connection gets its one request."""
        if not patience_s:
            self.close()

    def abort(self) -> asyncio.Task[Any] | None:
        """The drain deadline has passed."""
        self.close()
        return None

    def on_flushed(self) -> None:
        pass

    def on_doomed(self) -> None:
        pass

    def on_closed(self) -> None:
        pass
