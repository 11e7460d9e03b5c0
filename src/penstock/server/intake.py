"""The receiving side of a connection: requests out of octets, and their content.

Content is collected whole before the handler is called, or fed to the handler's stream as it comes. What a
client sends ahead, while a request is being answered, is held up to a bound; beyond it the socket is not
read, and the client waits.
"""

from __future__ import annotations

import logging
from time import perf_counter_ns
from typing import TYPE_CHECKING

from penstock.errors import HTTPError, RemoteProtocolError
from penstock.http.current import current
from penstock.observe.metrics.server_metrics import parse_errors
from penstock.server.content import Collected, ConnectionBody
from penstock.server.fault_kinds import kind_of
from penstock.server.poller import IN
from penstock.server.transport import CLOSED, CONTENT, IDLE, Transport
from penstock.wire.reader import RequestReader
from penstock.wire.serialise import CONTINUE

if TYPE_CHECKING:
    import socket

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

RECEIVE_BYTES = 65_536
"""Received at once; more only by a handler that waits for content."""
_MORE_BYTES = 196_608


class Intake(Transport):
    """Receives for one connection; `Connection` answers. Reactor's thread only."""

    __slots__ = ("_content", "body", "content_at", "endpoint", "reader", "request")

    def __init__(self, reactor: Reactor, sock: socket.socket, address: object) -> None:
        super().__init__(reactor, sock, address)
        self.reader = RequestReader(reactor.limits, reactor.methods)
        self.request: Request | None = None
        """The request being received or answered."""
        self.endpoint: Endpoint | None = None
        self.body: ConnectionBody | None = None
        """Its content, when the handler takes it as a stream."""
        self._content: Collected | None = None
        self.content_at = 0
        """When the content was complete that the handler waited for; as `Answering.started`."""

    def _prepare_content(self, request: Request, endpoint: Endpoint) -> bool:
        """Begin to receive content; False when the handler is called later, with all of it."""
        if endpoint.body_limit is not None:
            self.reader.content_limit_bytes = endpoint.body_limit
        if endpoint.streams_body:
            self.body = request.stream = ConnectionBody(self)
            self._feed_body(b"")
            if self.peer_ended and self.reader.in_content:
                self._cut_body()
            return True
        self.phase = CONTENT
        self._content = Collected(self.reactor.now)
        self._receive_content(b"")
        return False

    def _receive_content(self, data: bytes) -> None:
        """Collect; at the end call the handler."""
        content, request = self._content, self.request
        assert content is not None and request is not None  # noqa: S101, PT018 - phase is CONTENT
        try:
            while (piece := self.reader.next_content(data)) is not None:
                data = b""
                if not piece:
                    break
                content.add(piece)
        except RemoteProtocolError as fault:
            self._refuse(fault)
            return
        if piece is None:
            if (
                request.framing.expects_continue
                and not content.pieces
                and not self.reader.buffered
                and not data
            ):
                self.uncork()
                self.write(CONTINUE)
            if self.phase == CONTENT and self.unsent is None:
                self.deadline = content.deadline(self.reactor.config)
            return
        self._content = None
        request.body = b"".join(content.pieces)
        request.trailers = self.reader.trailers
        self.content_at = perf_counter_ns()
        self.phase = IDLE
        assert self.endpoint is not None  # noqa: S101
        current.set(request)  # others came between
        self._call(request, self.endpoint)

    def _feed_body(self, data: bytes) -> None:
        """Hand content on to the handler's stream, as far as octets go and the handler keeps up."""
        body = self.body
        assert body is not None  # noqa: S101 - the caller looked
        try:
            while self.reader.in_content and (piece := self.reader.next_content(data)) is not None:
                data = b""
                body.feed(piece)
                if not piece:
                    break
            else:
                if not self.reader.in_content:
                    body.feed(b"")
        except RemoteProtocolError as fault:
            self._fail_body(body, fault)
            return
        if not self.reader.in_content and self.request is not None:
            self.request.trailers = self.reader.trailers
        self.watch(self.mask & ~IN if body.is_full or self.peer_ended else self.mask | IN)

    def _fail_body(self, body: ConnectionBody, fault: RemoteProtocolError) -> None:
        """Tell the handler, and take no more of this client's octets."""
        self.closing = True
        self._log_fault(fault)
        body.fail(HTTPError(fault.status, fault.detail))  # unhandled, it becomes the reply
        if self.unsent is None:
            self.deadline = self._next_deadline()
        self.watch(self.mask & ~IN)

    def _cut_body(self) -> None:
        """The client has left in the middle of the content."""
        assert self.body is not None  # noqa: S101 - the caller looked
        self.closing = True
        self._log_fault(RemoteProtocolError(400, "the connection ended in the middle of the content"))
        self.body.disconnect()

    def want_content(self, body: ConnectionBody) -> None:
        """The handler waits for content, or has room for more of it."""
        request = self.request
        if request is None or body is not self.body or self.phase == CLOSED:
            return
        if (
            request.framing.expects_continue
            and self.reader.in_content
            and not self.reader.buffered
            and not body.is_started
        ):
            self.uncork()
            self.write(CONTINUE)
        body.is_started = True
        body.begin_wait()
        if not self.peer_ended and not self.is_doomed and not body.is_failed:
            self.watch(self.mask | IN)
        if self.reader.in_content and self.unsent is None:
            self.deadline = self._next_deadline()

    def _next_deadline(self) -> float:
        """While a handler is at work: its own, or that of the client it waits for."""
        body = self.body
        if body is None or not self.reader.in_content or not body.is_waiting:
            return self.due
        return body.deadline(self.reactor.config)

    def _read_ahead(self, data: bytes) -> None:
        """Octets while a request is being answered: its content, or requests to come."""
        if self.body is not None and self.reader.in_content:
            more = b""
            if len(data) == RECEIVE_BYTES and self.body.is_waiting:
                more = self._receive_more()
            self._feed_body(data)
            if more and self.phase != CLOSED:
                if self.body is not None and self.reader.in_content:
                    self._feed_body(more)
                else:
                    self.reader.hold(more)
            if self.body is not None and not self.reader.in_content:
                self.content_at = perf_counter_ns()
            if self.body is not None and self.unsent is None:
                self.deadline = self._next_deadline()
        elif not self.closing or self.reactor.is_retiring:  # after the last request nothing counts
            self.reader.hold(data)
            if self.reader.buffered >= self.reactor.config.pipeline_buffer_bytes and self.phase != IDLE:
                self.watch(self.mask & ~IN)
        self.resume()  # the thread may have finished between the poll and now

    def _receive_more(self) -> bytes:
        """Receive what else is there of content that a handler waits for.

        PERF: a turn of the loop for 256 KiB instead of 64: 10 MB cost 9.5 ms of CPU time instead of 16.
        """
        try:
            return self._recv(_MORE_BYTES)
        except OSError:  # nothing, or a reset, which the next event tells
            return b""

    def _log_fault(self, fault: RemoteProtocolError) -> None:
        current.set(self.request)
        _log.info("%s: refused, %s", self.describe_client(), fault)
        if self.reactor.is_counted:
            parse_errors.inc(kind=kind_of(fault))

    def _call(self, request: Request, endpoint: Endpoint) -> None:
        raise NotImplementedError

    def _refuse(self, fault: RemoteProtocolError) -> None:
        raise NotImplementedError

    def on_ready(self, events: int) -> None:
        raise NotImplementedError

    def _advance(self, data: bytes) -> None:
        raise NotImplementedError

    def resume(self) -> None:
        raise NotImplementedError
