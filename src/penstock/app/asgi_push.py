"""A `PushResponse` under another server: what its source pushes, as an async iterator.

The source is begun when the first piece is asked for. A piece counts as taken when the next one is asked for,
so that a source waits while the client does not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from penstock.errors import ClientDisconnected

if TYPE_CHECKING:
    from penstock.http.handler import Source


class Pushed:
    """The pieces of a source; it is the source's `Sink`. On the loop only."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces: deque[bytes] = deque()
        self._has_begun = False
        self._is_over = False
        self._is_complete = True
        self._is_gone = False
        self._waiter: asyncio.Future[None] | None = None
        """Who waits for a piece."""
        self._senders: list[asyncio.Future[None]] = []
        """Who waits until its piece is taken. One each: to cancel one must not cancel the others."""

    # For who sends the pieces on.

    def __aiter__(self) -> Pushed:
        return self

    async def __anext__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            self._source.begin(self)
        if not self._pieces:
            self._release()
        while not self._pieces:
            if self._is_over and self._is_complete:
                raise StopAsyncIteration
            if self._is_over:
                raise RuntimeError("the response ended before it was complete")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._pieces.popleft()

    async def aclose(self) -> None:
        """Nothing more is sent."""
        self._is_gone = True
        self._release()
        if not self._is_over:
            self._is_over = True
            self._source.disconnect()

    def _release(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            if not sender.done():
                sender.set_result(None)

    # For the source.

    def send(self, piece: bytes) -> asyncio.Future[None]:
        """Send a piece; return what to await before the next one."""
        if self._is_gone or self._is_over:
            raise ClientDisconnected("the client left")
        self._pieces.append(piece)
        self._wake()
        sender: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._senders.append(sender)
        return sender

    def end(self, *, is_complete: bool = True) -> None:
        """No more pieces."""
        if not self._is_over:
            self._is_over, self._is_complete = True, is_complete
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
