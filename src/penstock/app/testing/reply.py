"""What a client got: `Reply`, whole, and the two streamed kinds, whose content comes when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.testing.cookies import set_by
from penstock.app.testing.events import EventReader
from penstock.http.json import loads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from penstock.app.testing.exchange import Exchange, Head
    from penstock.http.events import Event
    from penstock.http.headers import Headers


class _Begun:
    """What is known as soon as the head is there."""

    def __init__(self, head: Head, url: str, history: list[Reply]) -> None:
        self.status: int = head.status
        self.headers: Headers = head.headers
        self.url = url
        """Where it came from, after redirects."""
        self.history = history
        """The replies that led here by redirect."""

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies this reply sets."""
        return set_by(self.headers)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.url.partition('?')[0]}>"


class Reply(_Begun):
    """A reply with all its content."""

    def __init__(self, head: Head, url: str, history: list[Reply], content: bytes) -> None:
        super().__init__(head, url, history)
        self.content = content

    @property
    def text(self) -> str:
        """The content as text, in the charset the reply names, else UTF-8."""
        kind = self.headers.get("content-type", "")
        charset = kind.lower().partition("charset=")[2].partition(";")[0].strip(' "') or "utf-8"
        return self.content.decode(charset)

    def json(self) -> Any:
        """Return the content read as JSON. ValueError when it is none."""
        return loads(self.content)

    def events(self) -> list[Event]:
        """Return the Server-Sent Events of the content; `data` is text."""
        return EventReader().feed(self.content)


class StreamedReply(_Begun):
    """A reply under way, for plain functions."""

    def __init__(
        self,
        head: Head,
        url: str,
        history: list[Reply],
        exchange: Exchange,
        call: Callable[[Coroutine[Any, Any, bytes]], bytes],
    ) -> None:
        super().__init__(head, url, history)
        self._exchange, self._call = exchange, call

    def iter_bytes(self) -> Iterator[bytes]:
        """Give the pieces of the content as the handler makes them. ConnectionError when it is cut short."""
        while piece := self._call(self._exchange.next_piece()):
            yield piece

    def read(self) -> bytes:
        """Return the content that is left."""
        return b"".join(self.iter_bytes())

    def events(self) -> Iterator[Event]:
        """Give Server-Sent Events as they come; `data` is text."""
        reader = EventReader()
        for piece in self.iter_bytes():
            yield from reader.feed(piece)


class AsyncStreamedReply(_Begun):
    """A reply under way, for coroutines."""

    def __init__(
        self, head: Head, url: str, history: list[Reply], exchange: Exchange, timeout_s: float | None
    ) -> None:
        super().__init__(head, url, history)
        self._exchange, self._timeout_s = exchange, timeout_s

    def _timeout(self) -> asyncio.Timeout:
        import asyncio

        return asyncio.timeout(self._timeout_s)

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """Give the pieces of the content as the handler makes them. ConnectionError when it is cut short."""
        while True:
            async with self._timeout():
                piece = await self._exchange.next_piece()
            if not piece:
                return
            yield piece

    async def read(self) -> bytes:
        """Return the content that is left."""
        return b"".join([piece async for piece in self.iter_bytes()])

    async def events(self) -> AsyncIterator[Event]:
        """Give Server-Sent Events as they come; `data` is text."""
        reader = EventReader()
        async for piece in self.iter_bytes():
            for event in reader.feed(piece):
                yield event
