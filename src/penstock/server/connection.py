"""One connection as requests and replies.

The path to read aloud: `on_ready` receives; `_advance` has the reader make requests of the octets; `_answer`
resolves each to its endpoint; `_call` runs it where it wants to run; `reply` renders the response and sends
it. A request that waits, for content, a Task, a thread or the client, leaves `phase` other than IDLE and the
loop goes on with other connections; what it waited for calls `reply`, and `resume` takes up the octets that
came meanwhile. Replies leave in the order of requests because the next request is not begun before the last
is answered.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, HTTPError, LocalProtocolError, RemoteProtocolError
from penstock.http.handler import INLINE, TASK, Endpoint
from penstock.http.problem import problem
from penstock.http.response import Response
from penstock.server.intake import Intake
from penstock.server.poller import IN, OUT
from penstock.server.streams import abandon, start_stream
from penstock.server.transport import BUSY, CLOSED, CONTENT, FLUSHING, HEAD, IDLE, LINGER, NEVER, THREAD
from penstock.wire.serialise import closes

if TYPE_CHECKING:
    import socket
    from contextvars import Context

    from penstock.http.request import Request
    from penstock.server.reactor import Reactor
    from penstock.server.streams import Stream

_log = logging.getLogger("penstock.server")

_RECEIVE_BYTES = 65_536


class Connection(Intake):
    """Reads requests, has them answered, writes replies. Everything here runs in the reactor's thread, but
    `_serve_in_thread`.
    """

    __slots__ = ("_started", "stream", "task")

    def __init__(self, reactor: Reactor, sock: socket.socket, address: Any) -> None:
        super().__init__(reactor, sock, address)
        self.task: asyncio.Task[Any] | None = None
        """The Task that answers it."""
        self.stream: Stream | None = None
        """The streaming response under way."""
        self._started = 0.0
        self.deadline = reactor.now + reactor.config.head_timeout_s

    # What a request may know of its connection.

    @property
    def scheme(self) -> str:
        return "http"

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
            data = self._recv(_RECEIVE_BYTES)
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
        if self.corked is not None and self.phase in (IDLE, CONTENT):
            self.uncork()
        if request is None and self.phase == IDLE and reader.in_head:
            self.phase = HEAD
            self.deadline = self.reactor.now + self.reactor.config.head_timeout_s

    def _answer(self, request: Request) -> None:
        """Have one request answered where its endpoint wants to run; it need not be done on return, `phase`
        tells.
        """
        reactor = self.reactor
        self.phase = IDLE
        self.request = request
        request.connection = self
        if reactor.log_access is not None:
            self._started = perf_counter()
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
        if self.phase == IDLE and self.reader.held and not was_reset:
            self.resume()  # a thread has just let go
            return
        if self.phase in (IDLE, LINGER, CLOSED) or (was_reset and self.phase in (HEAD, CONTENT, FLUSHING)):
            self.close()
            return
        if self.phase in (HEAD, CONTENT):
            self._refuse_end()
            return
        # A request is being answered. The client may have shut only its own side, so a complete reply is
        # still sent, and those to the requests that came before the end.
        if not self.reader.held:
            self.closing = True
        if self.body is not None and self.reader.in_content:
            self._cut_body()
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
        elif self.phase == IDLE:
            self.end()

    # Answering.

    def _call(self, request: Request, endpoint: Endpoint) -> None:
        run = endpoint.run
        context = None
        try:
            if run == TASK:
                answer: Any = self.reactor.run(endpoint.call(request))  # type: ignore[arg-type]
            elif run == INLINE:
                context = copy_context()
                answer = context.run(endpoint.call, request)
            else:
                self._call_in_thread(request, endpoint)
                return
        except BaseException as error:
            answer = self._last_resort(request, error)
        if isinstance(answer, Response):
            self.reply(request, answer)
        else:
            self._await(request, answer, context)

    def _call_in_thread(self, request: Request, endpoint: Endpoint) -> None:
        self.uncork()
        if self.unsent is not None or self.phase == CLOSED:
            # The batch before it is not taken yet, and only one side may write: this request waits for the
            # client to read.
            if self.phase != CLOSED:
                self.phase = FLUSHING
                self.task = None
                self._content = None
                self.reactor.when_flushed[self] = partial(self._call_in_thread, request, endpoint)
            return
        self.phase = THREAD
        self.deadline = NEVER
        if not self.reactor.threads.submit(self._serve_in_thread, request, endpoint):
            self.phase = IDLE
            self.reply(
                request,
                problem(
                    503, detail="all threads are busy and the queue is full", headers={"Retry-After": "1"}
                ),
            )

    def _serve_in_thread(self, request: Request, endpoint: Endpoint) -> None:
        """Answer one request in a pool thread, up to the last octet when the client takes it at once."""
        try:
            answer: Any = endpoint.call(request)
        except BaseException as error:
            answer = self._last_resort(request, error)
        reactor = self.reactor
        if (
            self.body is not None
            or not isinstance(answer, Response)
            or answer.is_stream
            or not self._is_persistent(request, answer)
        ):
            reactor.post(self._take_back, request, answer, copy_context())
            return
        octets = self._render(request, answer, True)
        try:
            sent = self._send(octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(octets)
            self.closing = self.peer_ended = True
        if reactor.log_access is not None:
            reactor.log_access(self, request, answer, len(octets), self._started)
        if sent != len(octets):
            reactor.post(self._flush_for_thread, memoryview(octets)[sent:])
            return
        self.request = self.endpoint = None
        self.deadline = reactor.now + reactor.idle_timeout_s
        self.phase = IDLE
        # From here the reactor may begin the next request. It looks at `phase` after it took octets, this
        # thread at the octets after it set `phase`: whichever comes last sees both, and `resume` is harmless
        # twice.
        if self.reader.held or self.closing or self.peer_ended:
            reactor.post(self.resume)

    def _take_back(self, request: Request, answer: Any, context: Context) -> None:
        """A pool thread hands back a reply it does not send itself."""
        self.phase = BUSY
        if self.is_doomed:
            self.close()
            abandon(self, answer)
        elif isinstance(answer, Response):
            self.reply(request, answer)
            self.resume()
        else:
            self._await(request, answer, context)

    def _flush_for_thread(self, rest: memoryview) -> None:
        self.phase = BUSY
        if self.is_doomed:
            self.close()
            return
        self.block(rest)
        self._finish()

    def _await(self, request: Request, answer: Any, context: Context | None) -> None:
        """Wait for an answer that is not there yet: a Task, or what is awaited in its maker's context."""
        if not isinstance(answer, asyncio.Task):
            answer = self.reactor.loop.create_task(_awaited(answer), context=context)
        self.phase = BUSY
        self.deadline = NEVER
        self.task = answer
        answer.add_done_callback(partial(self._on_task_done, request))
        self.uncork()

    def _on_task_done(self, request: Request, task: asyncio.Task[Any]) -> None:
        self.task = None
        if task.cancelled():
            if self.peer_ended or self.phase == CLOSED:
                self.close()
                return
            answer: Any = self._last_resort(request, asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            answer = self._last_resort(request, error)
        else:
            answer = task.result()
        if self.phase == CLOSED:
            abandon(self, answer)
            return
        if not isinstance(answer, Response):
            answer = self._last_resort(
                request, TypeError(f"a handler's answer must be a Response, not {answer!r:.80}")
            )
        self.reply(request, answer)
        self.resume()

    # Replying.

    def _is_persistent(self, request: Request, response: Response) -> bool:
        return (
            request.framing.persistent
            and not self.closing
            and (self.body is None or not self.reader.in_content)
            and (response.own_headers is None or not closes(response))
        )

    def reply(self, request: Request, response: Response) -> None:
        """Render and send. Reactor's thread."""
        reactor = self.reactor
        persistent = request.framing.persistent and not self.closing
        if self.body is not None or response.own_headers is not None:
            persistent = self._is_persistent(request, response)
        self.closing = not persistent
        if response.is_stream:
            self.phase = BUSY
            self.uncork()
            start_stream(self, request, response)
            return
        octets = self._render(request, response, persistent)
        if reactor.log_access is not None:
            reactor.log_access(self, request, response, len(octets), self._started)
        if self.corked is not None or self.reader.held:
            self.cork(octets)
        else:
            self.write(octets)
        if self.unsent is None and persistent and self.phase != CLOSED:
            self.request = self.endpoint = self.body = None
            self.phase = IDLE
            self.deadline = reactor.now + reactor.idle_timeout_s
        else:
            self._finish()

    def _render(self, request: Request | None, response: Response, persistent: bool) -> bytes:  # noqa: FBT001 - PERF
        try:
            return self.reactor.serialiser.render(request, response, persistent)
        except Exception as error:
            trace_id = request.trace_id if request is not None else None
            is_known = isinstance(error, LocalProtocolError)
            _log.error(
                "%s: the response cannot be sent, trace id %s: %s",
                request,
                trace_id,
                error,
                exc_info=not is_known,
            )
            return self.reactor.serialiser.render(request, problem(500, trace_id=trace_id), persistent)

    def _finish(self) -> None:
        """The reply to the current request is complete; its octets may still be under way."""
        if self.body is not None:
            self.body.disconnect()  # for who still waits for content that nobody will read
        self.request = self.endpoint = self.body = self.stream = None
        if self.phase == CLOSED:
            return
        if self.closing and self.unsent is None:
            self.uncork()
        if self.unsent is not None:
            self.phase = FLUSHING
        elif self.closing:
            self.end()
        else:
            self.phase = IDLE
            self.deadline = self.reactor.now + self.reactor.idle_timeout_s

    def finish_stream(self, request: Request, response: Response, sent: int, *, is_complete: bool) -> None:
        """A streaming response is over; that one is not complete can only be shown by the end of the
        connection.
        """
        self.stream = self.task = None
        if self.reactor.log_access is not None:
            self.reactor.log_access(self, request, response, sent, self._started)
        if not is_complete:
            self.closing = True
            self.close()
            return
        self._finish()
        self.resume()

    def on_flushed(self) -> None:
        if self.phase == FLUSHING:
            waiting = self.reactor.when_flushed.pop(self, None)
            if waiting is not None:
                waiting()
                self.resume()
                return
            self._finish()
            self.resume()
            if self.phase == IDLE and self.reader.in_head:
                self._advance(b"")
        elif self.stream is not None:
            self.stream.on_flushed()
        elif self.phase == CONTENT and self._content is not None:
            self.deadline = self._content.deadline(self.reactor.config)

    def resume(self) -> None:
        """Go on after a reply: with octets that came meanwhile, or with the end of the connection."""
        if self.phase != IDLE:
            return
        if self.is_doomed:
            self.close()
        elif self.closing:
            self.end()
        elif self.peer_ended:
            self._advance_to_end()
        else:
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
        response = problem(fault.status, detail=fault.detail)
        octets = self._render(request, response, False)
        if self.reactor.log_access is not None and request is not None:
            self.reactor.log_access(self, request, response, len(octets), self._started)
        self.cork(octets)
        self._finish()

    def _last_resort(self, request: Request, error: BaseException) -> Response:
        """Answer for what the application should have answered for itself."""
        if isinstance(error, HTTPError):
            return problem(error.status, title=error.title, detail=error.detail, headers=error.headers)
        if isinstance(error, ClientDisconnected):
            return problem(400, detail=str(error))  # logged when it happened; nobody may be left to read it
        _log.error("%s: the application failed, trace id %s", request, request.trace_id, exc_info=error)
        return problem(500, trace_id=request.trace_id)

    def on_deadline(self) -> None:
        """`deadline` has passed."""
        phase, config = self.phase, self.reactor.config
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

    def drain(self) -> None:
        """The server stops: no request after the one under way."""
        self.closing = True
        if self.phase == IDLE:
            self.on_ready(IN)  # a request that is already here is still answered
        if self.phase == IDLE:
            self.close()

    def abort(self) -> asyncio.Task[Any] | None:
        """The drain deadline has passed: close; return the Task that is to be cancelled."""
        task, self.task = self.task, None
        if self.stream is not None:
            task = self.stream.task
        self.close()
        return task

    def on_doomed(self) -> None:
        if self.body is not None:
            self.body.disconnect()
        if self.stream is not None:
            self.stream.disconnect()

    def on_closed(self) -> None:
        self.corked = None
        self.reactor.when_flushed.pop(self, None)
        self.on_doomed()
        if self.task is not None and self.endpoint is not None and self.endpoint.cancel_on_disconnect:
            self.task.cancel()


async def _awaited(answer: Any) -> Any:
    """Make a coroutine of anything that can be awaited."""
    return await answer
