"""Content out of ASGI messages: a `BodyStream` with a limit.

Whoever waits for the client to leave has to receive, too, and may be given content that the handler still
wants: one message is held for it, and the wait goes on when it was taken. So content that nobody reads hides
the end of the connection, as it does for the native server.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, HTTPError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Message = dict[str, Any]


class Content:
    """The content of one request. Made on the loop; a handler in a thread may iterate it plainly."""

    def __init__(self, receive: Callable[[], Awaitable[Message]]) -> None:
        self._receive = receive
        self._received = 0
        self.is_ended = False
        """No more content comes."""
        self._loop = asyncio.get_running_loop()
        self.limit_bytes = 0
        self._ahead: asyncio.Task[Message] | None = None
        """A message that is waited for, or was received, before the handler asked for it."""
        self._is_reading = False
        self._moved = asyncio.Event()
        """Set when the handler has received something."""

    def check_length(self, length: int | None) -> None:
        """HTTPError 413 when the declared length is beyond the limit."""
        if length is not None and length > self.limit_bytes:
            raise HTTPError(413, f"content of {length} octets; at most {self.limit_bytes} are taken")

    async def _next(self) -> bytes:
        """The next piece that is not empty, b"" at the end."""
        while not self.is_ended:
            message = await self._take()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected("the client left in the middle of the content")
            piece: bytes = message.get("body", b"")
            self._received += len(piece)
            if self._received > self.limit_bytes:
                raise HTTPError(413, f"the content is longer than the limit of {self.limit_bytes} bytes")
            if piece:
                return piece
        return b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._next():
            yield piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := asyncio.run_coroutine_threadsafe(self._next(), self._loop).result():
            yield piece

    async def read(self) -> bytes:
        """Return all that is left. HTTPError 413 beyond the limit, ClientDisconnected when cut short."""
        return b"".join([piece async for piece in self])

    def read_sync(self) -> bytes:
        """Return all that is left; for handlers in a thread."""
        return b"".join(self)

    async def discard(self) -> None:
        """Pass over what is left."""
        while not self.is_ended:
            await self._take()

    async def _take(self) -> Message:
        """Receive the next message, or what was received ahead."""
        if self._ahead is not None:
            message = await asyncio.shield(self._ahead)
            self._ahead = None
        else:
            self._is_reading = True
            try:
                message = await self._receive()
            finally:
                self._is_reading = False
        self.is_ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        self._moved.set()
        return message

    async def wait_disconnect(self) -> None:
        """Return when the client leaves."""
        while True:
            while self._is_reading or (self._ahead is not None and self._ahead.done()):
                self._moved.clear()
                await self._moved.wait()
            if self._ahead is None:
                self._ahead = asyncio.ensure_future(self._receive())
            message = await asyncio.shield(self._ahead)
            if message["type"] == "http.disconnect":
                return
            if self.is_ended:  # there is nobody left to take it
                self._ahead = None

    def close(self) -> None:
        """The request is answered: receive no more."""
        if self._ahead is not None:
            self._ahead.cancel()
