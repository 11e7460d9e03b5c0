"""An App as an ASGI 3 application, for servers that speak what Penstock's own does not: HTTP/2, HTTP/3.

Each call makes the `Request` the native server would have made, resolves it, runs the endpoint where it
wants to run, and sends the `Response` as messages. The limit on content and the 501 for unknown methods,
which are the native server's, are kept here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from penstock.app.asgi_content import Content
from penstock.app.asgi_push import Pushed
from penstock.app.asgi_request import make_request, make_stand_in
from penstock.app.asgi_server import ForeignConnection, ForeignServer
from penstock.errors import (
    ClientDisconnected,
    HTTPError,
    LocalProtocolError,
    ProtocolError,
)
from penstock.http.current import working_for
from penstock.http.endings import close_endings
from penstock.http.file_response import FileResponse
from penstock.http.handler import THREAD
from penstock.http.headers import Headers
from penstock.http.in_threads import InThreads
from penstock.http.kept_response import KeptResponse
from penstock.http.partial import narrow
from penstock.http.problem import problem
from penstock.http.redaction import redactor
from penstock.http.response import PushResponse, Response, StreamResponse
from penstock.http.status import has_content
from penstock.wire.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.application import App
    from penstock.http.handler import Endpoint, Pulse
    from penstock.http.request import Request

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logging.getLogger("penstock.app")

# The connection is the server's (RFC 9110 §7.6.1), and HTTP/2 forbids these (RFC 9113 §8.2.2).
_OF_THE_CONNECTION = frozenset(
    {"connection", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade"}
)


class ASGIApplication:
    """What a foreign server calls for one App."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._server = ForeignServer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._answer(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            await self._converse(scope, receive, send)
        else:
            raise RuntimeError(f"ASGI: a scope of type {kind!r} is not known")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._app.startup(self._server)
        except Exception as error:
            _log.exception("the application failed to start")
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._server.draining.begin()
        await self._server.finish()
        try:
            await self._app.shutdown()
        except Exception as error:
            _log.exception("the application failed to stop")
            await send({"type": "lifespan.shutdown.failed", "message": f"{type(error).__name__}: {error}"})
            return
        finally:
            self._server.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._app.compile()
        content = Content(receive)
        response: Response | None = None
        error: Exception | None = None
        try:
            request = make_request(scope)
        except ProtocolError as fault:
            request = make_stand_in(scope)
            response = problem(fault.status, detail=redactor().text(fault.detail))
        else:
            request.connection = ForeignConnection(scope, self._server)
        with working_for(request):
            try:
                if response is None:
                    response = await self._respond(request, content)
                await self._send_response(scope, request, response, content, send)
            except ClientDisconnected:
                return
            except Exception as raised:
                error = raised
                raise
            finally:
                content.close()
                await close_endings(request, error)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        from penstock.app.asgi_websocket import ForeignSocket

        self._app.compile()
        await receive()
        try:
            request = make_request({**scope, "method": "GET"})
        except ProtocolError:
            await send({"type": "websocket.close"})
            return
        connection = request.connection = ForeignSocket(scope, self._server, receive, send)
        content = Content(connection.receive_http)
        content.is_ended = True
        with working_for(request):
            try:
                response = await self._respond(request, content)
                session = connection.session
                if session is not None and session.is_accepted:
                    await session.converse()
                else:
                    await self._send_response(scope, request, response, content, connection.send_http)
            except ClientDisconnected:
                return
            finally:
                content.close()
                if connection.session is None:  # else the handler's Task does it
                    await close_endings(request)

    async def _send_response(
        self, scope: Scope, request: Request, response: Response, content: Content, send: Send
    ) -> None:
        if isinstance(response, KeptResponse):
            response = response.original
        elif isinstance(response, FileResponse):
            response = narrow(request, response)
        try:
            if isinstance(response, FileResponse):
                if await self._send_path(scope, request, response, send):
                    return
                response = response.to_stream()
            if isinstance(response, StreamResponse):
                await MessageStream(request, response, content, send).run(scope)
            elif response.is_stream:
                raise LocalProtocolError(500, f"{type(response).__name__} needs Penstock's own server")
            else:
                await _send_whole(request, response, send, content)
        except LocalProtocolError as error:
            _log.error("%s: the response cannot be sent, trace id %s: %s", request, request.trace_id, error)
            await _send_whole(request, problem(500, trace_id=request.trace_id), send, content)

    async def _send_path(self, scope: Scope, request: Request, response: FileResponse, send: Send) -> bool:
        """Have the server send a whole file by its path, when it can; return whether that is done."""
        is_offered = "http.response.pathsend" in (scope.get("extensions") or {})
        is_whole = response.status == 200 and request.method != "HEAD" and not response.is_final
        if not is_offered or not is_whole or response.path is None:
            return False
        path = await self._server.run_in_thread(response.file.locate, response.path)
        if path is None:
            return False
        await send(_make_start(response))
        await send({"type": "http.response.pathsend", "path": path})
        return True

    async def _respond(self, request: Request, content: Content) -> Response:
        if request.method not in self._app.methods:
            return problem(501, detail=f"method {request.method} is not implemented")
        endpoint = self._app.resolve(request)
        content.limit_bytes = Limits().content_bytes if endpoint.body_limit is None else endpoint.body_limit
        try:
            content.check_length(request.framing.content_length)
            if endpoint.streams_body:
                request.stream = content
            else:
                request.body = await content.read()
            return await self._run(endpoint, request, content)
        except HTTPError as error:
            return problem(error.status, title=error.title, detail=error.detail, headers=error.headers)

    async def _run(self, endpoint: Endpoint, request: Request, content: Content) -> Response:
        try:
            connection: Any = request.connection
            if endpoint.after is not None:
                answer: Any = await connection.call_in_thread(endpoint, request)
            elif endpoint.run == THREAD:
                answer = await self._server.run_in_thread(endpoint.call, request)
            else:
                answer = endpoint.call(request)
            if endpoint.cancel_on_disconnect and not isinstance(answer, Response):
                answer = await _run_while_connected(answer, content)
            elif connection.is_watched and not isinstance(answer, Response):
                answer = await _run_and_watch(answer, content, connection)
            response: Any = answer if isinstance(answer, Response) else await answer
        except (HTTPError, ClientDisconnected):
            raise
        except Exception:
            # The border of the Task: an endpoint turns the failures of user code into responses itself.
            _log.exception("%s: the application failed, trace id %s", request, request.trace_id)
            return problem(500, trace_id=request.trace_id)
        return response  # type: ignore[no-any-return]


