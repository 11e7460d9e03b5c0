"""`MultipartStream`: the parts of a form as they arrive, nothing held but a piece.

    async for part in form:          # in a `def` handler, `for part in form`
        async for piece in part:     # `for piece in part`
            ...

A part is read while it is the current one; what is left of it is passed over when the next is asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from penstock.errors import HTTPError
from penstock.http.form import DEFAULT_LIMITS, MULTIPART, FormLimits, beyond_total, media_type_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from penstock.http.multipart import PartHead
    from penstock.http.request import Request

_MORE: Final[Any] = object()
_OVER: Final[Any] = object()


class FormPart:
    """One part of a `MultipartStream`: a field when `filename` is None, else a file."""

    __slots__ = ("_form", "_is_over", "_rest", "content_type", "filename", "name", "raw_filename")

    def __init__(self, form: MultipartStream, head: PartHead) -> None:
        self._form = form
        self._rest = b""
        self._is_over = False
        self.name = head.name
        self.filename = head.filename
        """Without folders, control characters and all else that is no name; not unique."""
        self.raw_filename = head.raw_filename
        """As the client wrote it: not for the file system."""
        self.content_type = head.content_type
        """As the client wrote it; "" when it did not."""

    def read(self, size: int = -1) -> bytes:
        """Return the next octets, at most `size`, all that are left for -1; b"" at the end. In a thread."""
        if size < 0:
            return b"".join(self)
        return self._cut(self._take(self._form.next_event) if size and not self._rest else b"", size)

    async def aread(self, size: int = -1) -> bytes:
        """Do the same on the loop."""
        if size < 0:
            return b"".join([piece async for piece in self])
        return self._cut(await self._atake() if size and not self._rest else b"", size)

    def _cut(self, piece: bytes, size: int) -> bytes:
        piece = self._rest + piece
        self._rest = piece[size:]
        return piece[:size]

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._taken_rest() or self._take(self._form.next_event):
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := self._taken_rest() or await self._atake():
            yield piece

    def _taken_rest(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    def _take(self, next_event: Any) -> bytes:
        self._check()
        return b"" if self._is_over else self._seen(next_event())

    async def _atake(self) -> bytes:
        self._check()
        return b"" if self._is_over else self._seen(await self._form.anext_event())

    def _check(self) -> None:
        if self._form.current is not self:
            raise RuntimeError(f"the part {self.name!r} was passed over; read a part before the next one")

    def _seen(self, event: Any) -> bytes:
        if event is None or event is _OVER:
            self._is_over = True
            return b""
        piece: bytes = event
        return piece

    def __repr__(self) -> str:
        return f"<FormPart {self.name!r}>"


class MultipartStream:
    """A multipart/form-data body, part by part. HTTPError 415, 400 or 413 when it is none, is malformed or
    beyond a limit; ClientDisconnected when the client leaves.
    """

    def __init__(self, request: Request, limits: FormLimits = DEFAULT_LIMITS) -> None:
        from penstock.http.multipart import MultipartReader

        content_type = request.headers.get("content-type", "")
        if media_type_of(content_type) != MULTIPART:
            raise HTTPError(415, f"the content must be {MULTIPART}", headers={"Accept": MULTIPART})
        self._reader = MultipartReader(content_type, limits)
        self._content: Any = request.stream
        self._body = request.body
        self._events: deque[Any] = deque()
        self._pieces: Any = None
        self._is_ended = False
        self.current: FormPart | None = None
        """The part that can be read."""

    def __iter__(self) -> Iterator[FormPart]:
        while (event := self.next_event()) is not _OVER:
            if not isinstance(event, bytes) and event is not None:
                self.current = FormPart(self, event)
                yield self.current

    async def __aiter__(self) -> AsyncIterator[FormPart]:
        while (event := await self.anext_event()) is not _OVER:
            if not isinstance(event, bytes) and event is not None:
                self.current = FormPart(self, event)
                yield self.current

    def next_event(self) -> Any:
        """Return what the octets say next: for parts. In a thread."""
        if self._pieces is None:
            if self._content is not None and _is_on_loop():
                raise RuntimeError("on the loop, a form is read with `async for`")
            self._pieces = iter(self._content if self._content is not None else [self._body])
        while (event := self._taken()) is _MORE:
            try:
                piece = next(self._pieces, b"")
            except HTTPError as error:
                raise beyond_total(error) from None
            self._feed(piece)
        return event

    async def anext_event(self) -> Any:
        """Do the same on the loop."""
        if self._pieces is None:
            self._pieces = aiter(self._content if self._content is not None else _whole(self._body))
        while (event := self._taken()) is _MORE:
            try:
                piece = await anext(self._pieces, b"")
            except HTTPError as error:
                raise beyond_total(error) from None
            self._feed(piece)
        return event

    def _taken(self) -> Any:
        if self._events:
            return self._events.popleft()
        return _OVER if self._is_ended else _MORE

    def _feed(self, piece: bytes) -> None:
        if piece:
            self._events.extend(self._reader.feed(piece))
        else:
            self._is_ended = True
            self._reader.end()


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
