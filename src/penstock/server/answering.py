"""The answering side of a connection: requests run where they want to run, responses rendered and sent.

Reactor's thread, but for `serve_in_thread`, which a pool thread runs while it holds the connection: it
answers one request up to the last octet when the client takes it at once, lets go by setting `phase`, and
posts whatever else there is to do.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, HTTPError, LocalProtocolError
from penstock.http.current import current, working_for
from penstock.http.file_response import FileResponse
from penstock.http.handler import ANSWERED, INLINE, TASK
from penstock.http.problem import problem, unexpected
from penstock.http.response import Response
from penstock.http.upgrade import UpgradeResponse
from penstock.server.lingering import LoopLingering, ThreadLingering, linger
from penstock.server.noting import Noting
from penstock.server.overdue import discard, tell_overdue
from penstock.server.poller import IN
from penstock.server.streams import abandon, start_stream
from penstock.server.threads import Claim, too_busy
from penstock.server.transfer import start_transfer
from penstock.server.transport import BUSY, CLOSED, FLUSHING, IDLE, NEVER, THREAD
from penstock.server.upgraded import start_upgrade
from penstock.wire.serialise import closes, render_interim

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from contextvars import Context

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")


class Answering(Noting):
    """Answers for one connection; `Connection` says when."""

    __slots__ = ("_on_disconnect", "claim", "lingering", "task", "work")

    def __init__(self, reactor: Reactor, sock: socket.socket, address: Any) -> None:
        super().__init__(reactor, sock, address)
        self.task: asyncio.Future[Any] | None = None
        """The Task that answers the request, or another Future that will."""
        self.work: asyncio.Task[Any] | None = None
        """What works on the answer, where `task` is a Future that only tells of it."""
        self.claim: Claim | None = None
        """Decides who answers: the pool thread at work, or the reactor once the handler is overdue."""
        self.lingering: LoopLingering | ThreadLingering | None = None
        """Who is to be told when the reply is over, last octet and all; nearly always nobody."""
        self._on_disconnect: Callable[[], None] | None = None

    def _call(self, request: Request, endpoint: Endpoint) -> None:
        if endpoint.lingers:
            linger(self, request, endpoint)
            return
        run = endpoint.run
        context = None
        try:
            if run == TASK:
                answer: Any = self.reactor.run(endpoint.call(request))  # type: ignore[arg-type]
            elif run == INLINE:
                context = copy_context()
                answer = context.run(endpoint.call, request)
            else:
                self.call_in_thread(request, endpoint)
                return
        except BaseException as error:
            answer = self.last_resort(request, error)
        if isinstance(answer, Response):
            self.reply(request, answer)
        else:
            self._await(request, answer, context)

    def call_in_thread(self, request: Request, endpoint: Endpoint) -> None:
        """Have a pool thread answer, as soon as the client has taken what came before."""
        self.uncork()
        if self.unsent is not None or self.phase == CLOSED:
            # The batch before it is not taken yet, and only one side may write: this request waits for the
            # client to read.
            if self.phase != CLOSED:
                self.phase = FLUSHING
                self.task = None
                self._content = None
                run_as_now = copy_context().run
                self.reactor.when_flushed[self] = partial(run_as_now, self.call_in_thread, request, endpoint)
            return
        self.phase = THREAD
        self.deadline = self.due = self._due_of(endpoint)
        self.claim = claim = Claim() if self.due < NEVER else None
        serve = self.serve_in_thread if endpoint.after is None else self._serve_and_more
        if endpoint.lingers:
            self.lingering = lingering = ThreadLingering(self, request)
            self.reactor.lingering.add(lingering)
            serve = lingering.serve
        if not self.reactor.threads.submit(serve, request, endpoint, claim):
            self.phase = IDLE
            self.due = NEVER
            if self.lingering is not None:
                self.reactor.lingering.discard(self.lingering)
                self.lingering = None
            self.reply(request, self.last_resort(request, too_busy()))

    def _due_of(self, endpoint: Endpoint) -> float:
        """When a handler that is called now is overdue."""
        timeout_s = self._timeout_of(endpoint)
        return self.reactor.now + timeout_s if timeout_s else NEVER

    def _timeout_of(self, endpoint: Endpoint) -> float:
        return self.reactor.handler_timeout_s if endpoint.timeout_s is None else endpoint.timeout_s

    def serve_in_thread(self, request: Request, endpoint: Endpoint, claim: Claim | None) -> None:
        """Answer one request in a pool thread, up to the last octet when the client takes it at once."""
        if claim is not None and not claim.begin():
            return
        self.handler_at = perf_counter_ns()
        try:
            answer: Any = endpoint.call(request)
        except BaseException as error:
            answer = self.last_resort(request, error)
        reactor = self.reactor
        if claim is not None and not claim.take():
            reactor.post(discard, self, answer)
            return
        if (
            self.body is not None
            or not isinstance(answer, Response)
            or answer.is_stream
            or not self._is_persistent(request, answer)
        ):
            if answer is ANSWERED:
                return
            reactor.post(self._take_back, request, answer, copy_context())
            return
        try:
            octets = reactor.serialiser.render(request, answer, True)
        except Exception as error:
            answer, octets = self._replace(request, error, True)
        # From the first octet on nobody owes the client a whole reply any more.
        self.request = self.endpoint = None
        threads = reactor.threads
        if (
            threads.is_holding
            and self.lingering is None
            and threads.hold(partial(self._send_for_thread, request, endpoint, answer, octets))
        ):
            return
        self._send_for_thread(request, endpoint, answer, octets)

    def _send_for_thread(self, request: Request, endpoint: Endpoint, answer: Response, octets: bytes) -> None:
        """Send the reply a pool thread has made, and let go of the connection: in that thread, or for it."""
        reactor = self.reactor
        try:
            sent = self._send(octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(octets)
            self.closing = self.peer_ended = True
        if sent != len(octets):
            self.note_later(request, endpoint, answer, len(octets))
            reactor.post(self._flush_for_thread, memoryview(octets)[sent:])
            return
        if reactor.note_in_thread is not None:
            reactor.note_in_thread(self, request, endpoint, answer, len(octets))
        self.deadline = reactor.now + reactor.idle_timeout_s
        self.due = NEVER
        if self.lingering is not None:
            lingering, self.lingering = self.lingering, None
            lingering.on_over()
        self.phase = IDLE
        # From here the reactor may begin the next request. It looks at `phase` after it took octets, this
        # thread at the octets after it set `phase`: whichever comes last sees both, and `resume` is harmless
        # twice.
        if self.reader.held or self.closing or self.peer_ended:
            reactor.post(self._resume_promised)

    def _resume_promised(self) -> None:
        """After a reply of a thread, which promised to go on: when a stop came between the two, a request
        that is already here is still answered, and is the last.
        """
        if self.phase == IDLE and self.closing and not (self.peer_ended or self.is_doomed):
            if self.reader.held:
                self._advance(b"")
            else:
                self.on_ready(IN)
        self.resume()

    def _serve_and_more(self, request: Request, endpoint: Endpoint, claim: Claim | None) -> None:
        self.serve_in_thread(request, endpoint, claim)
        assert endpoint.after is not None  # noqa: S101 - the caller looked
        endpoint.after()

    def answer_early(self, request: Request, response: Response) -> bool:
        """Answer in a pool thread whose handler has yet to return; False when that was too late."""
        if self.claim is not None and not self.claim.take():
            return False
        self.reactor.post(self._take_back, request, response, copy_context())
        return True

    def _take_back(self, request: Request, answer: Any, context: Context) -> None:
        """A pool thread hands back a reply it does not send itself."""
        current.set(request)
        self.phase = BUSY
        self.claim = None
        if self.is_doomed:
            self.close()
            discard(self, answer)
        elif isinstance(answer, Response):
            self.due = NEVER
            self.reply(request, answer)
            self.settle()
            self.resume()
        else:
            self._await(request, answer, context)

    def _flush_for_thread(self, rest: memoryview) -> None:
        self.phase = BUSY
        self.due = NEVER
        if self.is_doomed:
            self.close()
            return
        self.block(rest)
        self._finish()

    def await_answer(self, request: Request, answer: asyncio.Future[Any], work: asyncio.Task[Any]) -> None:
        """Wait for an answer that `work` is at."""
        self._await(request, answer, None)
        self.work = work

    def _await(self, request: Request, answer: Any, context: Context | None) -> None:
        """Wait for an answer that is not there yet: a Future, or what is awaited in its maker's context."""
        if not isinstance(answer, asyncio.Future):
            answer = self.reactor.loop.create_task(_awaited(answer), context=context)
        self.phase = BUSY
        if self.due == NEVER and self.endpoint is not None:  # else it came back from a thread with its own
            self.due = self._due_of(self.endpoint)
        if self.unsent is None:  # else the client has yet to take what came before
            self.deadline = self._next_deadline()
        self.task = answer
        answer.add_done_callback(partial(self._on_task_done, request))
        self.uncork()

    def _on_task_done(self, request: Request, task: asyncio.Future[Any]) -> None:
        if self.task is not task:  # it was answered in its place, or nobody is left to be answered
            self._discard_late(request, task)
            return
        self.task = self.work = None
        self.due = NEVER
        if task.cancelled():
            if self.peer_ended or self.phase == CLOSED:
                self.close()
                return
            answer: Any = self.last_resort(request, asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            answer = self.last_resort(request, error)
        else:
            answer = task.result()
        if self.phase == CLOSED:
            abandon(self, answer)
            return
        if not isinstance(answer, Response):
            answer = self.last_resort(
                request, TypeError(f"a handler's answer must be a Response, not {answer!r:.80}")
            )
        self.reply(request, answer)
        self.settle()
        self.resume()

    def _discard_late(self, request: Request, task: asyncio.Future[Any]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            discard(self, task.result())
        else:
            self.last_resort(request, error)

    def answer_overdue(self) -> None:
        """The handler has not answered in time: answer in its place, and end its work as far as that goes."""
        with working_for(self.request):
            self._answer_overdue()

    def _answer_overdue(self) -> None:
        request, endpoint, task = self.request, self.endpoint, self.task
        claim = self.claim if self.phase == THREAD else None
        if request is None or endpoint is None or (claim is None and task is None):
            return
        if claim is not None:
            if not claim.take_away():
                return  # its answer is on its way
            self.phase = BUSY
        age_s = self.reactor.now - self.due + self._timeout_of(endpoint)
        response = tell_overdue(self, request, claim, age_s)
        self.task = None  # the claim stays: who asks for it late is told that it is taken
        self.due = self.deadline = NEVER
        self.closing = True
        self._tell_disconnect()
        if self.is_doomed or self.unsent is not None or self.phase == CLOSED:  # nobody reads
            self.close()
        else:
            self.reply(request, response)
        for work in (self.work, task):
            if work is not None:
                work.cancel()
        self.work = None
        self.settle()
        self.resume()

    # What an answer under way may ask for (`http.handler.ConnectionView`). Thread of the loop.

    def on_disconnect(
        self, request: Request, callback: Callable[[], None], task: asyncio.Task[Any] | None = None
    ) -> None:
        """Call `callback()` when the client leaves before the request is answered, at once if it has; `task`
        works on the answer.
        """
        if self.request is request:
            self.work = task
        if self.request is not request or self.peer_ended or self.phase == CLOSED:
            callback()
        else:
            self._on_disconnect = callback

    def _tell_disconnect(self) -> None:
        callback, self._on_disconnect = self._on_disconnect, None
        if callback is not None:
            callback()

    def send_interim(self, request: Request, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send an interim response ahead of the reply, unless the client speaks HTTP/1.0."""
        octets = render_interim(status, headers)
        if self.request is request and request.version == b"1" and self.stream is None:
            self.uncork()
            self.write(octets)

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
            self.answered_at = perf_counter_ns()
            _starter(response)(self, request, response)
            return
        try:
            octets = reactor.serialiser.render(request, response, persistent)
        except Exception as error:
            response, octets = self._replace(request, error, persistent)
        if reactor.is_holding or self.corked is not None or self.reader.held:
            self.cork(octets)
        else:
            self.write(octets)
        if self.unsent is None and persistent and self.phase != CLOSED:
            if reactor.note is not None:
                reactor.note(self, request, self.endpoint, response, len(octets))
            self.request = self.endpoint = self.body = self._on_disconnect = None
            self.phase = IDLE
            self.deadline = reactor.now + reactor.idle_timeout_s
        else:
            self.note(request, response, len(octets))
            self._finish()

    def _replace(self, request: Request, error: Exception, persistent: bool) -> tuple[Response, bytes]:  # noqa: FBT001 - PERF
        """Return what answers in place of a response that cannot be rendered, and its octets."""
        _log.error(
            "%s: the response cannot be sent, trace id %s: %s",
            *(request, request.trace_id, error),
            exc_info=not isinstance(error, LocalProtocolError),
        )
        response = unexpected(request, error)
        return response, self.reactor.serialiser.render(request, response, persistent)

    def _finish(self) -> None:
        """The reply to the current request is complete; its octets may still be under way."""
        if self.body is not None:
            self.body.disconnect()  # for who still waits for content that nobody will read
        self.request = self.endpoint = self.body = self.stream = self._on_disconnect = None
        if self.phase == CLOSED:
            self.settle()
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
        self.settle()

    def settle(self) -> None:
        """Tell who waits for it when the reply is over; a good moment to ask. Reactor's thread."""
        if self.lingering is None:
            return
        self.uncork()
        lingering = self.lingering
        if lingering is not None and self.unsent is None and self.stream is None:
            self.lingering = None
            lingering.on_over()

    def finish_stream(self, request: Request, response: Response, sent: int, *, is_complete: bool) -> None:
        """A streaming response is over; that one is not complete can only be shown by the end of the
        connection: a reset, where the client takes its end for that of the content.
        """
        self.stream = self.task = None
        self.note(request, response, sent)
        if not is_complete:
            self.closing = True
            self.close()
            self.settle()
            return
        self._finish()
        self.resume()

    def forget_stream(self) -> None:
        """The content of a stream is closed that nobody gets, after the connection."""
        if self.phase == CLOSED:
            self.stream = None
            self.settle()

    def hand_over(self, successor: Any, request: Request, response: Response, sent: int) -> None:
        """Let another take the place of this connection, behind a head of `sent` octets."""
        self.reactor.replace(self, successor)
        self.settle()
        if self.reactor.note is not None:
            self.reactor.note(self, request, self.endpoint, response, sent)

    def last_resort(self, request: Request, error: BaseException) -> Response:
        """Answer for what the application should have answered for itself."""
        request.failure = type(error).__name__
        if isinstance(error, HTTPError):
            return problem(error.status, title=error.title, detail=error.detail, headers=error.headers)
        if isinstance(error, ClientDisconnected):
            return problem(400, detail=str(error))  # logged when it happened; nobody may be left to read it
        _log.error("%s: the application failed, trace id %s", request, request.trace_id, exc_info=error)
        return unexpected(request, error)


def _starter(response: Response) -> Callable[[Answering, Request, Any], None]:
    if isinstance(response, FileResponse):
        return start_transfer
    return start_upgrade if isinstance(response, UpgradeResponse) else start_stream


async def _awaited(answer: Any) -> Any:
    """Make a coroutine of anything that can be awaited."""
    return await answer
