"""One connection as requests and replies.

The path to read aloud: `on_ready` receives; `_advance` has the reader make requests of the octets; `_answer`
resolves each to its endpoint; `_call` runs it where it wants to run; `reply` renders the response and sends
it. A request that waits, for content, a Task, a thread or the client, leaves `phase` other than IDLE and the
loop goes on with other connections; what it waited for calls `reply`, and `resume` takes up the octets that
came meanwhile. Replies leave in the order of requests because the next request is not begun before the last
is answered.
"""

from __future__ import annotations

import logging
import os
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from penstock.errors import RemoteProtocolError
from penstock.http.current import current
from penstock.http.problem import problem
from penstock.http.redaction import redactor
from penstock.observe.metrics.memory import BEGUN
from penstock.server.answering import Answering
from penstock.server.intake import RECEIVE_BYTES
from penstock.server.poller import IN, OUT
from penstock.server.transport import BUSY, CLOSED, CONTENT, FLUSHING, HEAD, IDLE, LINGER, NEVER, THREAD

if TYPE_CHECKING:
    import asyncio
    import socket

    from penstock.http.request import Request
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")


class Connection(Answering):
    """Reads requests, has them answered, and ends. Reactor's thread only."""

    __slots__ = ("_local",)

    def __init__(self, reactor: Reactor, sock: socket.socket, address: Any) -> None:
        super().__init__(reactor, sock, address)
        self.deadline = reactor.now + reactor.config.head_timeout_s
        self._local: tuple[str, int | None] | None = None

    # What a request may know of its connection.

    @property
    def scheme(self) -> str:
        return "http"

    client_certificate: dict[str, Any] | None = None
    tls_version = ""

    @property
    def local(self) -> tuple[str, int | None]:
        """Where the client connected to; a path and None for a Unix socket."""
        if self._local is None:
            name = self.sock.getsockname()
            self._local = name[:2] if isinstance(name, tuple) else (os.fsdecode(name), None)
        return self._local

    @property
    def server(self) -> Any:
        return self.reactor.server

    # Receiving.

    def on_ready(self, events: int) -> None:
        """The poller has something: receive, and answer every request that is complete."""
        if events != IN:
            if events & OUT:
                self.flush()
            if self.phase == CLOSED or not events & ~OUT:
                return
        try:
            data = self._recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:  # a reset: nobody reads a reply
            self._on_end_of_input(was_reset=True)
            return
        if not data:
            self._on_end_of_input()
        elif self.phase <= HEAD:
            self._advance(data)
        elif self.phase == CONTENT:
            self._receive_content(data)
            self.resume()
        elif self.phase != LINGER:
            self._read_ahead(data)

    def _advance(self, data: bytes) -> None:
        """Read and answer requests until octets run out, or one has to wait."""
        reader = self.reader
        try:
            request = reader.next_request(data)
            while request is not None:
                self._answer(request)
                if self.phase != IDLE or not reader.held:
                    break
                request = reader.next_request()
        except RemoteProtocolError as fault:
            self._refuse(fault)
            return
        if self.corked is not None and (
            self.phase == CONTENT or (self.phase == IDLE and (reader.held or not self.reactor.is_holding))
        ):
            self.uncork()
        if request is None and self.phase == IDLE and reader.in_head:
            self.phase = HEAD
            self.began = perf_counter_ns()
            self.deadline = self.reactor.now + self.reactor.config.head_timeout_s

    def _answer(self, request: Request) -> None:
        """Have one request answered where its endpoint wants to run; it need not be done on return, `phase`
        tells.
        """
        reactor = self.reactor
        self.phase = IDLE
        self.requests += 1
        self.request = request
        request.connection = self
        current.set(request)
        if reactor.note is not None:
            self.started = perf_counter_ns()
            reactor.begun[BEGUN] += 1
        endpoint = self.endpoint = reactor.resolve(request)
        framing = request.framing
        if (framing.content_length or framing.chunked or endpoint.streams_body) and not self._prepare_content(
            request, endpoint
        ):
            return
        self._call(request, endpoint)

    def _on_end_of_input(self, *, was_reset: bool = False) -> None:
        was_reset = was_reset or self.peer_ended  # told twice: a hang-up
        self.peer_ended = True
        phase = self.phase  # looked at once: a thread may let go at any time
        if phase == IDLE and self.reader.held and not was_reset:
            self.watch(self.mask & ~IN)  # told again, it would pass for a hang-up
            self.resume()  # a thread has just let go
            return
        if phase in (IDLE, LINGER, CLOSED) or (was_reset and phase in (HEAD, CONTENT, FLUSHING)):
            self.close()
            return
        if phase in (HEAD, CONTENT):
            self._refuse_end()
            return
        # A request is being answered. The client may have shut only its own side, so a complete reply is
        # still sent, and those to the requests that came before the end.
        if not self.reader.held:
            self.closing = True
        if self.body is not None and self.reader.in_content:
            self._cut_body()
        self._tell_disconnect()
        if self.stream is not None:
            self.stream.disconnect()
        elif self.task is not None and self.endpoint is not None and self.endpoint.cancel_on_disconnect:
            self.task.cancel()
        if was_reset:
            self.close()
        else:
            self.watch(self.mask & ~IN)
            self.resume()

    def _refuse_end(self) -> None:
        """No more octets come, and what came is no complete request."""
        try:
            self.reader.end_of_input()
        except RemoteProtocolError as fault:
            self._refuse(fault)
        else:
            self.close()

    def _advance_to_end(self) -> None:
        """Answer what came before the client shut its side."""
        self._advance(b"")
        if self.phase in (HEAD, CONTENT):
            self._refuse_end()
        elif self.phase == IDLE and not self.reader.held:  # held: a thread has let go since, and resumes
            self.end()

    def on_flushed(self) -> None:
        if self.phase == FLUSHING:
            waiting = self.reactor.when_flushed.pop(self, None)
            if waiting is not None:
                waiting()
                self.resume()
                return
            self.note_end()
            self._finish()
            self.resume()
            if self.phase == IDLE and self.reader.in_head:
                self._advance(b"")
            return
        if self.phase == CONTENT and self._content is not None:
            self.deadline = self._content.deadline(self.reactor.config)
        elif self.body is not None:
            self.deadline = self._next_deadline()
        if self.stream is not None:
            self.stream.on_flushed()

    def resume(self) -> None:
        """Go on after a reply: with octets that came meanwhile, or with the end of the connection."""
        if self.phase != IDLE:
            return
        if self.is_doomed:
            self.close()
        elif self.closing and (self.peer_ended or not self.reactor.is_retiring):
            self.end()
        elif self.peer_ended:
            self._advance_to_end()
        else:
            if self.closing:  # to others, but its reply did not say so: it may bring one more request
                self.deadline = self.reactor.now + self.reactor.idle_timeout_s
            self.watch(self.mask | IN)
            if self.reader.held:
                self._advance(b"")

    # Faults, deadlines, the end.

    def _refuse(self, fault: RemoteProtocolError) -> None:
        """Answer a fault of the client: one reply, one log line, the end."""
        self._log_fault(fault)
        request = self.request if self.phase == CONTENT else None
        self.closing = True
        self._content = None
        self.phase = BUSY
        response = problem(fault.status, detail=redactor().text(fault.detail))
        octets = self.reactor.serialiser.render(request, response, False)
        if request is not None:
            self.note(request, response, len(octets))
        self.cork(octets)
        self._finish()

    def on_deadline(self) -> None:
        """`deadline` has passed."""
        phase, config = self.phase, self.reactor.config
        if self.deadline > self.reactor.now:  # a thread has let go since
            return
        if self.due <= self.reactor.now:
            self.answer_overdue()
            return
        if phase == THREAD and self.body is None:  # about to let go
            return
        self.deadline = NEVER
        if self.unsent is not None:
            _log.info(
                "%s: cut off, it did not read its reply within %g s",
                self.describe_client(),
                config.write_timeout_s,
            )
            self.close()
        elif phase == HEAD:
            self._refuse(RemoteProtocolError(408, f"no complete head within {config.head_timeout_s:g} s"))
        elif phase == CONTENT:
            self._refuse(RemoteProtocolError(408, "the content came too slowly"))
        elif phase in (IDLE, LINGER):
            self.close()
        elif self.body is not None and self.reader.in_content:
            self._fail_body(self.body, RemoteProtocolError(408, "the content came too slowly"))

    def drain(self, patience_s: float) -> None:
        """The server stops: no request after the one under way; with patience, one more if none is."""
        if patience_s:
            # Not where the head of a reply is sent that promised to go on.
            if self.phase == CONTENT or (self.phase in (BUSY, THREAD) and self.stream is None):
                self.closing = True
            elif self.phase == IDLE:
                self.deadline = min(self.deadline, self.reactor.now + patience_s)
            return
        self.closing = True
        if self.phase == IDLE:
            self.on_ready(IN)  # a request that is already here is still answered
        if self.phase == IDLE:
            self.close()

    def abort(self) -> asyncio.Future[Any] | None:
        """The drain deadline has passed: close; return the Task that is to be cancelled."""
        task, self.task = self.task, None
        if self.stream is not None:
            task = self.stream.task
            self.stream.cut()
        self.close()
        return task

    def on_doomed(self) -> None:
        self._tell_disconnect()
        if self.body is not None:
            self.body.disconnect()
        if self.stream is not None:
            self.stream.disconnect()

    def on_closed(self) -> None:
        self.corked = None
        self.reactor.when_flushed.pop(self, None)
        self.note_end()
        self.on_doomed()
        self.settle()
        if self.task is not None and self.endpoint is not None and self.endpoint.cancel_on_disconnect:
            self.task.cancel()
        elif self.task is not None and self.due < NEVER:  # it goes on, but not without end
            self.reactor.loop.call_later(self.due - self.reactor.now, self.answer_overdue)
