"""WebSocket routes under another ASGI server, which speaks the protocol: the session a handler converses
with, made of messages.

It does for `app.websocket` what `penstock.websocket.session.Session` does over octets. Compression and pings
are the server's; the bounds on messages and on those received ahead are kept here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from penstock.app.asgi_server import ForeignConnection
from penstock.errors import WebSocketDisconnect
from penstock.http.headers import render_fields
from penstock.http.response import Response
from penstock.websocket.codec import check_close
from penstock.websocket.session import OWN_FIELDS, plain_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from penstock.app.asgi_server import ForeignServer
    from penstock.http.request import Request
    from penstock.http.websocket import WebSocketSettings

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class ForeignSocket(ForeignConnection):
    """A connection that asks for WebSocket; its session, once a route has asked for it."""

    def __init__(self, scope: Message, server: ForeignServer, receive: Receive, send: Send) -> None:
        super().__init__(scope, server)
        self._scope, self._receive, self._send = scope, receive, send
        self.scheme = "https" if self.scheme == "wss" else "http"
        self.session: ForeignSession | None = None

    def make_session(self, request: Request, settings: WebSocketSettings) -> ForeignSession:
        """Return what the handler converses with."""
        offered = list(self._scope.get("subprotocols") or ())
        self.session = ForeignSession(request, settings, offered, self._receive, self._send)
        return self.session

    # A response instead: the messages of HTTP, as the extension names them.

    async def receive_http(self) -> Message:
        """Wait for the end of the connection."""
        while (await self._receive())["type"] != "websocket.disconnect":
            pass
        return {"type": "http.disconnect"}

    async def send_http(self, message: Message) -> None:
        """Send a part of the response where the server can; else it answers 403."""
        if "websocket.http.response" in (self._scope.get("extensions") or {}):
            await self._send({**message, "type": f"websocket.{message['type']}"})
        elif message["type"] == "http.response.start":
            await self._send({"type": "websocket.close"})


class ForeignSession:
    """One WebSocket connection, as its route sees it."""

    def __init__(
        self, request: Request, settings: WebSocketSettings, offered: list[str], receive: Receive, send: Send
    ) -> None:
        self.request = request
        self.settings = settings
        self.offered = offered
        """The subprotocols the client offers, best first."""
        self.subprotocol: str | None = None
        self.finishes_by_itself = False
        self.task: asyncio.Future[Any] | None = None
        """The handler's."""
        self.is_accepted = False
        self._receive, self._send = receive, send
        self._answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._queue: asyncio.Queue[str | bytes | None] = asyncio.Queue(settings.queue_limit)
        self._disconnect: tuple[int, str] | None = None
        self._closing: tuple[int, str] | None = None
        self._over = asyncio.Event()
        self._is_receiving = False

    # Answering the request.

    def answer(self) -> asyncio.Future[Response]:
        """Return what will be the answer; of an accepted connection a 101 that nobody sends."""
        return self._answer

    @property
    def is_answered(self) -> bool:
        return self._answer.done()

    @property
    def is_over(self) -> bool:
        """True once it has ended, whichever side ended it."""
        return self._disconnect is not None

    async def accept(self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Become a WebSocket connection, as `Session.accept` does."""
        if self.is_answered:
            raise RuntimeError("this WebSocket request has been answered already")
        fields = [(name.lower(), value) for name, value in headers if name.lower() not in OWN_FIELDS]
        render_fields(fields)  # checks every octet
        lines = [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields]
        self.subprotocol = subprotocol
        self.is_accepted = True
        self._answer.set_result(Response(b"", 101))
        await self._send_message({"type": "websocket.accept", "subprotocol": subprotocol, "headers": lines})

    def refuse(self, response: Response) -> None:
        """Answer the request with this instead."""
        if self.is_answered:
            raise RuntimeError("this WebSocket request has been answered already")
        self._end(1006, "refused")
        self._answer.set_result(response)

    # What the handler calls.

    async def receive(self) -> str | bytes:
        """Return the next message. WebSocketDisconnect after the last one."""
        if self._closing is not None:
            raise WebSocketDisconnect(*self._closing)
        if self._is_receiving:
            raise RuntimeError("another task is waiting for a message of this connection")
        self._is_receiving = True
        try:
            message = await self._queue.get()
        finally:
            self._is_receiving = False
        if message is None:
            self._queue.put_nowait(None)  # for who asks again
            raise WebSocketDisconnect(*(self._disconnect or (1006, "")))
        return message

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message, and wait while the client does not take it. WebSocketDisconnect when it is over."""
        message = plain_message(message)
        if self._disconnect is not None:
            raise WebSocketDisconnect(*self._disconnect)
        kind = "text" if isinstance(message, str) else "bytes"
        await self._send_message({"type": "websocket.send", kind: message})

    async def _send_message(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:  # how a server says that nobody is there
            self._end(1006, str(error))
        if self._disconnect is not None and self._closing is None:
            raise WebSocketDisconnect(*self._disconnect)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; what is not received yet is forgotten. Nothing when it is over already."""
        if self._disconnect is None:
            check_close(code, reason)
            self._closing = code, reason
            self._end(code, reason)

    def _end(self, code: int, reason: str) -> None:
        if self._disconnect is None:
            self._disconnect = code, reason
            if self._closing is not None:
                while not self._queue.empty():
                    self._queue.get_nowait()
            if not self._queue.full():
                self._queue.put_nowait(None)
            self._over.set()

    # Its life, in the server's Task.

    async def converse(self) -> None:
        """Return when the connection is over and its handler has ended."""
        pump = asyncio.create_task(self._pump())
        try:
            await self._over.wait()
            if self._closing is not None:
                pump.cancel()  # granian closes nothing while somebody receives
                await asyncio.wait([pump])
                code, reason = self._closing
                try:
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
                except OSError:
                    pass  # the client was faster
            if self.task is not None:
                await asyncio.wait([self.task])
        finally:
            pump.cancel()
            if self.task is not None:
                self.task.cancel()
            await asyncio.wait([pump])

    async def _pump(self) -> None:
        """Receive ahead, so that the end is noticed while the handler does something else."""
        limit = self.settings.message_limit_bytes
        try:
            while (message := await self._receive())["type"] == "websocket.receive":
                text = message.get("text")
                content = message["bytes"] if text is None else text
                if len(content) > limit:
                    self.close(1009, f"more than {limit} octets")
                    return
                await self._queue.put(content)
            self._end(message.get("code", 1005), message.get("reason") or "")
        except OSError as error:
            self._end(1006, str(error))
        await self._queue.put(None)
