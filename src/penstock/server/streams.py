"""Streaming responses: the next piece is asked for when the client has taken the last.

An async iterator is driven by a Task on the loop. A plain iterator is driven by a pool thread, which holds
the write side and sends itself; when the client takes no more, the thread goes back to the pool and the
stream goes on in whichever is free once the client reads again, so a slow reader holds no thread. The head
leaves at once, before the first piece.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import ClientDisconnected, LocalProtocolError
from penstock.http.problem import problem
from penstock.http.response import StreamResponse
from penstock.http.status import has_content
from penstock.server.transport import BUSY, CLOSED, THREAD
from penstock.wire.chunked import encode_chunk, encode_last_chunk

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.connection import Connection

_log = logging.getLogger("penstock.server")


class Stream(Protocol):
    """What a connection tells the streaming response under way."""

    def on_flushed(self) -> None:
        """The client has taken everything so far."""

    def disconnect(self) -> None:
        """The client has left."""


def start_stream(connection: Connection, request: Request, response: Response) -> None:
    """Send the head, and begin to send the content. Reactor's thread; `connection.phase` is BUSY."""
    assert isinstance(response, StreamResponse)  # noqa: S101 - is_stream says so
    reactor = connection.reactor
    try:
        outlet = _Outlet(connection, request, response)
    except LocalProtocolError as error:
        _log.error("%s: the response cannot be sent: %s", request, error)
        connection.reply(request, problem(500))
        connection.resume()
        return
    is_async = hasattr(response.content, "__aiter__")
    stream: _TaskStream | _ThreadStream = _TaskStream(outlet) if is_async else _ThreadStream(outlet)
    connection.write(outlet.head)
    if connection.phase == CLOSED:
        stream.abandon()
        return
    connection.stream = stream
    reactor.loop.call_soon(stream.start)


class _Outlet:
    """Pieces to octets for one response: chunked, counted against a declared length, or up to the close."""

    def __init__(self, connection: Connection, request: Request, response: StreamResponse) -> None:
        self.connection = connection
        self.request = request
        self.response = response
        self.head, self._chunked, self._length = connection.reactor.serialiser.render_stream_head(
            request, response, persistent=not connection.closing
        )
        if not self._chunked and self._length is None:
            connection.closing = True  # the end of the connection is the end of the content
        self.is_bare = request.method == "HEAD" or not has_content(response.status)
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
        _log.error("%s: the stream failed, trace id %s", self.request, self.request.trace_id, exc_info=error)


class _TaskStream:
    """Drives an async iterator."""

    def __init__(self, outlet: _Outlet) -> None:
        self._outlet = outlet
        self._flushed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_abandoned = False

    def start(self) -> None:
        if self._is_abandoned:
            return
        loop = self._outlet.connection.reactor.loop
        self._task = loop.create_task(self._run(), context=self._outlet.response.context.copy())

    async def _run(self) -> None:
        outlet, connection = self._outlet, self._outlet.connection
        content: Any = outlet.response.content
        iterator = content.__aiter__()
        is_complete = False
        try:
            if not outlet.is_bare:
                async for piece in iterator:
                    octets = outlet.encode(piece)
                    if octets:
                        connection.write(octets)
                        await self._wait_flushed()
                connection.write(outlet.last())
            is_complete = True
        except (asyncio.CancelledError, ClientDisconnected):
            pass
        except BaseException as error:
            outlet.log_failure(error)
        finally:
            await _close_async(iterator)
        outlet.finish(is_complete=is_complete)

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
        if self._task is not None:
            self._task.cancel()
        else:
            self.abandon()
            self._outlet.connection.close()

    def abandon(self) -> None:
        """The client left before the first piece."""
        self._is_abandoned = True
        self._outlet.connection.reactor.loop.create_task(_close_async(self._outlet.response.content))


async def _close_async(iterator: Any) -> None:
    aclose = getattr(iterator, "aclose", None)
    if aclose is not None:
        try:
            await aclose()
        except Exception:
            _log.exception("closing a stream failed")


class _ThreadStream:
    """Drives a plain iterator in pool threads, one piece after the other."""

    def __init__(self, outlet: _Outlet) -> None:
        self._outlet = outlet
        self._iterator: Any = None
        self._is_gone = False
        self._context = outlet.response.context.copy()

    def start(self) -> None:
        """Have a thread go on, unless the client has yet to take what there is."""
        connection = self._outlet.connection
        if self._is_gone or connection.phase != BUSY:
            self.abandon()
        elif connection.unsent is None:
            connection.phase = THREAD
            connection.deadline = float("inf")
            connection.reactor.threads.continue_in(self._context, self._run)

    on_flushed = start

    def _run(self) -> None:
        """In a pool thread, which holds the write side."""
        outlet, post = self._outlet, self._outlet.connection.reactor.post
        try:
            rest = self._send_pieces()
        except OSError:
            rest, is_complete = None, False
        except BaseException as error:
            outlet.log_failure(error)
            rest, is_complete = None, False
        else:
            is_complete = not self._is_gone
        if rest is not None:
            post(self._block, rest)
            return
        self._close()
        post(self._finish, is_complete)

    def _send_pieces(self) -> memoryview | None:
        """Send until the client takes no more; return what it did not take, or None at the end of the
        content.
        """
        outlet, send = self._outlet, self._outlet.connection.send
        if self._iterator is None:
            self._iterator = iter(outlet.response.content)  # type: ignore[arg-type]
        if not outlet.is_bare:
            for piece in self._iterator:
                if self._is_gone:
                    return None
                rest = send(outlet.encode(piece))
                if rest is not None:
                    return rest
            return send(outlet.last())
        return None

    def _block(self, rest: memoryview) -> None:
        connection = self._outlet.connection
        connection.phase = BUSY
        if self._is_gone or connection.is_doomed:
            connection.close()
            self.abandon()
        else:
            connection.block(rest)

    def _finish(self, is_complete: bool) -> None:  # noqa: FBT001 - posted
        connection = self._outlet.connection
        connection.phase = BUSY
        self._outlet.finish(is_complete=is_complete and not connection.is_doomed)

    def disconnect(self) -> None:
        self._is_gone = True
        if self._outlet.connection.phase != THREAD:
            self.abandon()
            self._outlet.connection.close()

    def abandon(self) -> None:
        """The client left: let a thread close the iterator, which may block."""
        self._is_gone = True
        self._outlet.connection.reactor.threads.continue_in(self._context, self._close)

    def _close(self) -> None:
        close = getattr(self._iterator or self._outlet.response.content, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                _log.exception("closing a stream failed")
