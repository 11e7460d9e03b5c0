"""A WSGI application (PEP 3333) as a Handler: each request is one call in a pool thread.

Content that is one piece, or whose Content-Length the first piece fills, is sent as a complete response;
a file is sent by the server (`file_wrapper`), and anything else is a stream, each piece sent before the next
is asked for. `close()` of the returned iterable is called once the response has left, in whatever way it
ended. A stream whose client reads slowly gives its thread back, and may go on in another one.
"""

from __future__ import annotations

import logging
import re
import threading
from contextvars import copy_context
from functools import lru_cache, partial
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any

from penstock.errors import ClientDisconnected
from penstock.gateway.asgi import takes_whole
from penstock.gateway.environ import Input, make_environ
from penstock.gateway.fields import make_file, make_response, make_stream, sort_lines
from penstock.gateway.file_wrapper import FileWrapper
from penstock.gateway.route_names import route_of_environ
from penstock.gateway.writer import Writer
from penstock.http.handler import ANSWERED, THREAD, Endpoint
from penstock.http.problem import problem, unexpected
from penstock.wire.limits import STANDARD_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextvars import Context
    from types import TracebackType

    from penstock.gateway.fields import Fields
    from penstock.http.handler import ServerView
    from penstock.http.request import Request
    from penstock.http.response import Response

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
    Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_log = logging.getLogger("penstock.gateway")

_STATUS = re.compile(r"([2-5][0-9]{2})(?: .*)?")


class WSGIHandler:
    """Serves a WSGI application."""

    interface = "WSGI"
    methods = STANDARD_METHODS

    def __init__(self, app: Application) -> None:
        self._app = app
        self._pending = _Pending()
        self._whole = Endpoint(self._call, THREAD, after=self._close)
        self._streamed = Endpoint(self._call, THREAD, streams_body=True, after=self._close)

    def resolve(self, request: Request) -> Endpoint:
        return self._whole if takes_whole(request) else self._streamed

    async def startup(self, server: ServerView) -> None:
        """WSGI has no start-up."""

    async def shutdown(self) -> None:
        """WSGI has no shutdown."""

    def _call(self, request: Request) -> Response:
        # One context for the call, each piece and close(): what the application sets in one it resets in
        # another, and a token of one context is no good in a copy of it.
        context = copy_context()
        return context.run(self._call_in, context, request)

    def _call_in(self, context: Context, request: Request) -> Response:
        content = BytesIO(request.body) if request.stream is None else Input(request.stream)
        start = _Start(request)
        iterable: Any = None
        try:
            start.environ = environ = make_environ(request, content)
            iterable = self._app(environ, start)
            response = self._respond(context, start, iterable)
        except BaseException as error:
            if not isinstance(error, Exception) and start.writer is None:
                raise
            self._close_later(context, getattr(iterable, "close", None))
            response = _fail(request, error)
        if type(content) is Input and (fault := content.fault) is not None:
            self._close_later(context, getattr(iterable, "close", None))
            response = problem(fault.status, title=fault.title, detail=fault.detail)
        if start.writer is not None:
            start.writer.end(is_complete=response is ANSWERED)
            return ANSWERED  # type: ignore[no-any-return]
        return response

    def _respond(self, context: Context, start: _Start, iterable: Any) -> Response:
        """Take the first piece, before which the head cannot leave, and judge by it how to send the rest."""
        close = getattr(iterable, "close", None)
        if start.writer is not None:
            return self._write_rest(context, start.writer, iter(iterable), close)
        if isinstance(iterable, (list, tuple)):
            content = b"".join(iterable)
            if close is not None:
                self._close_later(context, close)
            return make_response(*start.take(), content)
        if type(iterable) is FileWrapper and (found := iterable.find_file()) is not None:
            response = make_file(*start.take(), *found)
            response.after = partial(context.run, _close_logged, iterable.close)
            return response
        iterator = iter(iterable)
        first = b""
        is_over = False
        while not first and not is_over and start.writer is None:
            try:
                first = next(iterator)
            except StopIteration:
                is_over = True
        _check_piece(first)
        if start.writer is not None:  # a generator that writes before its first piece
            return self._write_rest(context, start.writer, chain((first,), iterator), close)
        status, fields = start.take()
        if is_over or fields.length == len(first):  # without a piece, too, the whole content is there
            self._close_later(context, close)
            return make_response(status, fields, first)
        return make_stream(status, fields, _Content([first], iterator, close, context))

    def _write_rest(
        self, context: Context, writer: Writer, pieces: Iterator[bytes], close: Callable[[], None] | None
    ) -> Response:
        """Send what was returned behind what was written."""
        for piece in pieces:
            writer.write(piece)
        self._close_later(context, close)
        return ANSWERED  # type: ignore[no-any-return]

    def _close_later(self, context: Context, close: Callable[[], None] | None) -> None:
        self._pending.close = None if close is None else partial(context.run, close)

    def _close(self) -> None:
        """The reply has left the thread: let the application clean up."""
        close = self._pending.close
        if close is not None:
            self._pending.close = None
            _close_logged(close)


