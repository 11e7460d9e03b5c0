"""One WebSocket connection as the messages of ASGI (specification 2.4).

The session below speaks the protocol; here its events become messages, and what the application sends is held
to its order. A refusal with a response of the application's own, the extension `websocket.http.response`, is
an HTTP exchange like any other.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from penstock.errors import ConnectionLost, WebSocketDisconnect
from penstock.gateway.exchange import Exchange
from penstock.http.problem import problem

if TYPE_CHECKING:
    from penstock.http.response import Response
    from penstock.websocket.session import Session

    Message = dict[str, Any]

_log = logging.getLogger("penstock.gateway")

_DENIAL = "websocket.http.response."


class Conversation:
    """What one call of the application receives and sends."""

    __slots__ = ("_denial", "_has_connected", "_is_closed", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._has_connected = False
        self._is_closed = False
        """The application has closed or refused."""
        self._denial: _Denial | None = None

    # What the application calls.

    async def receive(self) -> Message:
        """The next event; after the last one, that the connection is over."""
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        if self._denial is not None:
            return await self._denial.receive_end()
        try:
            message = await self._session.receive()
        except WebSocketDisconnect as end:
            return {"type": "websocket.disconnect", "code": end.code, "reason": end.reason}
        kind = "text" if isinstance(message, str) else "bytes"
        return {"type": "websocket.receive", kind: message}

    async def send(self, message: Message) -> None:
        """Take a message. ConnectionLost, an OSError, once the connection is over."""
        kind = message["type"]
        try:
            # PERF: asked for first what is sent most.
            if kind == "websocket.send" and self._session.is_answered and not self._is_closed:
                await self._session.send(_content_of(message))
            elif kind == "websocket.accept" and self._awaits_answer:
                await self._session.accept(message.get("subprotocol"), _text(message.get("headers", ())))
            elif kind == "websocket.close" and not self._is_closed and self._denial is None:
                self._close(message.get("code", 1000), message.get("reason") or "")
            elif kind.startswith(_DENIAL) and (self._denial is not None or self._awaits_answer):
                if self._denial is None:
                    self._denial = _Denial(self._session)
                await self._denial.send({**message, "type": kind.removeprefix("websocket.")})
            else:
                raise RuntimeError(f"ASGI: the application sent {kind!r} where {self._expected} was expected")
        except WebSocketDisconnect as end:
            raise ConnectionLost(f"the WebSocket connection is over ({end})") from None

    # Inside.

    @property
    def _awaits_answer(self) -> bool:
        return not self._session.is_answered and self._denial is None

    @property
    def _expected(self) -> str:
        if self._denial is not None:
            return "the rest of its response"
        if self._awaits_answer:
            return "'websocket.accept' or 'websocket.close'"
        return "nothing more" if self._is_closed else "'websocket.send' or 'websocket.close'"

    def _close(self, code: int, reason: str) -> None:
        if self._session.is_answered:
            self._session.close(code, reason)
        else:
            self._session.refuse(problem(403))
        self._is_closed = True

    def finish(self, error: BaseException | None) -> None:
        """The application returned, or raised `error`: whatever it did not send is made up for."""
        session = self._session
        if self._denial is not None:
            self._denial.finish(error)
            return
        if error is not None:
            self._log_failure(error)
        elif not session.is_answered and not session.is_over:
            _log.error("%s: the application returned before it answered the connection", session.request)
        if not session.is_answered:
            session.refuse(problem(500, trace_id=session.request.trace_id))
        elif error is not None:
            session.close(1011, "internal error")
        else:
            session.close()

    def _log_failure(self, error: BaseException) -> None:
        request = self._session.request
        if self._session.is_over and not self._is_closed:  # mostly it did not expect the end
            _log.info("%s: the application gave up after the client: %r", request, error)
            return
        _log.error("%s: the application failed, trace id %s", request, request.trace_id, exc_info=error)


_NO_SCOPE: dict[str, Any] = {"root_path": ""}


class _Denial(Exchange):
    """A response instead of a WebSocket connection."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        super().__init__(session.request, _NO_SCOPE)
        self._session = session
        self._expects_content = False  # the application has had its `websocket.connect`

    async def receive_end(self) -> Message:
        """Wait until the client has left or the response is complete."""
        await self.receive()
        return {"type": "websocket.disconnect", "code": 1006, "reason": ""}

    def _settle(self, response: Response) -> None:
        super()._settle(response)
        if not self._session.is_answered:
            self._session.refuse(response)


def _content_of(message: Message) -> str | bytes:
    text, octets = message.get("text"), message.get("bytes")
    content: str | bytes | None = text if octets is None else octets
    if content is None or (text is not None and octets is not None):
        raise RuntimeError("ASGI: 'websocket.send' has either 'text' or 'bytes'")
    if not isinstance(content, str if octets is None else (bytes, bytearray, memoryview)):
        raise TypeError(f"ASGI: 'text' is a str and 'bytes' are bytes, not {type(content).__name__}")
    return content


def _text(headers: Any) -> list[tuple[str, str]]:
    return [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]
