"""Clients that leave while their request is being answered."""

from __future__ import annotations

import asyncio
import threading

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until

LEAVES = ["close", "reset", "end"]
OK = endpoint("inline", lambda request: TextResponse("ok"))


class Waiting:
    """A coroutine handler that waits for a gate and tells how it ended."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.ended: list[str] = []

    async def call(self, request: Request) -> Response:
        try:
            await self.gate.wait_async()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("finished")
        return TextResponse("late")


@pytest.mark.parametrize("leave", LEAVES)
def test_the_handler_is_cancelled_when_it_asked_for_that(leave: str):
    waiting = Waiting()
    route = endpoint("task", waiting.call, cancel_on_disconnect=True)
    with serve({"/": route, "/ok": OK}) as server:
        client = server.connect(request("/"))
        waiting.gate.wait_reached()

        getattr(client, leave)()

        wait_until(lambda: waiting.ended, "the handler ends")
        server.wait_idle()
        assert waiting.ended == ["cancelled"]
        client.close()
        assert server.ask("/ok").status == 200


@pytest.mark.parametrize("leave", LEAVES)
def test_the_handler_finishes_when_it_did_not(leave: str):
    waiting = Waiting()
    with serve({"/": endpoint("task", waiting.call)}) as server:
        client = server.connect(request("/"))
        waiting.gate.wait_reached()

        getattr(client, leave)()
        if leave == "reset":
            server.wait_idle()
        else:
            wait_until(lambda: server.connections[0].peer_ended, "the server knows")
        assert waiting.ended == []
        waiting.gate.open()

        wait_until(lambda: waiting.ended, "the handler ends")
        assert waiting.ended == ["finished"]
        if leave == "end":
            assert client.take().content == b"late"  # type: ignore[union-attr]
        client.close()
        server.wait_idle()


@pytest.mark.parametrize("leave", LEAVES)
def test_a_thread_keeps_the_descriptor_until_it_lets_go(leave: str):
    gate = Gate()

    def block(request: Request) -> Response:
        gate.wait()
        return TextResponse("late")

    with serve({"/": endpoint("thread", block), "/ok": OK}) as server:
        client = server.connect(request("/"))
        gate.wait_reached()
        descriptor = server.connections[0].fd

        getattr(client, leave)()
        wait_until(lambda: server.connections[0].peer_ended, "the server knows")
        for _ in range(5):
            assert server.ask("/ok").status == 200
        assert [connection.fd for connection in server.connections if connection.phase == 4] == [descriptor]
        gate.open()

        if leave == "end":
            assert client.take().content == b"late"  # type: ignore[union-attr]
        client.close()
        server.wait_idle()


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_stream_that_nobody_will_read_is_closed(leave: str):
    gate = Gate()
    closed = threading.Event()

    class Content:
        def __aiter__(self) -> Content:
            return self

        async def __anext__(self) -> bytes:
            return b"x"

        async def aclose(self) -> None:
            closed.set()

    async def call(request: Request) -> Response:
        await gate.wait_async()
        return StreamResponse(Content())

    with serve({"/": endpoint("task", call)}) as server:
        client = server.connect(request("/"))
        gate.wait_reached()
        getattr(client, leave)()
        if leave == "reset":
            server.wait_idle()
        gate.open()

        assert closed.wait(20)
        server.wait_idle()


def test_a_client_that_leaves_in_the_middle_of_collected_content_costs_one_line():
    ran: list[Request] = []

    def call(request: Request) -> Response:
        ran.append(request)
        return TextResponse("ran")

    with serve({"/": endpoint("inline", call)}) as server:
        client = server.connect(request("/", "POST", "Content-Length: 100") + b"abc")
        wait_until(lambda: server.connections and server.connections[0].phase == 2, "content is awaited")
        client.end()

        reply = client.take()

        assert reply and reply.status == 400
        assert client.ends()
        client.close()
        assert ran == []
        assert len(server.log.messages("refused")) == 1


def test_nobody_is_told_of_a_client_that_leaves_after_the_reply():
    """What waited for that, and all it holds, is let go with the reply."""
    told = []

    async def call(request: Request) -> Response:
        assert request.connection is not None
        request.connection.on_disconnect(request, lambda: told.append(request))
        await asyncio.sleep(0)
        return TextResponse("done")

    with serve({"/": endpoint("task", call)}) as server:
        with server.connect() as client:
            assert client.ask("/").status == 200
        server.wait_idle()

        assert told == []
