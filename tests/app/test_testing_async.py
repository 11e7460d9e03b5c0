"""`AsyncTestClient`: the same on the loop of the test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from penstock import App, AsyncTestClient, StreamResponse, WebSocket
from penstock.errors import WebSocketRefused
from tests.apps.kinds import app as kinds


def run(test):
    return asyncio.run(asyncio.wait_for(test(), 20))


def test_handlers_and_lifespan_run_on_the_loop_of_the_test():
    events = []

    @asynccontextmanager
    async def lifespan(app):
        events.append(asyncio.get_running_loop())
        yield
        events.append("stop")

    app = App(lifespan=lifespan)

    @app.get("/")
    async def home():
        events.append(asyncio.get_running_loop())
        return "ok"

    async def test():
        async with AsyncTestClient(app) as client:
            assert (await client.get("/")).text == "ok"
        assert events == [asyncio.get_running_loop()] * 2 + ["stop"]
        assert (await AsyncTestClient(app).get("/")).text == "ok"
        assert len(events) == 4

    run(test)


def test_every_method_redirects_cookies_and_failures():
    async def test():
        async with AsyncTestClient(kinds) as client:
            assert (await client.post("/items", json={"name": "x"})).status == 201
            assert (await client.delete("/items/1")).status == 204
            assert (await client.head("/")).content == b""
            assert (await client.options("/")).status == 204
            assert (await client.put("/redirect/307", content=b"x")).json()["content"] == "x"
            assert (await client.patch("/")).status == 405
            await client.get("/cookies")
            assert (await client.get("/inline")).json()["cookies"] == {"a": "1"}
            with pytest.raises(ValueError, match="secret"):
                await client.get("/boom")
            assert (await client.get("/thread/1")).text == "1 "

    run(test)


def test_requests_run_at_the_same_time():
    app = App()
    barrier = asyncio.Barrier(3)

    @app.get("/")
    async def meet():
        await barrier.wait()
        return "met"

    async def test():
        async with AsyncTestClient(app) as client:
            replies = await asyncio.gather(*[client.get("/") for _ in range(3)])
        assert [reply.text for reply in replies] == ["met"] * 3

    run(test)


def test_streams_events_and_leaving():
    app = App()
    closed = []

    @app.get("/")
    async def stream():
        async def pieces():
            try:
                while True:
                    yield b"x"
            finally:
                closed.append(True)

        return StreamResponse(pieces())

    async def test():
        async with AsyncTestClient(app) as client:
            async with client.stream("GET", "/") as reply:
                async for piece in reply.iter_bytes():
                    assert piece == b"x"
                    break
            assert closed == [True]
        async with AsyncTestClient(kinds) as client, client.stream("GET", "/events") as reply:
            assert [event.event async for event in reply.events()] == ["count", None]

    run(test)


def test_websockets():
    app = App()

    @app.websocket("/")
    async def echo(websocket: WebSocket):
        async for message in websocket:
            await websocket.send(message)

    async def test():
        async with AsyncTestClient(app) as client:
            async with client.websocket("/") as socket:
                await socket.send_json([1])
                assert await socket.receive_json() == [1]
                await socket.close(4001)
            with pytest.raises(WebSocketRefused):
                async with client.websocket("/none"):
                    pytest.fail("it was accepted")

    run(test)


def test_a_timeout_is_raised():
    app = App()

    @app.get("/")
    async def wait():
        await asyncio.Event().wait()

    async def test():
        async with AsyncTestClient(app) as client:
            with pytest.raises(TimeoutError):
                await client.get("/", timeout=0.05)

    run(test)
