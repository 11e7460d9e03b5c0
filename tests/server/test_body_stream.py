"""Content as it arrives (`BodyStream`), and content collected whole."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import resource
import threading
import time
from typing import Any

import pytest

from penstock.errors import ClientDisconnected, HTTPError
from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from tests.server.harness import Client, Gate, endpoint, request, serve, wait_until

RUNS = ["task", "thread"]
CHUNKED = "Transfer-Encoding: chunked"
CONTINUE = "Expect: 100-continue"
OK = endpoint("inline", lambda request: TextResponse("ok"))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def reading(run: str, see: Any = None, **options: Any) -> Any:
    """An endpoint that reads its content piece by piece, tells `see`, and answers with digest and length."""

    async def read(request: Request) -> Response:
        digest, size = hashlib.sha256(), 0
        async for piece in request.stream:  # type: ignore[union-attr]
            digest.update(piece)
            size += len(piece)
            if see is not None and (wait := see(piece)) is not None:
                await wait.wait_async()
        return TextResponse(f"{size} {digest.hexdigest()}")

    def read_sync(request: Request) -> Response:
        digest, size = hashlib.sha256(), 0
        for piece in request.stream:  # type: ignore[union-attr]
            digest.update(piece)
            size += len(piece)
            if see is not None and (wait := see(piece)) is not None:
                wait.wait()
        return TextResponse(f"{size} {digest.hexdigest()}")

    return endpoint(run, read if run == "task" else read_sync, streams_body=True, **options)


def expected(data: bytes) -> bytes:
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()


@pytest.mark.parametrize("run", RUNS)
def test_pieces_are_handed_on_as_they_arrive(run: str):
    seen: list[bytes] = []
    with serve({"/": reading(run, seen.append), "/ok": OK}) as server, server.connect() as client:
        client.send(request("/", "POST", CHUNKED))
        for number in range(5):
            client.send(chunk(b"piece %d" % number))
            wait_until(lambda number=number: len(seen) > number, "the piece is there")
        client.send(b"0\r\n\r\n" + request("/ok"))

        first, second = client.take(), client.take()

        assert seen == [b"piece %d" % number for number in range(5)]
        assert first and first.content == expected(b"".join(seen))
        assert second and second.content == b"ok"


@pytest.mark.parametrize("run", RUNS)
def test_requests_without_content_and_with_it_alternate(run: str):
    with serve({"/": reading(run)}) as server, server.connect() as client:
        octets = [
            request("/"),
            request("/", "POST", body=b"abc"),
            request("/", "POST", CHUNKED) + chunk(b"abcd") + b"0\r\n\r\n",
        ]
        client.send(b"".join(octets) * 20)

        for _ in range(20):
            assert [client.take().content for _ in range(3)] == [
                expected(b""),
                expected(b"abc"),
                expected(b"abcd"),
            ]  # type: ignore[union-attr]


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("run", RUNS)
def test_much_content_at_once_ends_where_the_next_request_begins(run: str, framing: str):
    """Who waits for content is given more of it at once than one receive takes; what is behind it is no content."""
    data = bytes(range(256)) * 600
    content = data if framing == "length" else chunk(data) + b"0\r\n\r\n"
    field = f"Content-Length: {len(data)}" if framing == "length" else CHUNKED

    with serve({"/read": reading(run), "/ok": OK}) as server, server.connect() as client:
        for _ in range(10):
            client.send(request("/read", "POST", field))
            wait_until(
                lambda: any(one.body and one.body.is_waiting for one in server.connections), "it waits"
            )
            client.send(content + request("/ok") + request("/ok"))
            assert client.take().content == expected(data)
            assert [client.take().content, client.take().content] == [b"ok", b"ok"]


@pytest.mark.parametrize("run", RUNS)
def test_read_returns_all_of_it_and_trailers_are_there_then(run: str):
    async def read(request: Request) -> Response:
        body = await request.stream.read()  # type: ignore[union-attr]
        return TextResponse(f"{body!r} {request.trailers['x-sum']}")  # type: ignore[index]

    def read_sync(request: Request) -> Response:
        body = request.stream.read_sync()  # type: ignore[union-attr]
        return TextResponse(f"{body!r} {request.trailers['x-sum']}")  # type: ignore[index]

    one = endpoint(run, read if run == "task" else read_sync, streams_body=True)
    with serve({"/": one}) as server, server.connect() as client:
        client.send(request("/", "POST", CHUNKED) + chunk(b"ab") + chunk(b"c") + b"0\r\nX-Sum: 3\r\n\r\n")

        reply = client.take()

        assert reply and reply.content == b"b'abc' 3"


@pytest.mark.parametrize("run", RUNS)
def test_a_client_faster_than_the_handler_is_paused_and_memory_stays_bounded(run: str):
    gate = Gate()
    is_first = [True]

    def see(piece: bytes) -> Gate | None:
        if is_first:
            is_first.clear()
            return gate
        return None

    size = 100_000_000
    block = bytes(range(256)) * 256
    data = (block * (size // len(block) + 1))[:size]
    with serve({"/": reading(run, see, body_limit=size)}) as server, server.connect() as client:
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sender = threading.Thread(
            target=client.send, args=(request("/", "PUT", f"Content-Length: {size}") + data,)
        )
        sender.start()
        gate.wait_reached()
        wait_until(lambda: server.connections[0].mask == 0, "reading pauses")
        assert server.connections[0].body._held <= 3 * 65_536
        gate.open()
        reply = client.take()
        sender.join()

        assert reply and reply.content == expected(data)
        # the copy the sender made of head and data is the test's own
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < size // 1024 + 40_000


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_beyond_the_limit_the_handler_gets_a_413(run: str, framing: str):
    raised: list[BaseException] = []

    async def read(request: Request) -> Response:
        try:
            return Response(await request.stream.read())  # type: ignore[union-attr]
        except HTTPError as error:
            raised.append(error)
            raise

    def read_sync(request: Request) -> Response:
        try:
            return Response(request.stream.read_sync())  # type: ignore[union-attr]
        except HTTPError as error:
            raised.append(error)
            raise

    one = endpoint(run, read if run == "task" else read_sync, streams_body=True, body_limit=10)
    octets = (
        request("/", "POST", CHUNKED) + chunk(b"12345678") * 2
        if framing == "chunked"
        else request("/", "POST", body=b"x" * 11)
    )
    with serve({"/": one}) as server, server.connect() as client:
        client.send(octets)

        reply = client.take()

        assert reply and reply.status == 413
        assert reply.closes
        assert client.ends()
        assert [error.status for error in raised] == [413]  # type: ignore[attr-defined]
        assert len(server.log.messages("refused")) == 1


@pytest.mark.parametrize("run", RUNS)
def test_a_malformed_chunk_midway_reaches_the_handler_after_the_good_pieces(run: str):
    seen: list[bytes] = []
    with serve({"/": reading(run, seen.append)}) as server, server.connect() as client:
        client.send(request("/", "POST", CHUNKED) + chunk(b"good"))
        wait_until(lambda: seen, "the good piece is there")
        client.send(b"zz\r\n" + request("/"))

        reply = client.take()

        assert reply and reply.status == 400
        assert reply.closes
        assert client.ends()
        assert seen == [b"good"]
        assert len(server.log.messages("refused")) == 1


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("leave", ["close", "reset", "end"])
def test_a_client_that_leaves_midway_wakes_the_handler(run: str, leave: str):
    raised: list[BaseException] = []
    started = threading.Event()

    async def read(request: Request) -> Response:
        try:
            async for _ in request.stream:  # type: ignore[union-attr]
                started.set()
        except ClientDisconnected as error:
            raised.append(error)
            raise
        return TextResponse("whole?")

    def read_sync(request: Request) -> Response:
        try:
            for _ in request.stream:  # type: ignore[union-attr]
                started.set()
        except ClientDisconnected as error:
            raised.append(error)
            raise
        return TextResponse("whole?")

    one = endpoint(run, read if run == "task" else read_sync, streams_body=True)
    with serve({"/": one}) as server:
        client = server.connect(request("/", "POST", "Content-Length: 100") + b"abc")
        assert started.wait(5)

        getattr(client, leave)()

        wait_until(lambda: raised, "the handler is told")
        if leave == "end":
            reply = client.take()
            assert reply and reply.status == 400
        client.close()
        server.wait_idle()
        assert len(raised) == 1


@pytest.mark.parametrize("run", ["inline", *RUNS])
def test_a_handler_that_ignores_the_content_has_its_reply_delivered(run: str):
    size = 20_000_000
    one = endpoint(run, lambda request: TextResponse("never mind"), streams_body=True, body_limit=size)
    with serve({"/": one}) as server, server.connect() as client:
        client.send(request("/", "PUT", f"Content-Length: {size}"))
        sender = threading.Thread(target=send_all, args=(client, b"x" * size))
        sender.start()

        reply = client.take()

        assert reply and reply.content == b"never mind"
        assert reply.closes
        assert client.ends()
        client.close()
        sender.join()


def send_all(client: Client, data: bytes) -> None:
    try:
        client.send(data)
    except OSError:
        pass


@pytest.mark.parametrize("run", RUNS)
def test_ignored_content_that_has_come_whole_keeps_the_connection(run: str):
    one = endpoint(run, lambda request: TextResponse("never mind"), streams_body=True)
    with serve({"/": one}) as server, server.connect() as client:
        for _ in range(5):
            reply = client.ask("/", "POST", body=b"abc")

            assert not reply.closes


@pytest.mark.parametrize("run", ["inline", *RUNS])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_collected_content_is_whole_before_the_handler_runs(run: str, framing: str):
    one = endpoint(run, lambda request: Response(request.body))
    data = bytes(range(256)) * 2_000
    with serve({"/": one}) as server, server.connect() as client:
        for _ in range(3):
            if framing == "length":
                client.send(request("/", "POST", body=data))
            else:
                client.send(
                    request("/", "POST", CHUNKED) + chunk(data[:1_000]) + chunk(data[1_000:]) + b"0\r\n\r\n"
                )

            reply = client.take()

            assert reply and reply.content == data
        assert server.connections[0]._content is None


@pytest.mark.parametrize("run", ["inline", *RUNS])
def test_collected_content_beyond_the_limit_is_a_413_and_nothing_runs(run: str):
    ran: list[Request] = []

    def call(request: Request) -> Response:
        ran.append(request)
        return TextResponse("ran")

    with serve(
        {"/": endpoint(run, call, body_limit=10), "/big": endpoint(run, call)}, content_limit_bytes=100
    ) as server:
        for octets in (
            request("/", "POST", body=b"x" * 11),
            request("/big", "POST", body=b"x" * 101),
            request("/", "POST", CHUNKED) + chunk(b"x" * 6) * 2,
        ):
            with server.connect(octets) as client:
                reply = client.take()

                assert reply and reply.status == 413
                assert client.ends()
        assert ran == []
        assert server.ask("/", method="POST", body=b"x" * 10).status == 200
        assert len(server.log.messages("refused")) == 3


# Who is slow.


def test_the_time_a_handler_takes_before_it_reads_does_not_count_against_the_client(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 2.0)

    async def read(request: Request) -> Response:
        await asyncio.sleep(2.5)
        return Response(await request.stream.read())  # type: ignore[union-attr]

    one = endpoint("task", read, streams_body=True)
    with (
        serve({"/": one}, content_min_rate_bytes_per_s=1_000, linger_timeout_s=0.2) as server,
        server.connect() as client,
    ):
        client.send(request("/", "POST", CONTINUE, "Content-Length: 3"))
        while not client.octets.endswith(b"\r\n\r\n"):
            client.receive()
        time.sleep(0.3)  # several looks at the deadline, which is 2 s away: a quarter of 0.2 s between two
        client.send(b"abc")

        reply = client.take()

        assert reply and (reply.status, reply.content) == (200, b"abc")


@pytest.mark.parametrize("run", RUNS)
def test_a_trickle_into_a_stream_is_cut_at_the_minimum_rate(run: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 0.3)
    with serve({"/": reading(run)}, content_min_rate_bytes_per_s=1_000, linger_timeout_s=0.4) as server:
        with server.connect(request("/", "POST", "Content-Length: 1000")) as client:
            begun = time.monotonic()
            client.socket.settimeout(0.02)
            while b"\r\n\r\n" not in client.octets:
                assert time.monotonic() < begun + 20
                send_all(client, b"x")
                try:
                    client.receive()
                except TimeoutError:
                    pass

            assert time.monotonic() - begun < 15  # the whole takes 20
            assert client.octets.startswith(b"HTTP/1.1 408 ")
        assert len(server.log.messages("refused")) == 1


def test_who_still_waits_for_content_after_the_reply_is_told():
    raised: list[BaseException] = []

    async def read(request: Request) -> Response:
        async def background() -> None:
            try:
                await request.stream.read()  # type: ignore[union-attr]
            except ClientDisconnected as error:
                raised.append(error)

        tasks.append(asyncio.create_task(background()))
        await asyncio.sleep(0)
        return TextResponse("done")

    tasks: list[asyncio.Task[None]] = []
    with serve({"/": endpoint("task", read, streams_body=True)}) as server, server.connect() as client:
        assert client.ask("/", "POST", "Content-Length: 3").closes

        wait_until(lambda: raised, "the reader is told")