class MessageStream:
    """Sends a stream, and ends it when the client leaves."""

    def __init__(self, request: Request, response: StreamResponse, content: Content, send: Send) -> None:
        self._request = request
        self._response = response
        self._content = content
        self._connection: Any = request.connection
        self._send = send
        self._sending = asyncio.Lock()  # a beat must not come between
        self._sent_at_s = 0.0
        self._is_asking = False
        """The iterator is waited for: what was sent so far is whole pieces."""

    async def run(self, scope: Scope) -> None:
        """Return when all is sent, or the client has left; what the content raises is raised."""
        response = self._response
        # Over HTTP/3 Hypercorn 0.18 offers them, and then fails to end the stream: the client waits for ever.
        takes_trailers = (
            "http.response.trailers" in (scope.get("extensions") or {}) and self._request.version != b"3"
        )
        trailers = response.trailers if takes_trailers else None
        start = _make_start(response)
        if trailers is not None:
            start["trailers"] = True
        await self._send(start)
        pump = asyncio.create_task(self._pump(), context=response.context.copy())
        watch = asyncio.create_task(self._content.wait_disconnect())
        others = [watch]
        if response.pulse is not None:
            others.append(asyncio.create_task(self._beat(response.pulse)))
        try:
            await asyncio.wait([pump, watch], return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_gone = not pump.done()
            for task in (pump, *others):
                task.cancel()
            await asyncio.wait([pump, *others])
        if is_gone:
            self._connection.tell_disconnect()
            return
        try:
            pump.result()
        except OSError as error:  # how a server says that nobody reads on
            _log.info("%s: the client left during the stream: %r", self._request, error)
            return
        if _outlives_request(self._request):
            await self._content.discard()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if trailers is not None:
            fields = Headers.from_pairs(trailers() if callable(trailers) else trailers).items()
            headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
            await self._send({"type": "http.response.trailers", "headers": headers})

    async def _pump(self) -> None:
        content: Any = self._response.content
        is_bare = self._request.method == "HEAD" or not has_content(self._response.status)
        is_pushed = isinstance(self._response, PushResponse)
        if is_pushed:
            content = Pushed(self._response.source)  # type: ignore[attr-defined]  # as just seen
        elif not hasattr(content, "__aiter__"):
            content = InThreads(content, self._connection.server)
        iterator = content.__aiter__()
        try:
            while is_pushed or not is_bare:  # a source is let run, as it is over a socket
                self._is_asking = True
                try:
                    piece = await anext(iterator)
                except StopAsyncIteration:
                    break
                finally:
                    self._is_asking = False
                if not is_bare:
                    await self._send_piece(piece)
        finally:
            await _call_if_there(iterator, "aclose")

    async def _beat(self, pulse: Pulse) -> None:
        """Send a beat whenever one is due, until cancelled."""
        time = asyncio.get_running_loop().time
        self._sent_at_s = time()
        while pulse.interval_s != float("inf"):
            due_s = self._sent_at_s + pulse.interval_s
            if due_s > time():
                await asyncio.sleep(due_s - time())
                continue
            self._sent_at_s = time()
            if self._is_asking:
                try:
                    await self._send_piece(pulse.beat())
                except OSError:  # how a server says that nobody reads on; the next piece hears it too
                    return

    async def _send_piece(self, piece: bytes | str) -> None:
        octets = piece.encode() if isinstance(piece, str) else bytes(piece)
        if octets:
            async with self._sending:
                await self._send({"type": "http.response.body", "body": octets, "more_body": True})
                self._sent_at_s = asyncio.get_running_loop().time()


async def _run_while_connected(answer: Awaitable[Any], content: Content) -> Any:
    """Wait for an answer, and cancel it when the client leaves: ClientDisconnected."""
    task = asyncio.ensure_future(answer)
    watch = asyncio.create_task(content.wait_disconnect())
    try:
        await asyncio.wait([task, watch], return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_gone = not task.done()
        task.cancel()
        watch.cancel()
        await asyncio.wait([task, watch])
    if is_gone:
        raise ClientDisconnected("the client left before its reply")
    return task.result()


async def _run_and_watch(answer: Awaitable[Any], content: Content, connection: ForeignConnection) -> Any:
    """Wait for an answer; when the client leaves before it, tell who asked to be told, and wait on."""
    task = asyncio.ensure_future(answer)
    watch = asyncio.create_task(content.wait_disconnect())
    try:
        await asyncio.wait([task, watch], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            connection.tell_disconnect()
        return await task
    finally:
        watch.cancel()
        await asyncio.wait([watch])


async def _call_if_there(owner: object, name: str) -> None:
    method = getattr(owner, name, None)
    if method is not None:
        await method()


def _make_start(response: Response) -> dict[str, Any]:
    """The message that starts a response. LocalProtocolError when it could not be sent."""
    status = response.status
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise LocalProtocolError(500, f"status {status!r} is not a final status from 200 to 599")
    headers: list[tuple[bytes, bytes]] = []
    names = set()
    if response.own_headers is not None:
        response.own_headers.rendered()  # checks every octet
        for name, value in response.own_headers.items():
            names.add(name)
            if name not in _OF_THE_CONNECTION:
                headers.append((name.encode("ascii"), value.encode("latin-1")))
    if response.media_type is not None and "content-type" not in names:
        Headers.from_pairs([("content-type", response.media_type)])  # checks it
        headers.append((b"content-type", response.media_type.encode("latin-1")))
    if not response.is_stream and "content-length" not in names and has_content(status):
        headers.append((b"content-length", b"%d" % len(response.body)))
    return {"type": "http.response.start", "status": status, "headers": headers}


def _outlives_request(request: Request) -> bool:
    """True where a response must not end before the request does: content of a stream that is over is a fault
    to Hypercorn 0.18, which drops the connection for it, and in HTTP/3 all of them.
    """
    return request.version in (b"2", b"3")


async def _send_whole(request: Request, response: Response, send: Send, content: Content) -> None:
    start = _make_start(response)
    is_bare = request.method == "HEAD" or not has_content(response.status)
    try:
        await send(start)
        body = b"" if is_bare else response.body
        if not content.is_ended and _outlives_request(request):
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await content.discard()
            body = b""
        await send({"type": "http.response.body", "body": body})
    except OSError as error:
        _log.info("%s: the client left before its reply: %r", request, error)
