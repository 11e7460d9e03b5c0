"""Streaming responses: the next piece is asked for when the client has taken the last.

An async iterator is driven by a Task on the loop. A plain iterator is driven by a pool thread, which holds
the write side and sends itself; when the client takes no more, the thread goes back to the pool and the
stream goes on in whichever is free once the client reads again, so a slow reader holds no thread. A plain
iterator with a pulse is driven by the loop as well, since a beat must not wait for a thread. The head leaves
at once, before the first piece.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import ClientDisconnected, LocalProtocolError
from penstock.http.file_response import FileResponse
from penstock.http.in_threads import InThreads
from penstock.http.problem import unexpected
from penstock.http.response import PushResponse, StreamResponse
from penstock.http.status import has_content
from penstock.http.upgrade import UpgradeResponse
from penstock.server.transport import BUSY, CLOSED, NEVER, THREAD
from penstock.wire.chunked import encode_chunk, encode_last_chunk

if TYPE_CHECKING:
    from penstock.http.handler import Pulse
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.answering import Answering

_log = logging.getLogger("penstock.server")

# An async iterator that never waits lets others have a turn after this many pieces.
_TURN_PIECES = 16


class Stream(Protocol):
    """What a connection tells the streaming response under way."""

    task: asyncio.Task[bool] | None
    """That drives it; None: threads do."""

    def on_flushed(self) -> None:
        """The client has taken everything so far."""

    def disconnect(self) -> None:
        """The client has left."""

    def cut(self) -> None:
        """The server is about to close the connection: end the content, if it can be ended where it is."""

    def so_far(self) -> tuple[Response, int]:
        """Return what is being sent, and how many octets of it have been."""


def start_stream(connection: Answering, request: Request, response: Response) -> None:
    """Send the head, and begin to send the content. Reactor's thread; `connection.phase` is BUSY."""
    assert isinstance(response, StreamResponse)  # noqa: S101 - is_stream says so
    reactor = connection.reactor
    try:
        outlet = _Outlet(connection, request, response)
    except Exception as error:
        is_known = isinstance(error, LocalProtocolError)
        trace_id = request.trace_id
        _log.error(
            "%s: the response cannot be sent, trace id %s: %s",
            request,
            trace_id,
            error,
            exc_info=not is_known,
        )
        abandon(connection, response)
        connection.reply(request, unexpected(request, error))
        return
    if connection.body is not None:
        connection.body.is_started = True  # with the final head under way, 100 Continue comes too late
    stream: _PushedStream | _TaskStream | _ThreadStream
    if isinstance(response, PushResponse):
        stream = _PushedStream(outlet, response)
    elif hasattr(response.content, "__aiter__"):
        stream = _TaskStream(outlet, response.content)
    elif response.pulse is not None:
        stream = _TaskStream(outlet, InThreads(response.content, reactor.server))
    else:
        stream = _ThreadStream(outlet)
    connection.stream = stream
    connection.write(outlet.head)
    reactor.loop.call_soon(stream.start)


def abandon(connection: Answering, answer: object) -> None:
    """Close the content of a response that is not sent after all; anything else needs nothing."""
    if isinstance(answer, FileResponse):
        release(connection, answer)
    elif isinstance(answer, PushResponse):
        answer.source.disconnect()
    elif isinstance(answer, UpgradeResponse):
        answer.speaker.lost()
    elif isinstance(answer, StreamResponse):
        _close(connection, answer, answer.content)


def release(connection: Answering, response: FileResponse) -> None:
    """A file is sent or given up: tell whoever lent it, in a thread, because that may block."""
    if response.after is not None:
        connection.reactor.threads.continue_in(copy_context(), response.after)


