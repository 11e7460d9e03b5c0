"""`TestClient`: requests to an App in process, for tests that are plain functions.

    with TestClient(app) as client:
        assert client.get("/").text == "Hello, World!"

In a `with` block the App is started and stopped, on one loop in a thread of its own, where its coroutines
run, too. Without, each request has a loop of its own and the lifespan does not run.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from penstock.app.testing.configured import Configured
from penstock.app.testing.conversation import WebSocketConnection
from penstock.app.testing.exchange import Engine
from penstock.app.testing.reply import Reply, StreamedReply

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from types import TracebackType

    from penstock.app.application import App
    from penstock.app.testing.outgoing import Options

T = TypeVar("T")

_log = logging.getLogger("penstock.app")


class _Running:
    """An engine on a loop in a thread of its own."""

    def __init__(self, app: App) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name="test-client", daemon=True)
        self._thread.start()
        try:
            self.engine = self.call(None, _make_engine(app))
        except BaseException:
            self._end()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._is_ended:
            try:
                self._loop.run_forever()
            except BaseException:  # SystemExit in a Task of the application ends the run of a loop
                _log.exception("the application ended the loop")

    def call(self, timeout_s: float | None, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns, run on the loop in an empty context."""
        future = Context().run(asyncio.run_coroutine_threadsafe, coroutine, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise TimeoutError(f"nothing came within {timeout_s:g} s") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        try:
            self.call(None, self.engine.stop())
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self.call(None, _end_tasks())
        finally:
            self._is_ended = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class TestClient(Configured):
    """A client of an App, for plain functions. `base_url` is what paths are relative to; `headers` and
    `cookies` go with every request.

    `raise_server_exceptions`: what no exception handler answers is raised in the test; False gives the 500.
    `timeout` is for each wait, in seconds. `check_schema`: every reply has to be what the OpenAPI document of
    the App says, or AssertionError.
    """

    __test__ = False  # pytest takes it for a test case by its name

    _running: _Running | None = None

    # Life.

    def __enter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("this client has been entered already")
        running = _Running(self.app)
        try:
            running.call(self._session.timeout_s, running.engine.start())
        except BaseException:
            running.stop()
            raise
        self._running = running
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    @contextmanager
    def _run(self) -> Iterator[_Running]:
        if self._running is not None:
            yield self._running
            return
        running = _Running(self.app)
        try:
            yield running
        finally:
            running.stop()

    # Requests.

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Reply:
        """Send a request and return the whole reply."""
        with self._run() as running:
            call = self._session.request(running.engine, method, path, options)
            return running.call(self._session.timeout_of(options), call)

    def get(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("DELETE", path, **options)

    def head(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Unpack[Options]) -> Reply:
        return self.request("OPTIONS", path, **options)

    @contextmanager
    def stream(self, method: str, path: str, **options: Unpack[Options]) -> Iterator[StreamedReply]:
        """Send a request; its content comes when it is asked for. Leaving the block is a client
        that leaves.
        """
        timeout_s = self._session.timeout_of(options)
        with self._run() as running:
            begun = running.call(timeout_s, self._session.begin(running.engine, method, path, options))
            try:
                yield StreamedReply(*begun, partial(running.call, timeout_s))
            finally:
                running.call(None, begun.exchange.leave())

    @contextmanager
    def websocket(
        self, path: str, *, subprotocols: Sequence[str] = (), **options: Unpack[Options]
    ) -> Iterator[WebSocketConnection]:
        """Ask for a WebSocket, and close it at the end of the block. WebSocketRefused when the answer is
        another.
        """
        with self._run() as running:
            call = partial(running.call, None)  # each wait has its limit in the connection
            connection = call(self._session.connect(running.engine, path, subprotocols, options))
            try:
                yield WebSocketConnection(connection, call)
            except BaseException:
                call(connection.leave())
                raise
            call(connection.finish())


async def _make_engine(app: App) -> Engine:
    return Engine(app)


async def _end_tasks() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()
