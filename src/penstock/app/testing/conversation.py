"""A WebSocket in process: messages straight between a test and the session of a route.

Frames, pings and compression belong to the wire and have no part in it; the check of the origin, the bounds
and the close codes are those of the route.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from penstock.app.testing.exchange import Engine, Head, note_failures, raisable
from penstock.app.testing.reply import Reply
from penstock.errors import WebSocketDisconnect, WebSocketRefused
from penstock.http.headers import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence

    from penstock.app.testing.outgoing import Outgoing

    Message = dict[str, Any]

_LEAVING_S = 5.0


class AsyncWebSocketConnection:
    """The client's side, for coroutines."""

    def __init__(self, engine: Engine, timeout_s: float | None, *, raises: bool) -> None:
        self._engine, self._timeout_s, self._raises = engine, timeout_s, raises
        self._to_route: asyncio.Queue[Message] = asyncio.Queue()
        self._from_route: asyncio.Queue[Message | None] = asyncio.Queue()
        self._failures: list[BaseException] = []
        self._end: tuple[int, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self.subprotocol: str | None = None
        """The one the route accepted."""
        self.headers = Headers()
        """Those the route accepted with."""

    async def connect(self, outgoing: Outgoing, cookie: str, subprotocols: Sequence[str]) -> None:
        """Ask for the WebSocket. WebSocketRefused when the reply is another; what the handler raised before
        it accepted is raised, if that was asked for.
        """
        parts = urlsplit(outgoing.url)
        lines = [("host", parts.netloc), *outgoing.headers.items()]
        if cookie:
            lines.append(("cookie", cookie))
        scope: Message = {
            "type": "websocket",
            "http_version": "1.1",
            "scheme": "wss" if parts.scheme == "https" else "ws",
            "path": unquote(parts.path) or "/",
            "raw_path": (parts.path or "/").encode("ascii"),
            "query_string": parts.query.encode("ascii"),
            "headers": [(name.encode("ascii"), value.encode("latin-1")) for name, value in lines],
            "subprotocols": list(subprotocols),
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8_000),
            "extensions": {"websocket.http.response": {}},
        }
        self._to_route.put_nowait({"type": "websocket.connect"})
        self._task = self._engine.spawn(self._run(scope))
        try:
            message = await self._next()
            if message["type"] == "websocket.accept":
                self.subprotocol = message.get("subprotocol")
                self.headers = Headers.from_pairs(_texts(message.get("headers", ())))
            else:
                await self._refuse(message, outgoing.url)
        except BaseException:
            await self.leave()
            raise

    async def _run(self, scope: Message) -> None:
        note_failures(self._failures)
        try:
            await self._engine.converse(scope, self._to_route.get, self._from_route.put)
        finally:
            self._from_route.put_nowait(None)

    async def _next(self) -> Message:
        async with asyncio.timeout(self._timeout_s):
            message = await self._from_route.get()
        if message is None:
            self._from_route.put_nowait(None)
            raise self._gone()
        return message

    def _gone(self) -> Exception:
        task = self._task
        if task is not None and task.done() and not task.cancelled() and (error := task.exception()):
            return raisable(error)
        return WebSocketDisconnect(*(self._end or (1006, "the connection ended")))

    async def _refuse(self, message: Message, url: str) -> None:
        status, fields, content = 403, [], b""
        while message["type"] != "websocket.close":
            if message["type"] == "websocket.http.response.start":
                status, fields = message["status"], _texts(message["headers"])
            else:
                content += message.get("body", b"")
                if not message.get("more_body", False):
                    break
            message = await self._next()
        self._raise_failure()
        raise WebSocketRefused(Reply(Head(status, Headers.from_pairs(fields)), url, [], content))

    def _raise_failure(self) -> None:
        """Raise what nobody handled, once, if that was asked for."""
        if self._raises and self._failures:
            raise raisable(self._failures.pop(0))

    # The conversation.

    async def send(self, message: str | bytes) -> None:
        """Send text or octets. WebSocketDisconnect when it is over."""
        if self._end is not None:
            raise WebSocketDisconnect(*self._end)
        kind = "text" if isinstance(message, str) else "bytes"
        self._to_route.put_nowait({"type": "websocket.receive", kind: message})

    async def send_json(self, value: object) -> None:
        await self.send(json.dumps(value))

    async def receive(self) -> str | bytes:
        """Return the next message. WebSocketDisconnect after the last one, TimeoutError when none comes."""
        if self._end is not None:
            raise WebSocketDisconnect(*self._end)
        message = await self._next()
        if message["type"] == "websocket.close":
            self._end = message.get("code", 1000), message.get("reason") or ""
            self._raise_failure()
            raise WebSocketDisconnect(*self._end)
        text: str | None = message.get("text")
        octets: bytes = message.get("bytes") or b""
        return octets if text is None else text

    async def receive_json(self) -> Any:
        return json.loads(await self.receive())

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.receive()
            except WebSocketDisconnect:
                return
            yield message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; nothing when it is over already."""
        if self._end is None:
            self._end = code, reason
            self._to_route.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def finish(self) -> None:
        """The same as `leave`; and what the handler failed with, if nobody has seen it, is raised."""
        await self.leave()
        self._raise_failure()

    async def leave(self) -> None:
        """Close, and return when the handler has ended; one that goes on is cancelled."""
        await self.close()
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=_LEAVING_S)
            self._task.cancel()
            await asyncio.wait([self._task])


class WebSocketConnection:
    """The client's side, for plain functions."""

    def __init__(
        self, connection: AsyncWebSocketConnection, call: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._connection, self._call = connection, call

    @property
    def subprotocol(self) -> str | None:
        """The one the route accepted."""
        return self._connection.subprotocol

    @property
    def headers(self) -> Headers:
        """Those the route accepted with."""
        return self._connection.headers

    def send(self, message: str | bytes) -> None:
        """Send text or octets. WebSocketDisconnect when it is over."""
        self._call(self._connection.send(message))

    def send_json(self, value: object) -> None:
        self._call(self._connection.send_json(value))

    def receive(self) -> str | bytes:
        """Return the next message. WebSocketDisconnect after the last one, TimeoutError when none comes."""
        message: str | bytes = self._call(self._connection.receive())
        return message

    def receive_json(self) -> Any:
        return self._call(self._connection.receive_json())

    def __iter__(self) -> Iterator[str | bytes]:
        while True:
            try:
                message = self.receive()
            except WebSocketDisconnect:
                return
            yield message

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; nothing when it is over already."""
        self._call(self._connection.close(code, reason))


def _texts(lines: Any) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in lines]
