"""One WebSocket connection, from the request that asks for it to its end: what applications use it through.

A `Session` answers the request, with an upgrade when `accept` is called and with any other response by
`refuse`; after the 101 it is the `http.handler.Speaker` of the connection. Everything is bounded: messages
received ahead (the socket is not read beyond them), octets sent ahead (`send` waits), pongs a client does not
read, its silence, and its part of the closing handshake. On the loop only.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from penstock.errors import WebSocketDisconnect
from penstock.http.headers import render_fields
from penstock.http.upgrade import UpgradeResponse
from penstock.http.websocket import WebSocketSettings
from penstock.websocket.codec import Codec
from penstock.websocket.handshake import accept_key, negotiate_extensions, offered_subprotocols

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.handler import Link
    from penstock.http.request import Request
    from penstock.http.response import Response

_log = logging.getLogger("penstock.websocket")

CONNECTING: Final = 0
OPEN: Final = 1
CLOSING: Final = 2
"""Close is sent, the client's is awaited."""
CLOSED: Final = 3

# A handler whose messages are always there, and always taken, lets others have a turn after this many.
_TURN_MESSAGES = 64
# A close waits for the answers to what came before it, and for no longer than this: a handler that only sends
# takes no notice.
_CLOSE_DELAY_S = 0.5
# So many pongs a client may leave unread before it is no longer listened to.
_PONGS = 16
# A handler that finishes by itself on a drain gets all the time but this, and a quarter at most.
_LAST_WORD_S = 1.0

# The handshake's own; Upgrade and Connection are the server's.
OWN_FIELDS = frozenset({"sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"})


