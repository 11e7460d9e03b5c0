"""An ASGI 3 application as a Handler.

Each request is one call of the application, run at once and carried on in a Task only when it waits.
Content up to 64 KiB is received first, since that is one read; longer content is handed on as it comes.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from penstock.errors import MissingExtra
from penstock.gateway.conversation import Conversation
from penstock.gateway.exchange import Exchange
from penstock.gateway.fields import split_section
from penstock.gateway.lifespan import Lifespan
from penstock.http.handler import INLINE, Endpoint
from penstock.websocket.handshake import check_handshake, is_handshake, load_protocol
from penstock.websocket.session import Session
from penstock.wire.limits import STANDARD_METHODS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.http.handler import ServerView
    from penstock.http.request import Request
    from penstock.http.response import Response

    Application = Callable[..., Awaitable[Any]]

_log = logging.getLogger("penstock.gateway")

WHOLE_BYTES = 65_536
"""Content up to this size is collected before the application is called: one read of the socket."""

# Background work gets this long when the server stops.
_BACKGROUND_S = 5.0


def takes_whole(request: Request) -> bool:
    """True when the content of a request is short enough to be collected first."""
    framing = request.framing
    length = framing.content_length
    return not framing.chunked and (
        length is None or (length <= WHOLE_BYTES and not framing.expects_continue)
    )


class ASGIHandler:
    """Serves an ASGI application."""

    interface = "ASGI"
    methods = STANDARD_METHODS

    def __init__(self, app: Application) -> None:
        self._app = app
        self._whole = Endpoint(self._call, INLINE)
        self._streamed = Endpoint(self._call, INLINE, streams_body=True)
        self.conversing = Endpoint(self._converse, INLINE)
        """For WebSocket. `resolve` finds it by what the request says; for a connection that has done the
        handshake itself, and has `make_session`, it is taken at once.
        """
        self._speaks_websocket: bool | None = None
        """None: nobody asked yet."""
        self._lifespan: Lifespan | None = None
        self._state: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        """Calls that wait, or work on after their response."""

    def resolve(self, request: Request) -> Endpoint:
        if request.framing.upgrade is not None and self._converses(request):
            return self.conversing
        return self._whole if takes_whole(request) else self._streamed

    def _converses(self, request: Request) -> bool:
        """True for a handshake of WebSocket; without what speaks it the application sees plain HTTP."""
        if request.method != "GET" or not is_handshake(request):
            return False
        if self._speaks_websocket is None:
            try:
                load_protocol()
            except MissingExtra as error:
                _log.warning("%s: answered as plain HTTP: %s", request, error)
                self._speaks_websocket = False
            else:
                self._speaks_websocket = True
        return self._speaks_websocket

    async def startup(self, server: ServerView) -> None:  # noqa: ARG002 - requests bring it
        """Run the application's start-up; ApplicationError when it reports a failure."""
        lifespan = Lifespan(self._app)
        await lifespan.start()
        self._lifespan, self._state = lifespan, lifespan.state

    async def shutdown(self) -> None:
        """Let background work finish, then run the application's shutdown."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_BACKGROUND_S)
            for task in late:
                task.cancel()
            if late:
                _log.warning("%d calls of the application were cancelled: the server stops", len(late))
                await asyncio.wait(late, timeout=1.0)
        if self._lifespan is not None:
            await self._lifespan.stop()

    def _call(self, request: Request) -> Response | Awaitable[Response]:
        scope = self._make_scope(request)
        exchange = Exchange(request, scope)
        connection = request.connection
        assert connection is not None  # noqa: S101 - requests come over one
        coroutine: Any = self._app(scope, exchange.receive, exchange.send)
        if type(coroutine) is not CoroutineType:
            coroutine = _awaited(coroutine)
        try:
            task = connection.server.run_eagerly(coroutine)
        except (Exception, asyncio.CancelledError) as error:
            exchange.finish(error)
        else:
            if isinstance(task, asyncio.Task):
                return self._wait(request, exchange, task)
            exchange.finish(None)
        assert exchange.response is not None  # noqa: S101 - finish sees to it
        return exchange.response

    def _wait(
        self, request: Request, exchange: Exchange, task: asyncio.Task[Any]
    ) -> Response | Awaitable[Response]:
        """The application goes on; answer as soon as it has sent its response, or begun to."""

        def on_done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            exchange.finish(asyncio.CancelledError() if task.cancelled() else task.exception())

        self._tasks.add(task)
        task.add_done_callback(on_done)
        if exchange.response is not None:
            return exchange.response
        exchange.answer = task.get_loop().create_future()
        assert request.connection is not None  # noqa: S101 - it came over one
        request.connection.on_disconnect(request, exchange.disconnect, task)
        return exchange.answer

    def _converse(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a handshake of WebSocket. The Origin of a page is the application's to judge."""
        connection = request.connection
        assert connection is not None  # noqa: S101 - requests come over one
        make_session = getattr(connection, "make_session", None)
        if make_session is None:
            check_handshake(request, ["*"])
            make_session = Session
        session = make_session(request, connection.server.websocket)
        conversation = Conversation(session)
        scope = self._make_scope(request)
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = session.offered
        scope["extensions"] = {"websocket.http.response": {}}
        coroutine = _awaited(self._app(scope, conversation.receive, conversation.send))
        try:
            task = connection.server.run_eagerly(coroutine)
        except (Exception, asyncio.CancelledError) as error:
            conversation.finish(error)
        else:
            if isinstance(task, asyncio.Task):
                session.task = task
                self._tasks.add(task)
                task.add_done_callback(partial(self._end_conversation, conversation))
            else:
                conversation.finish(None)
        answer: Response | Awaitable[Response] = session.answer()
        return answer

    def _end_conversation(self, conversation: Conversation, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        conversation.finish(asyncio.CancelledError() if task.cancelled() else task.exception())

    def _make_scope(self, request: Request) -> dict[str, Any]:
        raw_path = request.raw_path
        connection = request.connection
        # PERF: one display, nothing derived that the application does not get.
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1" if request.version == b"1" else "1.0",
            "method": request.method,
            "scheme": request.scheme,
            "path": raw_path.decode("ascii") if 0x25 not in raw_path else _unquote(raw_path),
            "raw_path": raw_path,
            "query_string": request.raw_query,
            "root_path": "",
            "headers": split_section(request.headers.raw),
            "client": request.client,
            "server": connection.local if connection is not None else None,
            "state": self._state.copy(),
            "extensions": {
                "http.response.trailers": {},
                "http.response.early_hint": {},
                "http.response.pathsend": {},
            },
        }
        if not request.is_plain:
            _tell_more(scope, request)
        return scope


def _tell_more(scope: dict[str, Any], request: Request) -> None:
    """What a request has beyond its fields: the authority of its target, what trusted proxies say, and where
    the application is mounted.
    """
    prefix, mounted_at = request.prefix, request.mounted_at
    if (prefix or mounted_at) and request.raw_path != b"*":
        taken = _unquote(prefix.encode())
        scope["root_path"] = taken + _unquote(mounted_at.encode("ascii"))
        scope["path"] = taken + scope["path"]  # the path the client asked for: `root_path` is part of it
        scope["raw_path"] = prefix.encode() + scope["raw_path"]
    authority = request.authority
    if authority is not None:  # it beats the Host field (RFC 9112 §3.2.2)
        scope["headers"] = [(b"host", authority), *[pair for pair in scope["headers"] if pair[0] != b"host"]]


def _unquote(raw_path: bytes) -> str:
    from urllib.parse import unquote_to_bytes

    # As other servers: octets that are not UTF-8 become U+FFFD, and the application finds no such path.
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")


async def _awaited(awaitable: Any) -> Any:
    """Make a coroutine of what an application returned."""
    return await awaitable
