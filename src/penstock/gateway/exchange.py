"""One HTTP request and its response as the messages of ASGI 3 (specification 2.4).

`receive` and `send` finish at once wherever they can. The response becomes a `Response` when its last body
message follows the start, and a pushed stream when more is to come: each piece is written by `send` itself,
which waits while the client does not take it. Background work after the last message goes on in the
application's Task; the reply has left by then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from penstock.errors import ClientDisconnected, ConnectionLost, HTTPError
from penstock.gateway.fields import make_file, make_push, make_response, read_fields
from penstock.gateway.route_names import route_of_scope
from penstock.http.open_file import open_file
from penstock.http.problem import problem, unexpected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.http.handler import Sink
    from penstock.http.request import Request
    from penstock.http.response import Response

    Message = dict[str, Any]

_log = logging.getLogger("penstock.gateway")

# What the application has sent so far.
NOTHING: Final = 0
STARTED: Final = 1
STREAMING: Final = 2
BODY_SENT: Final = 3
"""All content, and trailers are to follow."""
COMPLETE: Final = 4

_EXPECTED = {
    NOTHING: "'http.response.start'",
    STARTED: "'http.response.body'",
    STREAMING: "'http.response.body'",
    BODY_SENT: "'http.response.trailers'",
    COMPLETE: "nothing more",
}

# A stream whose client always takes everything lets others have a turn after this many pieces.
_TURN_PIECES = 16


class Exchange:
    """What one call of the application receives and sends. It is the `Source` of its own stream."""

    __slots__ = (
        "_begun",
        "_expects_content",
        "_gone",
        "_has_trailers",
        "_headers",
        "_left_bytes",
        "_pieces",
        "_request",
        "_root_path",
        "_scope",
        "_sent_pieces",
        "_sink",
        "_state",
        "_status",
        "_trailers",
        "answer",
        "is_gone",
        "response",
    )

    def __init__(self, request: Request, scope: dict[str, Any]) -> None:
        self._request = request
        self._scope = scope
        self._root_path: str = scope["root_path"]
        self._state = NOTHING
        self._expects_content = True
        self.response: Response | None = None
        """What answers the request, once that is known."""
        self.answer: asyncio.Future[Response] | None = None
        """Who waits for `response`."""
        self.is_gone = False
        """Nobody reads what the application sends: the client left, or was refused."""
        self._gone: asyncio.Event | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self._begun: asyncio.Future[None] | None = None

    # What the application calls.

    async def receive(self) -> Message:
        """The next event: content, and after its end that the client has left or the response is complete."""
        if self._expects_content and not self.is_gone:
            if self._request.stream is not None:
                return await self._receive_piece()
            self._expects_content = False
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        while not self.is_gone and self._state != COMPLETE:
            if self._gone is None:
                self._gone = asyncio.Event()
            await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message. ConnectionLost, an OSError, once the client has left."""
        kind, state = message["type"], self._state
        if self.is_gone:
            raise ConnectionLost("the client has left")
        if kind == "http.response.start" and state == NOTHING:
            self._status = message["status"]
            self._headers = tuple(message.get("headers", ()))
            self._has_trailers = message.get("trailers", False)
            self._state = STARTED
        elif kind == "http.response.body" and state == STARTED:
            body = message.get("body", b"")
            if message.get("more_body", False) or self._has_trailers:
                await self._begin_stream()
                await self._push(message)
                return
            if type(body) is not bytes:
                body = _to_bytes(body)
            response = make_response(self._status, read_fields(self._headers), body)
            self._state = COMPLETE
            self._settle(response)
        elif kind == "http.response.body" and state == STREAMING:
            await self._push(message)
        elif kind == "http.response.pathsend" and state == STARTED:
            await self._send_file(message["path"])
        elif kind == "http.response.trailers" and state == BODY_SENT:
            headers = message.get("headers", ())
            self._trailers += [(bytes(n).decode("latin-1"), bytes(v).decode("latin-1")) for n, v in headers]
            if not message.get("more_trailers", False):
                self._end()
        elif kind == "http.response.early_hint" and state == NOTHING:
            links = [("Link", bytes(link).decode("latin-1")) for link in message.get("links", ())]
            if self._request.connection is not None:
                self._request.connection.send_interim(self._request, 103, links)
        else:
            raise RuntimeError(f"ASGI: the application sent {kind!r} where {_EXPECTED[state]} was expected")

    # Receiving.

    async def _receive_piece(self) -> Message:
        if self._pieces is None:
            stream = self._request.stream
            assert stream is not None  # noqa: S101 - the caller looked
            self._pieces = stream.__aiter__()
            length = self._request.framing.content_length
            self._left_bytes = -1 if length is None else length
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._expects_content = False
            return {"type": "http.request", "body": b"", "more_body": False}
        except ClientDisconnected:
            self.disconnect()
            return {"type": "http.disconnect"}
        except HTTPError as fault:  # too long, too slow, malformed: the answer is no longer the application's
            if self.response is None:
                self._settle(problem(fault.status, title=fault.title, detail=fault.detail))
            self.disconnect()
            return {"type": "http.disconnect"}
        self._left_bytes -= len(piece)
        self._expects_content = self._left_bytes != 0
        return {"type": "http.request", "body": piece, "more_body": self._expects_content}

    # Sending.

    def _settle(self, response: Response) -> None:
        self.response = response
        if self._request.route is None and not self._request.mounted_at:  # a mount has its own name
            self._request.route = route_of_scope(self._scope, self._root_path)
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(response)
        if self._gone is not None and self._state == COMPLETE:
            self._gone.set()

    async def _send_file(self, path: str) -> None:
        if self._has_trailers:
            raise RuntimeError("ASGI: trailers cannot follow a file; send it by 'http.response.body'")
        connection = self._request.connection
        assert connection is not None  # noqa: S101 - requests come over one
        try:
            file = await connection.server.run_in_thread(open_file, path)
            response: Response = make_file(self._status, read_fields(self._headers), file)
        except HTTPError as refusal:  # no thread to open it
            response = problem(refusal.status, detail=refusal.detail, headers=refusal.headers)
        except (OSError, ValueError) as error:  # as an OSError it would pass for the client's leaving
            raise RuntimeError(f"ASGI: the file {path!r} cannot be sent: {error}") from error
        if self.is_gone:
            raise ConnectionLost("the client has left")
        self._state = COMPLETE
        self._settle(response)

    async def _begin_stream(self) -> None:
        self._sink: Sink | None = None
        self._sent_pieces = 0
        self._trailers: list[tuple[str, str]] = []
        trailers = (lambda: self._trailers) if self._has_trailers else None
        response = make_push(self._status, read_fields(self._headers), self, trailers)
        self._state = STREAMING
        self._begun = asyncio.get_running_loop().create_future()
        self._settle(response)
        await self._begun

    async def _push(self, message: Message) -> None:
        if self._sink is None or self.is_gone:
            raise ConnectionLost("the client has left")
        body = message.get("body", b"")
        more = message.get("more_body", False)
        try:
            waits = self._sink.send(body if type(body) is bytes else _to_bytes(body)) if body else None
        except ClientDisconnected:
            self.disconnect()
            raise ConnectionLost("the client has left") from None
        if not more:
            self._state = BODY_SENT
            if not self._has_trailers:
                self._end()
        if waits is not None:
            if self._state != COMPLETE:  # nobody waits for the last octets to be taken
                await waits
        else:
            self._sent_pieces += 1
            if not self._sent_pieces % _TURN_PIECES:
                await asyncio.sleep(0)

    def _end(self) -> None:
        assert self._sink is not None  # noqa: S101 - the stream has begun
        self._sink.end()
        self._state = COMPLETE
        if self._gone is not None:
            self._gone.set()

    # What the server tells the stream, and anybody who knows that the client has left.

    def begin(self, sink: Sink) -> None:
        """The head is sent."""
        self._sink = sink
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    def disconnect(self) -> None:
        """The client has left."""
        self.is_gone = True
        if self._gone is not None:
            self._gone.set()
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    # The end of the application's call.

    def finish(self, error: BaseException | None) -> None:
        """The application returned, or raised `error`: whatever it did not send is made up for."""
        if error is not None:
            self._log_failure(error)
        elif self._state != COMPLETE and not self.is_gone:
            _log.error(
                "%s: the application returned before its response was complete; expected %s",
                self._request,
                _EXPECTED[self._state],
            )
        if self.response is None:
            self.disconnect()
            failure = error or RuntimeError("the application returned before its response was complete")
            self._settle(unexpected(self._request, failure))
        elif self._state in (STREAMING, BODY_SENT) and self._sink is not None:
            self._sink.end(is_complete=False)
            self.disconnect()

    def _log_failure(self, error: BaseException) -> None:
        request = self._request
        if self.is_gone:  # then it is the client's doing, mostly: ConnectionLost, or what was made of it
            _log.info("%s: the application gave up after the client: %r", request, error)
            return
        request.note_failure(error)
        moment = " after its response" if self._state == COMPLETE else ""
        _log.error(
            "%s: the application failed%s, trace id %s", request, moment, request.trace_id, exc_info=error
        )


def _to_bytes(body: object) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"ASGI: the body of a response is bytes, not {type(body).__name__}")
