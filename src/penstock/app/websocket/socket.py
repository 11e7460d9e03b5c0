"""`WebSocket`: one connection as its handler sees it.

    @app.websocket("/echo/{room}")
    async def echo(ws: WebSocket, room: str) -> None:
        async for message in ws:
            await ws.send(message)

The request is accepted by the first send or receive, unless `accept` or `close` came before. Several tasks
may send; one at a time may receive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from penstock.errors import WebSocketDisconnect
from penstock.http.headers import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence

    from penstock.http.handler import Draining
    from penstock.http.headers import Headers
    from penstock.http.query import Query
    from penstock.http.request import Request
    from penstock.http.response import Fields
    from penstock.websocket.session import Session


class WebSocket:
    """A conversation with one client, in messages of `str` (text) and `bytes` (binary)."""

    __slots__ = ("_session", "_subprotocols", "request")

    def __init__(self, session: Session, subprotocols: Sequence[str] = ()) -> None:
        self._session = session
        self._subprotocols = subprotocols
        self.request: Request = session.request
        """The request that asked for the connection."""

    # What the client said when it connected.

    @property
    def path_params(self) -> Mapping[str, object]:
        return self.request.path_params

    @property
    def headers(self) -> Headers:
        return self.request.headers

    @property
    def query(self) -> Query:
        """The parsed query. ValueError when its octets are not UTF-8 after decoding."""
        return self.request.query

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the client."""
        return self.request.client

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols the client offers, best first."""
        return self._session.offered

    @property
    def subprotocol(self) -> str | None:
        """The one that was accepted."""
        return self._session.subprotocol

    @property
    def draining(self) -> Draining:
        """True once the server has begun to stop, and awaitable until then; of use with `drain="finish"`."""
        return self.request.draining

    # The conversation.

    async def accept(self, subprotocol: str | None = None, headers: Fields | None = None) -> None:
        """Accept the connection. Without `subprotocol`, the first of the route's that the client offers.

        WebSocketDisconnect when the client has left, ValueError for a subprotocol it did not offer,
        RuntimeError when it was accepted or closed before, LocalProtocolError for headers that cannot be
        sent.
        """
        offered = self._session.offered
        if subprotocol is None:
            subprotocol = next((name for name in self._subprotocols if name in offered), None)
        elif subprotocol not in offered:
            raise ValueError(f"subprotocol {subprotocol!r} is not one the client offers: {offered}")
        await self._session.accept(subprotocol, MutableHeaders(headers).lines())

    def receive(self) -> Coroutine[Any, Any, str | bytes]:
        """Return the next message. WebSocketDisconnect when there will be none."""
        # PERF: what is awaited is the session's own coroutine, 0.2 us less than one round it.
        return self._session.receive() if self._session.is_answered else self._accept_and_receive()

    async def _accept_and_receive(self) -> str | bytes:
        await self.accept()
        return await self._session.receive()

    async def receive_text(self) -> str:
        """Return the next message, which must be text: a client that sends another is closed with 1003."""
        message = await self.receive()
        if not isinstance(message, str):
            await self._give_up(1003, "text was expected")
        return message

    async def receive_bytes(self) -> bytes:
        """Return the next message, which must be binary: a client that sends another is closed with 1003."""
        message = await self.receive()
        if not isinstance(message, bytes):
            await self._give_up(1003, "binary was expected")
        return message

    async def receive_json(self) -> object:
        """Return the next message parsed as JSON: a client that sends anything else is closed with 1007."""
        from penstock.http.json import loads

        message = await self.receive()
        try:
            return loads(message.encode() if isinstance(message, str) else message)
        except ValueError:
            await self._give_up(1007, "JSON was expected")

    async def _give_up(self, code: int, reason: str) -> NoReturn:
        await self.close(code, reason)
        raise WebSocketDisconnect(code, reason)

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield messages up to the end, whatever ends the connection."""
        return self

    async def __anext__(self) -> str | bytes:
        session = self._session
        try:
            if not session.is_answered:
                await self.accept()
            return await session.receive()
        except WebSocketDisconnect:
            raise StopAsyncIteration from None

    def send(self, message: str | bytes | bytearray | memoryview) -> Coroutine[Any, Any, None]:
        """Send text or binary, and wait while the client does not take it. WebSocketDisconnect when the
        connection is over.
        """
        return self._session.send(message) if self._session.is_answered else self._accept_and_send(message)

    async def _accept_and_send(self, message: str | bytes | bytearray | memoryview) -> None:
        await self.accept()
        await self._session.send(message)

    async def send_json(self, value: object) -> None:
        """Send a value as JSON, in a text message. TypeError or ValueError when it cannot be encoded."""
        from penstock.http.json import dumps

        await self.send(dumps(value).decode())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, and forget what was not received; before `accept`: refuse the request with 403.
        Nothing when the connection is over. ValueError for a code or reason that cannot be sent.
        """
        if self._session.is_answered:
            self._session.close(code, reason)
        else:
            from penstock.http.problem import problem

            self._session.refuse(problem(403))

    def __repr__(self) -> str:
        from penstock.http.redaction import redactor

        return f"<WebSocket {redactor().path(self.request.raw_path)}>"