def _close(connection: Answering, response: StreamResponse, iterator: Any) -> None:
    """Have an iterator closed where it runs: a Task, or a pool thread, because it may block. Then tell the
    connection.
    """
    reactor, context = connection.reactor, response.context.copy()
    if hasattr(iterator, "aclose"):
        task = reactor.loop.create_task(_close_async(iterator), context=context)
        task.add_done_callback(lambda _: reactor.post(connection.forget_stream))
    elif hasattr(iterator, "close"):
        reactor.threads.continue_in(context, _close_for, connection, iterator)
    else:
        reactor.post(connection.forget_stream)


def _close_for(connection: Answering, iterator: Any) -> None:
    _close_sync(iterator)
    connection.reactor.post(connection.forget_stream)


async def _close_async(iterator: Any) -> None:
    aclose = getattr(iterator, "aclose", None)
    if aclose is not None:
        try:
            await aclose()
        except BaseException:
            _log.exception("closing a stream failed")


def _close_sync(iterator: Any) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        try:
            close()
        except BaseException:
            _log.exception("closing a stream failed")


class _Outlet:
    """Pieces to octets for one response: chunked, counted against a declared length, or up to the close."""

    def __init__(self, connection: Answering, request: Request, response: StreamResponse) -> None:
        self.connection = connection
        self.request = request
        self.response = response
        self.head, self._chunked, self._length = connection.reactor.serialiser.render_stream_head(
            request, response, persistent=not connection.closing
        )
        if not self._chunked and self._length is None:
            connection.closing = True  # the end of the connection is the end of the content
        self.is_bare = request.method == "HEAD" or not has_content(response.status)
        connection.needs_reset = not self._chunked and self._length is None and not self.is_bare
        self.sent = len(self.head)
        self._content = 0

    def encode(self, piece: bytes | str) -> bytes:
        """Return what goes out for a piece; b"" for an empty one. LocalProtocolError beyond the declared
        length.
        """
        if isinstance(piece, str):
            piece = piece.encode()
        elif type(piece) is not bytes:
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                msg = f"a piece of a stream must be bytes or str, not {type(piece).__name__}"
                raise TypeError(msg)
            piece = bytes(piece)
        self._content += len(piece)
        if self._length is not None and self._content > self._length:
            raise LocalProtocolError(500, f"more content than the Content-Length of {self._length}")
        octets = encode_chunk(piece) if self._chunked else piece
        self.sent += len(octets)
        return octets

    def last(self) -> bytes:
        """Return what goes out at the end. LocalProtocolError when the declared length was not reached."""
        if self._length is not None and self._content < self._length:
            raise LocalProtocolError(
                500, f"{self._content} octets of content, the Content-Length is {self._length}"
            )
        if not self._chunked:
            return b""
        trailers = self.response.trailers
        octets = encode_last_chunk(trailers() if callable(trailers) else trailers)
        self.sent += len(octets)
        return octets

    def finish(self, *, is_complete: bool) -> None:
        """Tell the connection. Reactor's thread."""
        self.connection.finish_stream(self.request, self.response, self.sent, is_complete=is_complete)

    def log_failure(self, error: BaseException) -> None:
        """The head is sent, so the client can be told only by cutting the connection."""
        self.request.note_failure(error)
        _log.error("%s: the stream failed, trace id %s", self.request, self.request.trace_id, exc_info=error)
        lingering = self.connection.lingering
        if lingering is not None:
            lingering.error = error


