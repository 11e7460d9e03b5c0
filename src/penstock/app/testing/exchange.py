"""One request and its response, in process: octets through `wire.reader` to the App, its response through
`wire.serialise` to status, fields and content.

Everything here runs on the loop. An exchange runs in an empty context of its own, as a request over a socket
does. Pieces of a stream wait until they are asked for, and whoever leaves early is a client that leaves.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.asgi import ASGIApplication, MessageStream
from penstock.app.asgi_content import Content
from penstock.app.asgi_server import ForeignConnection, ForeignServer
from penstock.errors import ClientDisconnected, LocalProtocolError, ProtocolError
from penstock.http.current import current
from penstock.http.endings import close_endings
from penstock.http.file_response import FileResponse
from penstock.http.headers import Headers
from penstock.http.kept_response import KeptResponse
from penstock.http.partial import narrow
from penstock.http.problem import problem, unexpected
from penstock.http.response import Response, StreamResponse
from penstock.wire.limits import Limits
from penstock.wire.reader import RequestReader
from penstock.wire.serialise import Serialiser, closes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from penstock.app.application import App
    from penstock.http.request import Request

    Message = dict[str, Any]

_failures: ContextVar[list[BaseException]] = ContextVar("failures")
"""What nobody handled in this exchange."""


def note_failures(failures: list[BaseException]) -> None:
    """Have what nobody handles in this context go into the list."""
    _failures.set(failures)


def raisable(error: BaseException) -> Exception:
    """Return what may go through a loop to the test: SystemExit would end it, CancelledError the test."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(f"the application raised {error!r}")
    wrapped.__cause__ = error
    return wrapped


class Head(NamedTuple):
    """The beginning of a reply."""

    status: int
    headers: Headers


class TestedServer(ForeignServer):
    """The server a handler sees. It notes the failures nobody handled."""

    __test__ = False  # no test case, whatever its name

    @staticmethod
    def explain(request: Request, error: BaseException) -> Response:  # type: ignore[override]
        """Return the answer of a server in production, and note the failure."""
        _failures.get([]).append(error)
        return problem(500, trace_id=request.trace_id)


