"""Content out of ASGI messages: a `BodyStream` with a limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, HTTPError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


class Content:
    """The content of one request. Made on the loop; a handler in a thread may iterate it plainly."""

    def __init__(self, receive: Callable[[], Awaitable[dict[str, Any]]], length: int | None) -> None:
        self._receive = receive
        self._length = length
        self._received = 0
        self._is_ended = False
        self._loop = asyncio.get_running_loop()
        self.limit_bytes = 0

    def check_length(self) -> None:
        """HTTPError 413 when the declared length is beyond the limit."""
        if self._length is not None and self._length > self.limit_bytes:
            raise HTTPError(413, f"the content is {self._length} bytes long, the limit is {self.limit_bytes}")

    async def _next(self) -> bytes:
        """The next piece that is not empty, b"" at the end."""
        while not self._is_ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._is_ended = True
                raise ClientDisconnected("the client left in the middle of the content")
            self._is_ended = not message.get("more_body", False)
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

    async def wait_disconnect(self) -> None:
        """Return when the client leaves; content that still comes is passed over."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
