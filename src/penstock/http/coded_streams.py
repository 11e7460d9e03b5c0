"""Streams in a content coding: each piece coded and flushed by itself, so that none waits for the next.

A stream keeps its kind: iterator, async iterator, or pushed pieces. Its beats go through the same coder, and
only while its iterator is waited for: between a piece and its sending no other octets may come. A piece of
more than 32 KiB is coded in a thread where it would hold up the loop. A Content-Length the application
declared is checked here, since the coded stream has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected, LocalProtocolError
from penstock.http.coders import make_coder
from penstock.http.in_threads import InThreads
from penstock.http.response import PushResponse, StreamResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from penstock.http.coders import Coder
    from penstock.http.handler import Pulse, ServerView, Sink, Source
    from penstock.http.headers import MutableHeaders
    from penstock.http.request import Request
    from penstock.http.response import Response

# PERF: coding this much takes 0.1 to 0.3 ms, during which the loop stands still; a thread takes 0.1 ms too.
LOOP_BYTES = 32 * 1024


def code_stream(
    request: Request, response: StreamResponse, fields: MutableHeaders, coding: str, level: int
) -> StreamResponse:
    """Return the stream with its content coded and these fields."""
    server, pulse = request.server, response.pulse
    state = _Coding(coding, level, declared_length(response, None))
    if isinstance(response, PushResponse):
        return _copied(response, PushResponse(_CodedSource(response.source, state, server)), fields)
    content: Any = response.content
    if pulse is not None and server is not None and not hasattr(content, "__aiter__"):
        content = InThreads(content, server)  # so that beats and pieces meet on the loop
    is_async = hasattr(content, "__aiter__")
    coded = StreamResponse(_CodedLater(content, state, server) if is_async else _Coded(content, state))
    coded.pulse = None if pulse is None else _CodedPulse(pulse, state)
    return _copied(response, coded, fields)


def with_fields(response: StreamResponse, fields: MutableHeaders) -> StreamResponse:
    """Return the same stream with other fields."""
    if isinstance(response, PushResponse):
        return _copied(response, PushResponse(response.source), fields)
    copy = StreamResponse(response.content)
    copy.pulse = response.pulse
    return _copied(response, copy, fields)


def declared_length(response: Response, otherwise: int | None) -> int | None:
    """Return the Content-Length the application set itself."""
    declared = response.own_headers.get("content-length") if response.own_headers is not None else None
    return int(declared) if declared is not None and declared.isdecimal() else otherwise


def _copied(original: StreamResponse, copy: StreamResponse, fields: MutableHeaders) -> StreamResponse:
    copy.status, copy.media_type, copy.own_headers = original.status, original.media_type, fields
    copy.trailers, copy.context = original.trailers, original.context
    return copy


class _Coding:
    """The coder of one stream, made with its first piece, and what was coded so far."""

    def __init__(self, coding: str, level: int, declared: int | None) -> None:
        self._made: Coder | None = None
        self._coding = coding
        self._level = level
        self._declared = declared
        self._count = 0
        self.is_asking = False
        """The iterator is waited for: a beat may come between."""

    @property
    def _coder(self) -> Coder:
        if self._made is None:
            self._made = make_coder(self._coding, self._level)
        return self._made

    def code(self, octets: bytes) -> bytes:
        return self._coder.code(octets)

    def count(self, piece: Any) -> bytes:
        """Return the octets of a piece, counted against the declared length."""
        if isinstance(piece, str):
            piece = piece.encode()
        elif type(piece) is not bytes:
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                raise TypeError(f"a piece of a stream must be bytes or str, not {type(piece).__name__}")
            piece = bytes(piece)
        self._count += len(piece)
        if self._declared is not None and self._count > self._declared:
            raise LocalProtocolError(500, f"more content than the Content-Length of {self._declared}")
        octets: bytes = piece
        return octets

    def finish(self, *, is_cut: bool = False) -> bytes:
        """Return the end of the content. LocalProtocolError when the declared length was not reached."""
        if self._declared is not None and self._count < self._declared and not is_cut:
            raise LocalProtocolError(
                500, f"{self._count} octets of content, the Content-Length is {self._declared}"
            )
        return self._coder.finish()


class _CodedPulse:
    """The pulse of a coded stream."""

    def __init__(self, pulse: Pulse, state: _Coding) -> None:
        self._pulse = pulse
        self._state = state
        self.interval_s = pulse.interval_s

    def beat(self) -> bytes:
        octets = self._pulse.beat() if self._state.is_asking else b""
        return self._state.code(octets) if octets else b""

    def end(self) -> bytes | None:
        octets = self._pulse.end() if self._state.is_asking else None
        if octets is None:
            return None
        return (self._state.code(octets) if octets else b"") + self._state.finish(is_cut=True)


class _Coded:
    """A plain iterator, coded where it runs."""

    def __init__(self, content: Any, state: _Coding) -> None:
        self._content = content
        self._state = state
        self._iterator: Any = None
        self._is_over = False

    def __iter__(self) -> _Coded:
        return self

    def __next__(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._content)
        while not self._is_over:
            try:
                octets = self._state.count(next(self._iterator))
            except StopIteration:
                self._is_over = True
                return self._state.finish()
            if octets:
                return self._state.code(octets)
        raise StopIteration

    def close(self) -> None:
        close = getattr(self._content if self._iterator is None else self._iterator, "close", None)
        if close is not None:
            close()


class _CodedLater:
    """An async iterator; long pieces are coded in a thread."""

    def __init__(self, content: Any, state: _Coding, server: ServerView | None) -> None:
        self._content = content
        self._state = state
        self._server = server
        self._iterator: Any = None
        self._is_over = False

    def __aiter__(self) -> _CodedLater:
        return self

    async def __anext__(self) -> bytes:
        state = self._state
        if self._iterator is None:
            self._iterator = self._content.__aiter__()
        while not self._is_over:
            state.is_asking = True
            try:
                piece = await self._iterator.__anext__()
            except StopAsyncIteration:
                state.is_asking = False
                self._is_over = True
                return state.finish()
            state.is_asking = False
            octets = state.count(piece)
            if len(octets) > LOOP_BYTES and self._server is not None:
                coded: bytes = await self._server.continue_in_thread(state.code, octets)
                return coded
            if octets:
                return state.code(octets)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._state.is_asking = False
        aclose = getattr(self._content if self._iterator is None else self._iterator, "aclose", None)
        if aclose is not None:
            await aclose()


class _CodedSource:
    """A source whose sink codes."""

    def __init__(self, source: Source, state: _Coding, server: ServerView | None) -> None:
        self._source = source
        self._state = state
        self._server = server

    def begin(self, sink: Sink) -> None:
        self._source.begin(_CodedSink(sink, self._state, self._server))

    def disconnect(self) -> None:
        self._source.disconnect()


class _CodedSink:
    """Codes pieces on their way; while a thread is at one, those behind it and the end wait."""

    def __init__(self, sink: Sink, state: _Coding, server: ServerView | None) -> None:
        self._sink = sink
        self._state = state
        self._server = server
        self._under_way = 0
        """Pieces that threads are at, or that wait behind those."""
        self._last: Awaitable[None] | None = None
        self._is_over = False
        """It ends as soon as nothing is under way."""

    def send(self, piece: bytes) -> Awaitable[None] | None:
        octets = self._state.count(piece)
        if not octets:
            return None
        if self._server is None or (not self._under_way and len(octets) <= LOOP_BYTES):
            return self._sink.send(self._state.code(octets))
        self._under_way += 1
        before = self._last if self._under_way > 1 else None
        self._last = self._server.run_soon(self._send_later(self._server, octets, before))
        return self._last

    async def _send_later(self, server: ServerView, octets: bytes, before: Awaitable[None] | None) -> None:
        waits = None
        try:
            if before is not None:
                await before
            waits = self._sink.send(await server.continue_in_thread(self._state.code, octets))
        except ClientDisconnected:
            pass  # whoever sends next is told
        finally:
            self._under_way -= 1
            if self._is_over and not self._under_way:
                self._finish()
        if waits is not None:
            await waits

    def end(self, *, is_complete: bool = True) -> None:
        if not is_complete:
            self._sink.end(is_complete=False)
        elif self._under_way:
            self._is_over = True
        else:
            self._finish()

    def _finish(self) -> None:
        try:
            octets = self._state.finish()
            if octets:
                self._sink.send(octets)
        except ClientDisconnected:
            return
        self._sink.end()