class Engine(ASGIApplication):
    """An App between its start and its stop, on one loop."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        app.compile()
        self._server = TestedServer()
        self.serialiser = Serialiser()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._life: asyncio.Task[None] | None = None
        self._is_stopping = asyncio.Event()

    async def start(self) -> None:
        """Run the App's start-up; what it raises is raised."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # One Task for start and stop: lifespans may hold what belongs to a Task.
        self._life = asyncio.create_task(self._run_lifespan(started), context=Context())
        await asyncio.wait([self._life, started], return_when=asyncio.FIRST_COMPLETED)
        if self._life.done():
            life, self._life = self._life, None
            life.result()

    async def _run_lifespan(self, started: asyncio.Future[None]) -> None:
        await self._app.startup(self._server)
        started.set_result(None)
        await self._is_stopping.wait()
        await self._app.shutdown()

    async def stop(self) -> None:
        """End what is still under way, then run the App's shutdown if it was started."""
        self._server.draining.begin()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._server.finish()
        self._is_stopping.set()
        try:
            if self._life is not None:
                await self._life
        finally:
            self._server.stop()

    @property
    def server(self) -> ForeignServer:
        return self._server

    async def converse(self, scope: Message, receive: Any, send: Any) -> None:
        """Hold the conversation of a WebSocket."""
        await self._converse(scope, receive, send)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it in an empty context, until the end of this engine at the latest."""
        task = asyncio.create_task(coroutine, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def answer(self, octets: bytes, scheme: str, exchange: Exchange) -> None:
        """Answer the request of this head."""
        self._app.compile()  # overrides may have changed
        self.serialiser.set_date(time.time())
        try:
            request = RequestReader(Limits(), self._app.methods).next_request(octets)
        except ProtocolError as fault:
            refusal = problem(fault.status, detail=fault.detail)
            await exchange.take_octets(self.serialiser.render(None, refusal, False))
            return
        assert request is not None  # noqa: S101 - the head is whole
        content = Content(exchange.receive)
        scope = {"scheme": scheme, "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8_000)}
        request.connection = ForeignConnection(scope, self._server)
        current.set(request)  # the context is this exchange's own
        error: Exception | None = None
        try:
            response = await self._respond(request, content)
            exchange.request = request
            is_read = content.is_ended or not request.framing.has_content
            persistent = request.framing.persistent and is_read and not closes(response)
            await self._give(request, response, content, exchange, persistent=persistent)
        except ClientDisconnected:
            return
        except Exception as raised:
            error = raised
            raise
        finally:
            content.close()
            await close_endings(request, error)

    async def _give(
        self, request: Request, response: Response, content: Content, exchange: Exchange, *, persistent: bool
    ) -> None:
        try:
            if isinstance(response, KeptResponse):
                response = response.original
            elif isinstance(response, FileResponse):
                response = narrow(request, response)
            if isinstance(response, FileResponse):
                response = response.to_stream()
            if isinstance(response, StreamResponse):
                head, _, length = self.serialiser.render_stream_head(request, response, persistent=persistent)
                await exchange.take_octets(head)
                exchange.length = None if request.method == "HEAD" else length
                await MessageStream(request, response, content, exchange.send).run({})
            elif response.is_stream:
                raise LocalProtocolError(500, f"{type(response).__name__} needs Penstock's own server")
            else:
                await exchange.take_octets(self.serialiser.render(request, response, persistent))
        except LocalProtocolError as error:
            if exchange.has_begun:
                raise
            answer = unexpected(request, error)
            await exchange.take_octets(self.serialiser.render(request, answer, persistent))


class Exchange:
    """What the client's side of one request holds. Begin, then ask for pieces until b"", then `leave`."""

    def __init__(self, engine: Engine, pieces: AsyncIterator[bytes], *, raises: bool) -> None:
        self._engine = engine
        self._pieces: AsyncIterator[bytes] | None = pieces
        self._raises = raises
        self._failures: list[BaseException] = []
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._is_gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.request: Request | None = None
        """What the App was asked, once it has answered."""
        self.length: int | None = None
        """Octets of content still to come, when that was declared."""

    # The client's side.

    async def begin(self, octets: bytes, scheme: str) -> Head:
        """Send the request; return the head of the reply. What the handler raised is raised, if that was
        asked for.
        """
        self._task = task = self._engine.spawn(self._run(octets, scheme))
        try:
            waited: list[asyncio.Future[Any]] = [task, self._head]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self.leave()
            raise
        if self._raises and self._failures:
            await self.leave()
            raise raisable(self._failures[0])
        if not self._head.done():
            self._check()
            raise ConnectionError("the connection ended before a reply")
        return self._head.result()

    async def next_piece(self) -> bytes:
        """Return the next piece of content, b"" at its end. ConnectionError when it is cut short."""
        assert self._task is not None  # noqa: S101 - it has begun
        getter = asyncio.ensure_future(self._queue.get())
        waited: list[asyncio.Future[Any]] = [self._task, getter]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
        finally:
            getter.cancel()
        if not self._queue.empty():
            return self._queue.get_nowait()
        self._check()
        return b""

    def _check(self) -> None:
        """Raise what ended the exchange too early."""
        task = self._task
        assert task is not None  # noqa: S101 - it has begun
        if task.cancelled():
            raise ConnectionError("the server stopped before the end of the reply")
        error = task.exception()
        if error is None:
            if self.length:
                raise ConnectionError(f"the reply ended {self.length} octets before its declared end")
            return
        if self._raises:
            raise raisable(error)
        raise ConnectionError(f"the reply was cut short: {type(error).__name__}") from error

    async def leave(self) -> None:
        """Be a client that leaves; return when everything has ended."""
        self._is_gone.set()
        task = self._task
        if task is None or task.done():
            return
        try:
            async with asyncio.timeout(1.0):
                while not task.done():
                    if not self._queue.empty():
                        self._queue.get_nowait()
                    await asyncio.wait([task], timeout=0.01)
        except TimeoutError:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody reads on

    # The server's side.

    async def _run(self, octets: bytes, scheme: str) -> None:
        note_failures(self._failures)
        await self._engine.answer(octets, scheme, self)

    @property
    def has_begun(self) -> bool:
        return self._head.done()

    async def receive(self) -> Message:
        """Return content, then the end of the connection."""
        if self._pieces is not None:
            async for piece in self._pieces:
                return {"type": "http.request", "body": piece, "more_body": True}
            self._pieces = None
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def take_octets(self, octets: bytes) -> None:
        """Take a head, and content if there is some."""
        head, _, content = octets.partition(b"\r\n\r\n")
        line, _, section = head.partition(b"\r\n")
        if not self._head.done():
            self._head.set_result(Head(int(line[9:12]), Headers(section + b"\r\n" if section else b"")))
        if content:
            await self._queue.put(content)

    async def send(self, message: Message) -> None:
        """Take a piece of a stream, once the one before it was taken."""
        piece: bytes = message.get("body", b"")
        if self.length is not None:
            if len(piece) > self.length:
                raise LocalProtocolError(500, "the content is longer than its Content-Length")
            self.length -= len(piece)
        if piece:
            await self._queue.put(piece)
