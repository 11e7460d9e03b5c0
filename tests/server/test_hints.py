"""Interim responses that the client does not take at once: the reply stays behind them, deadlines stay in force."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from penstock.http.file_response import FileResponse
from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until

COUNT = 200  # 13 MB: more than the kernel buffers for a client that does not read
LINE = "x" * 65_000


def send_hints(request: Request) -> None:
    assert request.connection is not None
    for _ in range(COUNT):
        request.connection.send_interim(request, 103, [("Link", LINE)])


def test_a_file_does_not_overtake_what_the_client_has_yet_to_take(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"file" * 1000)
    gate = Gate()

    async def call(request: Request) -> Response:
        send_hints(request)
        gate.wait()  # the loop stands still: the client makes room, and nobody has used it yet
        return FileResponse(path)

    with serve({"/": endpoint("task", call)}) as server, server.connect(request()) as client:
        gate.wait_reached()
        while len(client.octets) < 3_000_000:
            client.receive()
        gate.open()
        reply = client.take()

        assert client.interim == [103] * COUNT
        assert reply and reply.content == b"file" * 1000


def test_who_does_not_read_is_cut_off_also_while_the_handler_waits():
    async def call(request: Request) -> Response:
        send_hints(request)
        await asyncio.sleep(0.05)
        return TextResponse("late")

    settings = {"write_timeout_s": 0.3}
    with serve({"/": endpoint("task", call)}, **settings) as server, server.connect(request()):
        wait_until(lambda: server.log.messages("did not read its reply"), "it is cut off", timeout_s=20)
        server.wait_idle()


def test_content_has_its_rate_again_once_the_client_has_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 0.5)

    async def call(request: Request) -> Response:
        send_hints(request)
        assert request.stream is not None
        return Response(await request.stream.read())

    with serve({"/": endpoint("task", call, streams_body=True)}, write_timeout_s=5.0) as server:
        client = server.connect(request("/", "POST", "Content-Length: 10"))
        wait_until(lambda: any(each.unsent for each in server.connections), "the client is too slow")
        reply = client.take()

        assert client.interim == [103] * COUNT
        assert reply and reply.status == 408