class Session:
    """A connection that is asked for by `request`, whose handshake has been checked."""

    __slots__ = (
        "_answer",
        "_awaits_pong",
        "_begun",
        "_close_timer",
        "_codec",
        "_disconnect",
        "_end_timer",
        "_extensions",
        "_is_blocked",
        "_is_heard",
        "_is_held_back",
        "_link",
        "_loop",
        "_ping_timer",
        "_response",
        "_turn",
        "_waiter",
        "finishes_by_itself",
        "phase",
        "request",
        "settings",
        "subprotocol",
        "task",
    )

    def __init__(self, request: Request, settings: WebSocketSettings | None = None) -> None:
        """HTTPError 400 when the extensions the client offers are malformed; MissingExtra without the
        `websockets` package.
        """
        self.request = request
        self.settings = settings = settings or WebSocketSettings()
        header, extensions = negotiate_extensions(request) if settings.compression else (None, [])
        self._extensions = header
        self._loop = asyncio.get_running_loop()
        self._codec = Codec(settings, extensions)
        self.phase: int = CONNECTING
        self.subprotocol: str | None = None
        """Chosen by `accept`."""
        self.finishes_by_itself = False
        """On a drain the application is given the time there is, instead of being closed at once."""
        self.task: asyncio.Future[Any] | None = None
        """The application's Task, cancelled when the drain deadline has passed."""
        self._response: Response | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._link: Link | None = None
        self._begun: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_blocked = False  # the client has not taken what was sent last, as far as was looked
        self._disconnect: tuple[int, str] | None = None
        self._is_heard = False  # octets came since the last tick
        self._awaits_pong = False
        self._is_held_back = False  # not listened to, because it does not read its pongs
        self._ping_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._turn = 0

    # Answering the request.

    def answer(self) -> Response | asyncio.Future[Response]:
        """Return what answers the request, or what will."""
        if self._response is not None:
            return self._response
        self._answer = self._loop.create_future()
        connection = self.request.connection
        if connection is not None:
            connection.on_disconnect(self.request, self._leave, self.task)
        return self._answer

    @property
    def offered(self) -> list[str]:
        """The subprotocols the client offers, best first."""
        return offered_subprotocols(self.request)

    @property
    def is_over(self) -> bool:
        """True when no message will be received any more."""
        return self._disconnect is not None

    @property
    def is_answered(self) -> bool:
        """True once it is accepted or refused."""
        return self._response is not None

    async def accept(self, subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Become a WebSocket connection. WebSocketDisconnect when the client has left, RuntimeError when the
        request was answered before, LocalProtocolError for headers that cannot be sent.
        """
        if self._disconnect is not None:
            raise WebSocketDisconnect(*self._disconnect)
        if self._response is not None:
            raise RuntimeError("this WebSocket request has been answered already")
        fields = [("Sec-WebSocket-Accept", accept_key(self.request))]
        if self._extensions is not None:
            fields.append(("Sec-WebSocket-Extensions", self._extensions))
        if subprotocol is not None:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        fields += [(name, value) for name, value in headers if name.lower() not in OWN_FIELDS]
        render_fields(fields)  # a fault is the caller's, not the server's
        self.subprotocol = subprotocol
        self._begun = self._loop.create_future()
        self._settle(UpgradeResponse("websocket", self, fields))
        await self._begun
        if self._link is None:
            raise WebSocketDisconnect(*(self._disconnect or (1006, "")))

    def refuse(self, response: Response) -> None:
        """Answer the request with this instead. RuntimeError when it was answered before."""
        if self._response is not None:
            raise RuntimeError("this WebSocket request has been answered already")
        self._end(1006, "refused")
        self._settle(response)

    def _settle(self, response: Response) -> None:
        self._response = response
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(response)

    # What the application calls.

    async def receive(self) -> str | bytes:
        """Return the next message. WebSocketDisconnect after the last one."""
        codec = self._codec
        while not codec.messages:
            if self._disconnect is not None:
                raise WebSocketDisconnect(*self._disconnect)
            if self._waiter is not None:
                raise RuntimeError("another task is waiting for a message of this connection")
            if codec.is_ending:
                self._go_on()
                continue
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._turn = 0
        message = codec.pop()
        if codec.is_full and not codec.is_ending and codec.wants_more:
            self._go_on()
        self._turn += 1
        if self._turn >= _TURN_MESSAGES:
            self._turn = 0
            await asyncio.sleep(0)
        return message

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message, and wait while the client does not take it. WebSocketDisconnect when it is over."""
        if type(message) is not str and type(message) is not bytes:
            message = plain_message(message)
        if self._is_blocked:  # before, not behind: many who send to one must not pile up octets
            await self._wait_flushed()
        if self.phase != OPEN:
            raise WebSocketDisconnect(*(self._disconnect or (1006, "")))
        assert self._link is not None  # noqa: S101 - it is open
        waits = self._link.write(self._codec.encode(message))
        if waits is not None:
            self._is_blocked = True
            await waits
        if self._disconnect is not None and self.phase == CLOSED:
            raise WebSocketDisconnect(*self._disconnect)

    async def _wait_flushed(self) -> None:
        assert self._link is not None  # noqa: S101 - it is open
        while (waits := self._link.flushed()) is not None:  # another may have been quicker
            await waits
        self._is_blocked = False

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; what is not received yet is forgotten. Nothing when it is over already. ValueError
        for a code or reason that cannot be sent.
        """
        if self.phase == OPEN and self._link is not None:
            self._codec.close(code, reason)
            self._codec.drop_messages()
            self.phase = CLOSING
            self._end(code, reason)
            if self._close_timer is not None:
                self._close_timer.cancel()
            self._close_timer = self._loop.call_later(self.settings.close_timeout_s, self._link.abort)
            if self._codec.is_full:
                self._go_on()
            self._attend()

    # What the server tells (`http.handler.Speaker`).

    def begin(self, link: Link) -> None:
        """The 101 is sent."""
        self._link = link
        self.phase = OPEN
        if self.settings.ping_interval_s:
            self._set_ping_timer(self.settings.ping_interval_s)
        self._wake(self._begun)

    def take(self, octets: bytes) -> None:
        """Octets came."""
        self._is_heard = True
        codec = self._codec
        codec.is_awaited = self._waiter is not None
        if codec.feed(octets):
            self._attend()
        if self._waiter is not None and codec.messages and not self._waiter.done():
            self._waiter.set_result(None)
        if codec.is_full and self._link is not None:
            self._link.pause()
            if codec.is_ending:
                self._delay_end()

    def end_of_input(self) -> None:
        """The client sends no more: it left without closing, or closes the connection for us."""
        self._codec.end_of_input()
        self._attend()

    def drain(self, left_s: float, *, is_restart: bool) -> None:
        """The server stops, or this process of it."""
        code, reason = (1012, "service restart") if is_restart else (1001, "going away")
        if left_s and self.finishes_by_itself:
            delay_s = max(left_s * 0.75, left_s - _LAST_WORD_S)
            self._close_timer = self._loop.call_later(delay_s, self.close, code, reason)
        else:
            self.close(code, reason)

    def lost(self) -> None:
        """The connection is gone."""
        self.phase = CLOSED
        self._end(1006, "the connection broke")
        self._wake(self._begun)
        for timer in (self._ping_timer, self._close_timer, self._end_timer):
            if timer is not None:
                timer.cancel()

    # Inside.

    def _leave(self) -> None:
        """The client left before its request was answered, or the application took too long over it."""
        if self._response is None:
            self._end(1006, "the client left")

    def _attend(self) -> None:
        """Send what the protocol wants sent, and see whether it is over."""
        link, codec = self._link, self._codec
        if link is None:
            return
        pieces = codec.to_send()
        is_end = bool(pieces) and not pieces[-1]
        octets = b"".join(pieces)
        if octets:
            link.write(octets)
        if is_end:
            self._end(*codec.verdict)
            self.phase = CLOSED
            link.end()
        elif codec.pings > _PONGS and not self._is_held_back:
            codec.pings = 0
            self._hold_back(link)

    def _hold_back(self, link: Link) -> None:
        """Do not listen to a client that sends pings and reads no pongs."""
        waits = link.flushed()
        if waits is not None:
            self._is_held_back = True
            link.pause()
            asyncio.ensure_future(waits).add_done_callback(self._listen_again)

    def _listen_again(self, _: object) -> None:
        self._is_held_back = False
        if self._link is not None and not self._codec.is_full:
            self._link.resume()

    def _delay_end(self) -> None:
        """Look at what ends the conversation a moment later, unless the handler comes back for it before."""
        if self._end_timer is None:
            self._end_timer = self._loop.call_later(_CLOSE_DELAY_S, self._go_on)

    def _go_on(self) -> None:
        """There is room again for what waited."""
        if self._codec.go_on():
            self._attend()
        if self._codec.is_ending:  # it came with messages that there was no room for
            self._delay_end()
        if not self._codec.is_full and not self._is_held_back and self._link is not None:
            self._link.resume()

    def _end(self, code: int, reason: str) -> None:
        """Nothing is received any more; the first reason for it counts."""
        if self._disconnect is None:
            self._disconnect = (code, reason)
            self._wake(self._waiter)

    def _set_ping_timer(self, delay_s: float) -> None:
        self._ping_timer = self._loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        """Look whether the client is there."""
        settings, link = self.settings, self._link
        if self.phase != OPEN or link is None:
            return
        if self._is_heard or self._codec.is_full or self._is_held_back or link.flushed() is not None:
            # Not to be heard while it is not listened to; and who does not read meets the write deadline.
            self._is_heard = self._awaits_pong = False
            self._set_ping_timer(settings.ping_interval_s)
        elif not self._awaits_pong:
            self._codec.ping()
            self._attend()
            if settings.ping_timeout_s:
                self._awaits_pong = True
            self._set_ping_timer(settings.ping_timeout_s or settings.ping_interval_s)
        else:
            _log.info("%s: no answer to a ping within %g s", self.request, settings.ping_timeout_s)
            self._end(1006, "no answer to a ping")
            link.abort()

    @staticmethod
    def _wake(waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def plain_message(message: object) -> str | bytes:
    """Return what is sent for a message; TypeError for what is none."""
    if isinstance(message, str):
        return str(message)
    if isinstance(message, (bytes, bytearray, memoryview)):
        return bytes(message)
    raise TypeError(
        f"a message is str or bytes, not {type(message).__name__}; for other values use send_json"
    )
