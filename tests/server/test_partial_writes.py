"""Replies larger than the client takes at once: exact, bounded in memory, cut at the deadline, no burden to others."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Client, Gate, endpoint, request, serve, wait_until

SIZE = 50_000_000
BLOCK = bytes(range(256)) * 256
BIG = (BLOCK * (SIZE // len(BLOCK) + 1))[:SIZE]
DIGEST = hashlib.sha256(BIG).hexdigest()
OK = endpoint("inline", lambda request: TextResponse("ok"))


def pieces() -> Iterator[bytes]:
    for start in range(0, SIZE, 100_000):
        yield BIG[start : start + 100_000]


async def async_pieces() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


CALLS = {
    "inline": endpoint("inline", lambda request: Response(BIG)),
    "task": endpoint("task", lambda request: Response(BIG)),
    "thread": endpoint("thread", lambda request: Response(BIG)),
    "sync_stream": endpoint("inline", lambda request: StreamResponse(pieces())),
    "async_stream": endpoint("inline", lambda request: StreamResponse(async_pieces())),
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_large_reply_reaches_a_slow_reader_whole_and_others_are_served_meanwhile(kind: str):
    with (
        serve({"/": CALLS[kind], "/ok": OK}) as server,
        server.connect(receive_buffer_bytes=65_536) as client,
    ):
        client.send(request("/") + request("/ok"))
        wait_until(
            lambda: server.connections and server.connections[0].unsent is not None, "the client is slow"
        )
        for _ in range(5):
            assert server.ask("/ok").content == b"ok"
        if "stream" in kind:
            assert len(server.connections[0].unsent or b"") <= 100_100, "only one piece is made ahead"

        reply = take_large(client)

        assert len(reply) == SIZE
        assert hashlib.sha256(reply).hexdigest() == DIGEST
        following = client.take()
        assert following and following.content == b"ok"


def take_large(client: Client) -> bytes:
    """Read one large reply without the strict reader, which would look at each octet again and again."""
    head = client.take_head()
    data = bytearray(client.octets)
    wanted = SIZE
    if b"chunked" in head:
        while b"\r\n0\r\n\r\n" not in data[-4_000:]:
            data += client.socket.recv(1_000_000)
        end = data.rindex(b"\r\n0\r\n\r\n") + 7
        client.octets = bytes(data[end:])
        content, at = bytearray(), 0
        while size := int(data[at : (line := data.index(b"\r\n", at))], 16):
            content += data[line + 2 : line + 2 + size]
            at = line + 4 + size
        return bytes(content)
    while len(data) < wanted:
        data += client.socket.recv(1_000_000)
    client.octets = bytes(data[wanted:])
    return bytes(data[:wanted])


@pytest.mark.parametrize("kind", CALLS)
def test_a_client_that_never_reads_is_cut_at_the_write_deadline(kind: str):
    with serve({"/": CALLS[kind], "/ok": OK}, write_timeout_s=1.0) as server:
        begun = time.monotonic()
        with server.connect(request("/"), receive_buffer_bytes=4_096):
            with server.connect() as other:
                served = 0
                while not server.log.messages("did not read its reply"):
                    assert other.ask("/ok").status == 200
                    served += 1
                    assert time.monotonic() < begun + 20

            assert 0.9 < time.monotonic() - begun < 15
            assert served > 5
        server.wait_idle()
        assert len(server.log.messages("did not read its reply")) == 1


def test_a_slow_reader_who_goes_on_reading_is_not_cut():
    with serve({"/": CALLS["inline"]}, write_timeout_s=2.0) as server:
        with server.connect(request("/"), receive_buffer_bytes=65_536) as client:
            end = time.monotonic() + 2.8
            got = 0
            while time.monotonic() < end:
                got += len(client.socket.recv(100_000))
                time.sleep(0.03)

            assert len(server.connections) == 1
            assert got < SIZE / 2


def test_slow_readers_of_plain_iterators_hold_no_thread():
    routes = {"/": CALLS["sync_stream"], "/thread": endpoint("thread", lambda request: TextResponse("ok"))}
    with serve(routes, threads=2) as server:
        readers = [server.connect(request("/"), receive_buffer_bytes=4_096) for _ in range(10)]
        wait_until(
            lambda: sum(connection.unsent is not None for connection in server.connections) == 10,
            "all are slow",
        )

        assert server.ask("/thread").content == b"ok"
        wait_until(lambda: server.server.thread_pool()["active_workers"] == 0, "the threads are free")

        for reader in readers:
            reader.close()
        server.wait_idle()


def test_a_batch_of_replies_the_client_does_not_take_holds_back_the_next_request():
    gate = Gate()
    order: list[str] = []

    def block(request: Request) -> Response:
        order.append(request.raw_path.decode())
        return TextResponse(request.raw_path.decode())

    routes = {"/": endpoint("inline", lambda request: Response(BIG)), "/thread": endpoint("thread", block)}
    with serve(routes) as server, server.connect(receive_buffer_bytes=4_096) as client:
        client.send(request("/") + request("/thread.1") + request("/thread.2"))
        wait_until(
            lambda: server.connections and server.connections[0].unsent is not None, "the client is slow"
        )

        assert order == []
        assert len(take_large(client)) == SIZE
        assert [client.take().content for _ in range(2)] == [b"/thread.1", b"/thread.2"]  # type: ignore[union-attr]
        gate.open()


def test_a_slow_client_that_resets_frees_the_reply():
    with serve({"/": CALLS["inline"], "/t": CALLS["thread"]}) as server:
        for path in ("/", "/t"):
            client = server.connect(request(path), receive_buffer_bytes=4_096)
            wait_until(
                lambda: server.connections and server.connections[0].unsent is not None, "the client is slow"
            )

            client.reset()

            server.wait_idle()


def test_many_slow_readers_of_every_kind_get_their_own_octets():
    def body(number: int) -> bytes:
        return b"%08d" % number * 100_000

    def number_of(request: Request) -> int:
        return int(request.raw_path.rpartition(b".")[2])

    def plain(request: Request) -> Response:
        return Response(body(number_of(request)))

    def stream(request: Request) -> Response:
        data = body(number_of(request))
        return StreamResponse(
            iter([data[:300_000], data[300_000:]]), headers={"Content-Length": str(len(data))}
        )

    def async_stream(request: Request) -> Response:
        data = body(number_of(request))

        async def later() -> AsyncIterator[bytes]:
            yield data[:300_000]
            await asyncio.sleep(0)
            yield data[300_000:]

        return StreamResponse(later(), headers={"Content-Length": str(len(data))})

    routes = {
        "/inline": endpoint("inline", plain),
        "/thread": endpoint("thread", plain),
        "/task": endpoint("task", plain),
        "/stream": endpoint("thread", stream),
        "/async": endpoint("task", async_stream),
    }
    names = list(routes)
    failures: list[str] = []

    def read(seed: int, port: int) -> None:
        with Client(port, receive_buffer_bytes=8_192) as client:
            numbers = [seed * 100 + index for index in range(6)]
            client.send(b"".join(request(f"{names[number % 5]}.{number}") for number in numbers))
            for number in numbers:
                reply = client.take()
                if reply is None or reply.content != body(number):
                    failures.append(
                        f"{number}: {reply and (reply.status, len(reply.content), reply.content[:20])}"
                    )

    with serve(routes, threads=4) as server:
        readers = [threading.Thread(target=read, args=(seed, server.port)) for seed in range(12)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()

        assert failures == []
