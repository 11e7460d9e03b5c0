"""`AsyncTestClient`: requests to an App in process, for tests that are coroutines, on their own loop.

    async with AsyncTestClient(app) as client:
        assert (await client.get("/")).text == "Hello, World!"

In an `async with` block the App is started and stopped; without, the lifespan does not run.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, Unpack

from penstock.app.testing.configured import Configured
from penstock.app.testing.exchange import Engine
from penstock.app.testing.reply import AsyncStreamedReply, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import TracebackType

    from penstock.app.testing.conversation import AsyncWebSocketConnection
    from penstock.app.testing.outgoing import Options


class AsyncTestClient(Configured):
    """A client of an App, for coroutines; its options are those of `TestClient`."""

    __test__ = False  # no test case, whatever its name

    _engine: Engine | None = None

    # Life.

    async def __aenter__(self) -> Self:
        if self._engine is not None:
            raise RuntimeError("this client has been entered already")
        engine = Engine(self.app)
        try:
            async with asyncio.timeout(self._session.timeout_s):
                await engine.start()
        except BaseException:
            await engine.stop()
            raise
        self._engine = engine
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()

    @asynccontextmanager
    async def _run(self) -> AsyncIterator[Engine]:
        if self._engine is not None:
            yield self._engine
            return
        engine = Engine(self.app)
        try:
            yield engine
        finally:
            await engine.stop()

    # Requests.

    async def request(self, method: str, path: str, **options: Unpack[Options]) -> Reply:
        """Send a request and return the whole reply."""
        async with self._run() as engine, asyncio.timeout(self._session.timeout_of(options)):
            return await self._session.request(engine, method, path, options)

    async def get(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("DELETE", path, **options)

    async def head(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("HEAD", path, **options)

    async def options(self, path: str, **options: Unpack[Options]) -> Reply:
        return await self.request("OPTIONS", path, **options)

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, **options: Unpack[Options]
    ) -> AsyncIterator[AsyncStreamedReply]:
        """Send a request; its content comes when it is asked for. Leaving the block is a client
        that leaves.
        """
        timeout_s = self._session.timeout_of(options)
        async with self._run() as engine:
            async with asyncio.timeout(timeout_s):
                begun = await self._session.begin(engine, method, path, options)
            try:
                yield AsyncStreamedReply(*begun, timeout_s)
            finally:
                await begun.exchange.leave()

    @asynccontextmanager
    async def websocket(
        self, path: str, *, subprotocols: Sequence[str] = (), **options: Unpack[Options]
    ) -> AsyncIterator[AsyncWebSocketConnection]:
        """Ask for a WebSocket, and close it at the end of the block. WebSocketRefused when the answer is
        another.
        """
        async with self._run() as engine:
            connection = await self._session.connect(engine, path, subprotocols, options)
            try:
                yield connection
            except BaseException:
                await connection.leave()
                raise
            await connection.finish()
