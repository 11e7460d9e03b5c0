"""Each request that was begun is noted once: when its last octet has left, or its client has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.http.file_response import FileResponse
from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse
from tests.server.harness import RUNS, Gate, Running, endpoint, request, serve, wait_until

BIG = b"x" * 6_000_000  # more than the kernel takes


@dataclass
class Noted:
    path: str
    status: int
    sent: int
    times: dict[str, int]


class Notes(list[Noted]):
    def take(self, connection: Any, request: Request, endpoint: Any, response: Response, sent: int) -> None:
        if not connection.started:
            return
        names = ("accepted_at", "began", "started", "content_at", "handler_at", "answered_at")
        times = {name: getattr(connection, name) for name in names}
        self.append(Noted(request.raw_path.decode(), response.status, sent, times))
        connection.forget_times()

    def wait(self, count: int) -> list[Noted]:
        wait_until(lambda: len(self) >= count, f"{count} requests are noted, not {len(self)}")
        return list(self)


@contextmanager
def serve_noted(routes: dict[str, Any], **settings: Any) -> Iterator[tuple[Running, Notes]]:
    notes = Notes()
    with serve(routes, **settings) as server:
        server.reactor.note = server.reactor.note_in_thread = notes.take
        yield server, notes
        server.stop()


@pytest.mark.parametrize("run", RUNS)
def test_requests_one_by_one_and_pipelined_are_noted_in_order_once_each(run: str):
    with serve_noted({"/a": endpoint(run, lambda _: Response(b"abc"))}) as (server, notes):
        with server.connect() as client:
            for _ in range(3):
                reply = client.ask("/a")
                assert reply.content == b"abc"
            client.send(request("/a.1") + request("/a.2") + request("/absent"))
            assert [client.take().status for _ in range(3)] == [200, 200, 404]

        noted = notes.wait(6)

    assert [(each.path, each.status) for each in noted] == [
        *[("/a", 200)] * 3,
        ("/a.1", 200),
        ("/a.2", 200),
        ("/absent", 404),
    ]
    assert len(notes) == 6
    assert all(each.sent > 100 and each.times["started"] >= each.times["accepted_at"] for each in noted)
    assert all(bool(each.times["handler_at"]) == (run == "thread") for each in noted[:5])


@pytest.mark.parametrize("run", RUNS)
def test_a_reply_its_client_has_yet_to_take_is_noted_once_it_has(run: str):
    with serve_noted({"/": endpoint(run, lambda _: Response(BIG))}) as (server, notes):
        with server.connect(request("/"), receive_buffer_bytes=65_536) as client:
            wait_until(lambda: any(each.unsent is not None for each in server.connections))
            assert notes == []
            assert client.take().content == BIG

            (noted,) = notes.wait(1)
            assert noted.sent > len(BIG)
            assert noted.times["answered_at"] >= noted.times["started"]
            assert client.ask("/").status == 200  # the times of one request are not those of the next
        assert len(notes.wait(2)) == 2
    assert len(notes) == 2


@pytest.mark.parametrize("run", RUNS)
def test_a_client_that_leaves_in_the_middle_of_its_reply_is_noted_with_its_status(run: str):
    with serve_noted({"/": endpoint(run, lambda _: Response(BIG))}) as (server, notes):
        with server.connect(request("/"), receive_buffer_bytes=65_536) as client:
            wait_until(lambda: any(each.unsent is not None for each in server.connections))
            client.reset()
        (noted,) = notes.wait(1)
        server.wait_idle()
    assert noted.status == 200
    assert len(notes) == 1


def test_a_client_that_leaves_before_its_reply_is_noted_as_that():
    gate = Gate()

    async def wait(_: Request) -> Response:
        await gate.wait_async()
        return Response(b"late")

    with serve_noted({"/": endpoint("task", wait)}) as (server, notes):
        with server.connect(request("/")) as client:
            assert gate.reached.wait(20)
            client.reset()
        (noted,) = notes.wait(1)
        gate.open()
        server.wait_idle()
    assert (noted.status, noted.sent) == (499, 0)
    assert len(notes) == 1


def test_a_client_that_leaves_while_a_thread_works_is_noted_once():
    gate = Gate()

    def wait(_: Request) -> Response:
        gate.wait()
        return Response(b"late")

    with serve_noted({"/": endpoint("thread", wait)}) as (server, notes):
        with server.connect(request("/")) as client:
            assert gate.reached.wait(20)
            client.reset()
        wait_until(lambda: all(each.is_doomed for each in server.connections))
        gate.open()
        notes.wait(1)
        server.wait_idle()
    assert len(notes) == 1


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_stream_is_noted_at_its_end_with_all_it_sent(run: str, kind: str):
    async def pieces() -> Any:
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"x" * 1000

    def stream(_: Request) -> Response:
        return StreamResponse(pieces() if kind == "async" else iter([b"x" * 1000] * 5))

    with serve_noted({"/": endpoint(run, stream)}) as (server, notes):
        with server.connect() as client:
            assert client.ask("/").content == b"x" * 5000
            assert client.ask("/").content == b"x" * 5000
        noted = notes.wait(2)
    assert [each.sent > 5000 for each in noted] == [True, True]
    assert len(notes) == 2


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_stream_whose_client_leaves_is_noted_once(run: str, kind: str):
    async def pieces() -> Any:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 100_000

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    def stream(_: Request) -> Response:
        return StreamResponse(pieces() if kind == "async" else endless())

    with serve_noted({"/": endpoint(run, stream)}) as (server, notes):
        for _ in range(3):
            with server.connect(request("/"), receive_buffer_bytes=65_536) as client:
                client.take_head()
                client.reset()
        noted = notes.wait(3)
        server.wait_idle()
    assert {each.status for each in noted} == {200}
    assert len(notes) == 3


def test_a_file_is_noted_at_its_end_and_when_its_client_leaves(tmp_path: Path):
    path = tmp_path / "big"
    path.write_bytes(BIG)

    with serve_noted({"/": endpoint("inline", lambda _: FileResponse(path))}) as (server, notes):
        with server.connect() as client:
            assert client.ask("/").content == BIG
        with server.connect(request("/"), receive_buffer_bytes=65_536) as client:
            client.take_head()
            client.reset()
        whole, cut = notes.wait(2)
        server.wait_idle()
    assert whole.sent > len(BIG) > cut.sent
    assert len(notes) == 2


def test_heads_and_content_in_pieces_have_their_times():
    with serve_noted({"/": endpoint("inline", lambda each: Response(each.body))}) as (server, notes):
        with server.connect() as client:
            octets = request("/", "POST", body=b"abcdef")
            client.send(octets[:20])
            wait_until(lambda: any(each.began for each in server.connections))
            client.send(octets[20:-3])
            wait_until(lambda: any(each.started for each in server.connections))
            client.send(octets[-3:])
            assert client.take().content == b"abcdef"
            assert client.ask("/").status == 200
        slow, quick = notes.wait(2)
    assert (
        0
        < slow.times["accepted_at"]
        <= slow.times["began"]
        < slow.times["started"]
        < slow.times["content_at"]
    )
    assert (quick.times["began"], quick.times["content_at"], quick.times["answered_at"]) == (0, 0, 0)


def test_content_that_comes_too_slowly_is_noted_with_its_refusal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 0.2)
    settings = {"content_min_rate_bytes_per_s": 1000, "head_timeout_s": 0.4}
    with serve_noted({"/": endpoint("inline", lambda _: Response(b""))}, **settings) as (server, notes):
        with server.connect(request("/", "POST", "Content-Length: 1000")) as client:
            assert client.take().status == 408
        (noted,) = notes.wait(1)
    assert noted.status == 408
    assert len(notes) == 1


def test_a_stop_that_cuts_requests_off_notes_each_once():
    gate = Gate()

    async def wait(_: Request) -> Response:
        await gate.wait_async()
        return Response(b"late")

    async def pieces() -> Any:
        yield b"first"
        await gate.wait_async()

    routes = {
        "/wait": endpoint("task", wait),
        "/stream": endpoint("inline", lambda _: StreamResponse(pieces())),
    }
    with serve_noted(routes, drain_timeout_s=0.2) as (server, notes):
        clients = [server.connect(request("/wait")), server.connect(request("/stream"))]
        wait_until(lambda: gate.count == 2)
        server.stop()
        assert len(clients) == 2
    assert sorted((each.path, each.status) for each in notes) == [("/stream", 200), ("/wait", 499)]