def _close_logged(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception:
        _log.exception("the application failed in close()")


class _Pending(threading.local):
    """What the thread has to close after the reply."""

    close: Callable[[], None] | None = None


class _Start:
    """`start_response` of one call, and what the application said through it."""

    __slots__ = ("_head", "_is_sent", "_request", "environ", "writer")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._head: tuple[int, Fields] | None = None
        self._is_sent = False
        self.environ: dict[str, Any] = {}
        self.writer: Writer | None = None
        """Set by the first `write`: the request is answered."""

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no cycle through the traceback
        elif self._head is not None:
            raise RuntimeError("WSGI: start_response was called a second time without exc_info")
        request = self._request
        if request.route is None and not request.mounted_at:  # a mount has its own name
            request.route = route_of_environ(self.environ)  # now: Flask takes it back when it returns
        try:
            self._head = _keep_head(status, tuple(headers))
        except TypeError:  # lists in place of tuples, or what is refused
            self._head = _read_head(status, tuple([(name, value) for name, value in headers]))
        return self._write

    def _write(self, piece: bytes) -> None:
        """The `write` callable."""
        if self.writer is None:
            if self._is_sent:
                raise RuntimeError("WSGI: write() is not for the iterable, whose pieces are sent already")
            self.writer = Writer(self._request, *self.take())
        self.writer.write(piece)

    def take(self) -> tuple[int, Fields]:
        """Return status and fields; from now on they are sent."""
        if self._head is None:
            raise RuntimeError("WSGI: the application gave content before it called start_response")
        self._is_sent = True
        return self._head


def _read_head(status: str, lines: tuple[tuple[str, str], ...]) -> tuple[int, Fields]:
    match = _STATUS.fullmatch(status) if isinstance(status, str) else None
    if match is None:
        raise ValueError(f"WSGI: a status is a str such as '200 OK', not {status!r}")
    for name, value in lines:
        if not isinstance(name, str) or not isinstance(value, str):
            kinds = f"{type(name).__name__} and {type(value).__name__}"
            raise TypeError(f"WSGI: a header is a pair of str, not {kinds} ({name!r})")
    return int(match[1]), sort_lines(lines)


# PERF: an application repeats its heads, 0.25 us against 1.2.
_keep_head = lru_cache(512)(_read_head)


class _Content:
    """The rest of an iterable behind the pieces taken already; closing it closes the iterable, once."""

    def __init__(
        self,
        head: list[bytes],
        iterator: Iterator[bytes],
        close: Callable[[], None] | None,
        context: Context,
    ) -> None:
        self._head = head[::-1]
        self._iterator = iterator
        self._close = close
        self._run = context.run

    def __iter__(self) -> _Content:
        return self

    def __next__(self) -> bytes:
        piece = self._head.pop() if self._head else self._run(next, self._iterator)
        _check_piece(piece)
        return piece

    def close(self) -> None:
        close, self._close = self._close, None
        if close is not None:
            self._run(close)


def _check_piece(piece: object) -> None:
    if not isinstance(piece, bytes):
        raise TypeError(f"WSGI: a piece of content is bytes, not {type(piece).__name__}")


def _fail(request: Request, error: BaseException) -> Response:
    if isinstance(error, ClientDisconnected):
        _log.info("%s: the application gave up after the client: %r", request, error)
        return problem(400, detail=str(error))
    _log.error("%s: the application failed, trace id %s", request, request.trace_id, exc_info=error)
    return unexpected(request, error)
