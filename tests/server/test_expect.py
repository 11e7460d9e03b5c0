"""100 Continue: sent when the content is wanted, in its turn, and never without need."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, request, serve

RUNS = ["task", "thread"]
CONTINUE = "Expect: 100-continue"


@pytest.mark.parametrize("run", ["inline", *RUNS])
def test_continue_is_sent_before_collected_content(run: str):
    one = endpoint(run, lambda request: Response(request.body))
    with serve({"/": one}) as server, server.connect() as client:
        client.send(request("/", "POST", CONTINUE, "Content-Length: 3"))
        while not client.octets.endswith(b"\r\n\r\n"):
            client.receive()
        assert client.octets == b"HTTP/1.1 100 Continue\r\n\r\n"

        client.send(b"abc")
        reply = client.take()

        assert reply and reply.content == b"abc"
        assert client.interim == [100]


def test_continue_is_not_sent_when_content_is_there_already_too_large_or_absent():
    one = endpoint("inline", lambda request: Response(request.body), body_limit=10)
    with serve({"/": one}) as server:
        for octets, status in (
            (request("/", "POST", CONTINUE, body=b"abc"), 200),
            (request("/", "POST", CONTINUE, "Content-Length: 11"), 413),
            (request("/", "POST", CONTINUE, "Content-Length: 0"), 200),
            (request("/", "GET", CONTINUE), 200),
            (request("/", "POST", CONTINUE, body=b"abc", version="1.0"), 200),
        ):
            with server.connect(octets) as client:
                reply = client.take()

                assert reply and reply.status == status
                assert client.interim == []


@pytest.mark.parametrize("run", RUNS)
def test_continue_waits_until_a_stream_is_read(run: str):
    gate = Gate()

    async def read(request: Request) -> Response:
        await gate.wait_async()
        return Response(await request.stream.read())  # type: ignore[union-attr]

    def read_sync(request: Request) -> Response:
        gate.wait()
        return Response(request.stream.read_sync())  # type: ignore[union-attr]

    one = endpoint(run, read if run == "task" else read_sync, streams_body=True)
    with serve({"/": one}) as server, server.connect() as client:
        client.send(request("/", "POST", CONTINUE, "Content-Length: 3"))
        gate.wait_reached()
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.receive()
        client.socket.settimeout(20)

        gate.open()
        while not client.octets.endswith(b"\r\n\r\n"):
            client.receive()
        assert client.octets == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        reply = client.take()

        assert reply and reply.content == b"abc"


@pytest.mark.parametrize("run", ["inline", *RUNS])
def test_a_handler_that_does_not_read_sends_no_continue_and_closes(run: str):
    one = endpoint(run, lambda request: TextResponse("no", 403), streams_body=True)
    with serve({"/": one}) as server, server.connect() as client:
        client.send(request("/", "POST", CONTINUE, "Content-Length: 3"))

        reply = client.take()

        assert reply and reply.status == 403
        assert client.interim == []
        assert reply.closes


@pytest.mark.parametrize("form", ["sync", "async"])
def test_no_continue_in_the_middle_of_a_reply_that_reads_its_request(form: str):
    def echo(request: Request) -> Response:
        def sync() -> Any:
            yield b"begin "
            yield from request.stream  # type: ignore[misc]

        async def later() -> Any:
            yield b"begin "
            async for piece in request.stream:  # type: ignore[union-attr]
                yield piece

        return StreamResponse(sync() if form == "sync" else later())

    with serve({"/": endpoint("thread", echo, streams_body=True)}) as server, server.connect() as client:
        client.send(request("/", "POST", CONTINUE, "Content-Length: 6"))
        client.take_head()
        while b"begin" not in client.octets:
            client.receive()
        client.send(b"abcdef")

        octets = client.take_all()

        assert b"HTTP/1.1" not in octets
        assert b"abcdef" in octets
        assert octets.endswith(b"0\r\n\r\n")


def test_continue_follows_the_replies_before_it():
    gate = Gate()

    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return TextResponse("first")

    one = endpoint("inline", lambda request: Response(request.body))
    with serve({"/first": endpoint("task", wait), "/": one}) as server, server.connect() as client:
        client.send(request("/first") + request("/", "POST", CONTINUE, "Content-Length: 3"))
        gate.wait_reached()
        gate.open()

        first = client.take()
        assert first and first.content == b"first"
        while not client.octets.endswith(b"\r\n\r\n"):
            client.receive()
        client.send(b"abc")

        second = client.take()
        assert second and second.content == b"abc"
        assert client.interim == [100]
