"""Streams of values: an iterator of anything, as one of octets, closed when the client leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def encoded(
    source: Any, encode: Callable[[Any], bytes], first: bytes = b"", expected: str = "expected an iterator"
) -> AsyncEncoded | Encoded:
    """Return what gives `first`, unless empty, and then `encode` of each of what a source gives."""
    if hasattr(source, "__aiter__"):
        return AsyncEncoded(source, encode, first)
    if hasattr(source, "__iter__") and not isinstance(source, (str, bytes, dict)):
        return Encoded(source, encode, first)
    hint = "; call the function that makes it" if callable(source) else ""
    raise TypeError(f"{expected}, not {type(source).__name__}{hint}")


class AsyncEncoded:
    """The octets of what an async source gives; closing it closes the source."""

    def __init__(self, source: Any, encode: Callable[[Any], bytes], first: bytes) -> None:
        self._source = source
        self._encode = encode
        self._first = first
        self._iterator: Any = None

    def __aiter__(self) -> AsyncEncoded:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._iterator is None:
            self._iterator = self._source.__aiter__()
        return self._encode(await self._iterator.__anext__())

    async def aclose(self) -> None:
        aclose = getattr(self._iterator or self._source, "aclose", None)
        if aclose is not None:
            await aclose()


class Encoded:
    """The same for a plain source."""

    def __init__(self, source: Any, encode: Callable[[Any], bytes], first: bytes) -> None:
        self._source = source
        self._encode = encode
        self._first = first
        self._iterator: Any = None

    def __iter__(self) -> Encoded:
        return self

    def __next__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._iterator is None:
            self._iterator = iter(self._source)
        return self._encode(next(self._iterator))

    def close(self) -> None:
        close = getattr(self._iterator or self._source, "close", None)
        if close is not None:
            close()
