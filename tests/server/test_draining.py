"""Handlers and streams see that the server stops: `request.draining`, a flag and awaitable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import WAIT_S, endpoint, request, serve, wait_until


def events(form: str, request: Request) -> Any:
    async def on_loop() -> AsyncIterator[bytes]:
        yield b"begun;"
        while not request.draining:
            try:
                await asyncio.wait_for(request.draining, 0.01)
            except TimeoutError:
                yield b"."
        yield b";told"

    def in_thread() -> Iterator[bytes]:
        yield b"begun;"
        while not request.draining.wait(0.01):
            yield b"."
        yield b";told"

    return on_loop() if form == "async" else in_thread()


@pytest.mark.parametrize("form", ["async", "sync"])
def test_a_stream_is_told_and_ends_by_itself(form: str):
    call = endpoint("inline", lambda request: StreamResponse(events(form, request)))
    with serve({"/": call}, drain_timeout_s=60) as server, server.connect(request("/")) as client:
        wait_until(lambda: client.receive() and b";" in client.octets, "the stream runs")

        server.begin_stop()
        reply = client.take()

        assert reply and reply.content.endswith(b";told")
        client.close()
        server.join()


@pytest.mark.parametrize("run", ["task", "thread"])
def test_a_handler_that_waits_for_it_is_told_and_its_reply_says_close(run: str):
    begun = threading.Event()

    async def wait(request: Request) -> Response:
        before = bool(request.draining)
        begun.set()
        await request.draining
        await request.draining  # and at once from then on
        return TextResponse(f"{before} {bool(request.draining)}")

    def block(request: Request) -> Response:
        before = bool(request.draining)
        begun.set()
        return TextResponse(f"{before} {request.draining.wait(20)}")

    with (
        serve({"/": endpoint(run, wait if run == "task" else block)}) as server,
        server.connect(request("/")) as client,
    ):
        assert begun.wait(WAIT_S)

        server.begin_stop()
        reply = client.take()

        assert reply and reply.content == b"False True"
        assert reply.closes
        client.close()
        server.join()


def test_who_gives_up_waiting_leaves_nothing_behind():
    async def wait(request: Request) -> Response:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(request.draining, 0.01)
        return TextResponse(str(len(request.draining._waiters)))

    with serve({"/": endpoint("task", wait)}) as server:
        assert server.ask("/").content == b"0"


def test_without_a_server_it_says_so():
    with pytest.raises(RuntimeError, match="no server"):
        _ = Request.build().draining
