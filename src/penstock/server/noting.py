"""The times of a request, and that it is noted once: as its last octet leaves, or as its client does.

Times are those of `perf_counter_ns`; 0 is what did not happen to this request. Absent on purpose: what
becomes of them (`notes`).
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from penstock.server.intake import Intake
from penstock.server.notes import GIVEN_UP

if TYPE_CHECKING:
    import socket

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.reactor import Reactor
    from penstock.server.streams import Stream


class Noting(Intake):
    """Notes the requests of one connection."""

    __slots__ = ("answered_at", "began", "handler_at", "started", "stream", "unnoted")

    def __init__(self, reactor: Reactor, sock: socket.socket, address: Any) -> None:
        super().__init__(reactor, sock, address)
        self.stream: Stream | None = None
        """The streaming response under way."""
        self.started = 0
        """When the head of the request was complete; 0: nobody wants to know, or it has been noted."""
        self.began = 0
        """When the first octets came of a head that came in pieces."""
        self.handler_at = 0
        """When a pool thread took it."""
        self.answered_at = 0
        """When there was a response that could not be sent at once."""
        self.unnoted: tuple[Request, Endpoint | None, Response, int] | None = None
        """Of a reply that the client has yet to take: what is noted then."""

    def note(self, request: Request, response: Response, sent: int) -> None:
        """The reply is over, or will be once the client has taken what is left of it. Reactor's thread."""
        if not self.started or self.reactor.note is None:
            return
        if self.unsent is None:
            self.reactor.note(self, request, self.endpoint, response, sent)
        else:
            self.note_later(request, self.endpoint, response, sent)

    def note_later(self, request: Request, endpoint: Endpoint | None, response: Response, sent: int) -> None:
        """There is a response, and the client has yet to take it."""
        if self.started:
            self.answered_at = self.answered_at or perf_counter_ns()
            self.unnoted = (request, endpoint, response, sent)

    def note_end(self) -> None:
        """The client has taken the reply, or has left. Reactor's thread."""
        note, unnoted, request = self.reactor.note, self.unnoted, self.request
        self.unnoted = None
        if note is None or not self.started:
            return
        if unnoted is not None:
            note(self, *unnoted)
        elif request is not None:
            response, sent = (GIVEN_UP, 0) if self.stream is None else self.stream.so_far()
            note(self, request, self.endpoint, response, sent)

    def forget_times(self) -> None:
        """They were noted, or nobody wants to know: the next request has its own."""
        self.started = self.began = self.content_at = self.handler_at = self.answered_at = 0