class _PushedStream:
    """Takes the pieces of a source as they come: a `http.handler.Sink`."""

    task: asyncio.Task[bool] | None = None

    def __init__(self, outlet: _Outlet, response: PushResponse) -> None:
        self._outlet = outlet
        self._source = response.source
        self._waiters: list[asyncio.Future[None]] = []
        """Who waits until everything is sent. One each: to cancel one must not cancel the others."""
        self._is_over = False

    def start(self) -> None:
        if not self._is_over:
            self._source.begin(self)

    def send(self, piece: bytes) -> asyncio.Future[None] | None:
        connection = self._outlet.connection
        if not self._is_over and not self._outlet.is_bare:
            octets = self._outlet.encode(piece)
            if octets:
                connection.write(octets)
        if self._is_over:  # also when the write found out
            raise ClientDisconnected("the client left")
        if connection.unsent is None:
            return None
        waiter = connection.reactor.loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def end(self, *, is_complete: bool = True) -> None:
        if self._is_over:
            return
        if is_complete and not self._outlet.is_bare:
            self._outlet.connection.write(self._outlet.last())
        if not self._is_over:
            self._finish(is_complete=is_complete)

    def _finish(self, *, is_complete: bool) -> None:
        self._is_over = True
        # Not at once: the next request must begin neither in the source's Task nor in its context.
        finish = partial(self._outlet.finish, is_complete=is_complete)
        self._outlet.connection.reactor.post(finish)

    def on_flushed(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def disconnect(self) -> None:
        if not self._is_over:
            self._finish(is_complete=False)
            self._source.disconnect()
            self.on_flushed()

    def cut(self) -> None:
        """Nobody but the source knows where the content may end."""

    def so_far(self) -> tuple[Response, int]:
        return self._outlet.response, self._outlet.sent


class _TaskStream:
    """Drives an async iterator, and sends the beats of its pulse."""

    def __init__(self, outlet: _Outlet, content: Any) -> None:
        self._outlet = outlet
        self._content = content
        self._pulse = outlet.response.pulse
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at_s = 0.0
        self._is_asking = False
        """The iterator is waited for: what was sent so far is whole pieces."""
        self._flushed: asyncio.Future[None] | None = None
        self.task: asyncio.Task[bool] | None = None
        self._is_running = False
        self._is_closing = False
        """The iterator is being closed: nobody disturbs it any more."""
        self._is_gone = False

    def start(self) -> None:
        if not self._is_gone:
            loop = self._outlet.connection.reactor.loop
            self.task = loop.create_task(self._run(), context=self._outlet.response.context.copy())
            # Not by the Task itself: the next request must begin neither in it nor in its context.
            self.task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[bool]) -> None:
        self._outlet.finish(is_complete=not task.cancelled() and task.result())

    async def _run(self) -> bool:
        """Return True when everything was sent."""
        self._is_running = True
        try:
            await self._send_pieces(self._content)
            return True
        except ClientDisconnected:
            pass
        except BaseException as error:
            if not self._is_gone or not isinstance(error, asyncio.CancelledError):
                self._outlet.log_failure(error)
        return False

    async def _send_pieces(self, content: Any) -> None:
        outlet, connection = self._outlet, self._outlet.connection
        iterator = content.__aiter__()
        try:
            if outlet.is_bare:
                return
            if self._pulse is not None:
                self._sent_at_s = connection.reactor.loop.time()
                self._beat(self._pulse)
            count = 0
            self._is_asking = True
            async for piece in iterator:
                self._is_asking = False
                connection.write(outlet.encode(piece))
                await self._wait_flushed()
                count += 1
                if not count % _TURN_PIECES:
                    await asyncio.sleep(0)
                if self._pulse is not None:
                    self._sent_at_s = connection.reactor.loop.time()
                self._is_asking = True
            self._is_asking = False
            connection.write(outlet.last())
        finally:
            self._is_asking = False
            self._is_closing = True
            if self._timer is not None:
                self._timer.cancel()
            await _close_async(iterator)

    def _beat(self, pulse: Pulse) -> None:
        """Send a beat if one is due, and look again when the next may be."""
        connection, loop = self._outlet.connection, self._outlet.connection.reactor.loop
        due_s = self._sent_at_s + pulse.interval_s
        if due_s <= loop.time():
            if self._is_asking and connection.unsent is None:
                connection.write(self._outlet.encode(pulse.beat()))
            due_s = self._sent_at_s = loop.time()
            due_s += pulse.interval_s
        if not self._is_gone and due_s != float("inf"):
            self._timer = loop.call_at(due_s, self._beat, pulse)

    def cut(self) -> None:
        connection, outlet = self._outlet.connection, self._outlet
        if self._pulse is not None and self._is_asking and connection.unsent is None:
            octets = self._pulse.end()
            if octets is not None:
                self._is_asking = False
                connection.write(outlet.encode(octets) + outlet.last())

    def so_far(self) -> tuple[Response, int]:
        return self._outlet.response, self._outlet.sent

    async def _wait_flushed(self) -> None:
        connection = self._outlet.connection
        while connection.unsent is not None:
            self._flushed = connection.reactor.loop.create_future()
            await self._flushed
        if connection.phase == CLOSED:
            raise ClientDisconnected("the client left")

    def on_flushed(self) -> None:
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    def disconnect(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if not self._is_running:
            if self.task is not None:
                self.task.cancel()
            abandon(self._outlet.connection, self._outlet.response)
            self._outlet.connection.close()
        elif self.task is not None and not self._is_closing and self.task is not asyncio.current_task():
            self.task.cancel()  # once: the second would hit the iterator while it cleans up
        # else it was its own write that failed, and it looks at the connection next


class _ThreadStream:
    """Drives a plain iterator in pool threads, one piece after the other."""

    task: asyncio.Task[bool] | None = None

    def __init__(self, outlet: _Outlet) -> None:
        self._outlet = outlet
        self._iterator: Any = None
        self._is_gone = False
        self._context = outlet.response.context.copy()

    def cut(self) -> None:
        """A thread may be at it: it is only cut."""

    def so_far(self) -> tuple[Response, int]:
        return self._outlet.response, self._outlet.sent

    def start(self) -> None:
        """Have a thread go on, unless the client has yet to take what there is."""
        connection = self._outlet.connection
        if connection.phase == BUSY and connection.unsent is None and not self._is_gone:
            connection.phase = THREAD
            connection.deadline = NEVER
            # In no context yet: that of the stream is left only after the thread has told of its end.
            connection.reactor.threads.continue_in(copy_context(), self._run)

    on_flushed = start

    def _run(self) -> None:
        """In a pool thread, which holds the write side."""
        outlet, post = self._outlet, self._outlet.connection.reactor.post
        rest, is_complete = None, False
        try:
            rest = self._context.run(self._send_pieces)
            is_complete = True
        except ClientDisconnected:
            pass
        except BaseException as error:
            outlet.log_failure(error)
        if rest is not None:
            post(self._block, rest)
            return
        self._context.run(_close_sync, outlet.response.content if self._iterator is None else self._iterator)
        post(self._finish, is_complete)

    def _send_pieces(self) -> memoryview | None:
        """Send until the client takes no more; return what it did not take, or None at the end of the
        content.
        """
        outlet = self._outlet
        if outlet.is_bare:
            return None
        if self._iterator is None:
            self._iterator = iter(outlet.response.content)  # type: ignore[arg-type]
        for piece in self._iterator:
            rest = self._send(outlet.encode(piece))
            if rest is not None:
                return rest
        return self._send(outlet.last())

    def _send(self, octets: bytes) -> memoryview | None:
        if self._is_gone:
            raise ClientDisconnected("the client left")
        try:
            return self._outlet.connection.send(octets)
        except OSError:
            raise ClientDisconnected("the client left") from None

    def _block(self, rest: memoryview) -> None:
        connection = self._outlet.connection
        connection.phase = BUSY
        if self._is_gone or connection.is_doomed:
            connection.close()
            self._abandon()
        else:
            connection.block(rest)

    def _finish(self, is_complete: bool) -> None:  # noqa: FBT001 - posted
        connection = self._outlet.connection
        connection.phase = BUSY
        self._outlet.finish(is_complete=is_complete and not connection.is_doomed)

    def disconnect(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if self._outlet.connection.phase != THREAD:
            self._abandon()
            self._outlet.connection.close()

    def _abandon(self) -> None:
        """The client left while no thread was at work: let one close the iterator."""
        outlet = self._outlet
        content = outlet.response.content if self._iterator is None else self._iterator
        _close(outlet.connection, outlet.response, content)
