"""`compression` over sockets: whole responses and streams, of applications of every interface."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest

from penstock import App, Compression, JSONResponse
from penstock.errors import ApplicationError
from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from penstock.http.event_stream import EventStream
from penstock.http.file_response import FileResponse
from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.codings import CODINGS, Decoder, decode, need_coding
from tests.server.harness import Gate, endpoint, request, serve, wait_until

FORMS = ["sync", "async"]
GZIP = "Accept-Encoding: gzip"
LONG = "a long text. " * 1000
HUGE = "".join(f"{number * 7919:x} " for number in range(40_000))
PING = b": ping\n\n"


def chunks_of(client: Any, count: int) -> list[bytes]:
    """The next chunks of a chunked content, as they come."""
    found: list[bytes] = []
    while len(found) < count:
        size, line_end, rest = client.octets.partition(b"\r\n")
        length = int(size, 16) if line_end else 0
        if not line_end or len(rest) < length + 2:
            assert client.receive(), "the connection ended"
            continue
        found.append(rest[:length])
        client.octets = rest[length + 2 :]
    return found


@pytest.mark.parametrize("run", ["inline", "task", "thread"])
@pytest.mark.parametrize("content", [LONG, HUGE], ids=["long", "huge"])
def test_a_reply_is_compressed_wherever_its_handler_runs(run: str, content: str):
    route = endpoint(run, lambda request: TextResponse(content))
    with serve({"/": route}, compression=True) as server, server.connect() as client:
        for _ in range(3):
            reply = client.ask("/", "GET", GZIP)

            assert reply.get("content-encoding") == "gzip"
            assert reply.get("vary") == "Accept-Encoding"
            assert int(reply.get("content-length") or 0) == len(reply.content) < len(content)
            assert decode("gzip", reply.content) == content.encode()
        head = client.ask("/", "HEAD", GZIP)
        assert head.get("content-length") == reply.get("content-length")
        assert client.ask("/").content == content.encode()


def test_nothing_is_compressed_without_the_setting():
    with serve({"/": endpoint("inline", lambda request: TextResponse(LONG))}) as server:
        reply = server.ask("/", method="GET")
        with server.connect(request("/", "GET", GZIP)) as client:
            reply = client.take()

    assert reply and (reply.get("content-encoding"), reply.get("vary")) == (None, None)


def test_pipelined_replies_leave_in_order_when_threads_compress_some():
    routes = {
        "/huge": endpoint("inline", lambda request: TextResponse(HUGE)),
        "/short": endpoint("inline", lambda request: TextResponse("short")),
    }
    with serve(routes, compression=True) as server, server.connect() as client:
        client.send((request("/huge", "GET", GZIP) + request("/short", "GET", GZIP)) * 10)
        replies = [client.take() for _ in range(20)]

    assert [len(reply.content) == 5 for reply in replies if reply] == [False, True] * 10


def test_a_huge_reply_does_not_hold_up_the_loop():
    huge = HUGE * 80  # a second of gzip
    routes = {
        "/huge": endpoint("inline", lambda request: TextResponse(huge)),
        "/short": endpoint("inline", lambda request: TextResponse("short")),
    }
    with serve(routes, compression=True) as server, server.connect() as busy, server.connect() as other:
        busy.send(request("/huge", "GET", GZIP))
        wait_until(lambda: any(one.task for one in server.connections), "a thread compresses")
        assert other.ask("/short").content == b"short"

        assert any(one.task for one in server.connections), "it is not done yet"
        assert decode("gzip", busy.take().content) == huge.encode()  # type: ignore[union-attr]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("form", FORMS)
def test_each_piece_of_a_stream_can_be_read_before_the_next_is_made(form: str, coding: str):
    need_coding(coding)
    gates = [Gate(), Gate()]

    async def later() -> AsyncIterator[bytes]:
        for gate in gates:
            yield b"a piece"
            yield b""
            await gate.wait_async()
        yield HUGE.encode()

    def now() -> Iterator[bytes]:
        for gate in gates:
            yield b"a piece"
            yield b""
            gate.wait()
        yield HUGE.encode()

    def call(request: Request) -> Response:
        return StreamResponse(later() if form == "async" else now(), media_type="text/plain")

    with serve({"/": endpoint("inline", call)}, compression=True) as server, server.connect() as client:
        client.send(request("/", "GET", f"Accept-Encoding: {coding}"))
        head = client.take_head().lower()
        decoder = Decoder(coding)

        assert f"content-encoding: {coding}".encode() in head
        for gate in gates:
            assert decoder.decode(b"".join(chunks_of(client, 1))) == b"a piece"
            gate.open()
        assert decoder.decode(b"".join(chunks_of(client, 1))) == HUGE.encode()
        assert decoder.decode(b"".join(chunks_of(client, 1))) == b""
        assert decoder.is_over
        assert chunks_of(client, 1) == [b""]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("form", FORMS)
def test_events_and_pings_arrive_at_once_and_the_end_is_in_order(form: str, coding: str):
    need_coding(coding)
    gate, closed = Gate(), threading.Event()

    async def later() -> AsyncIterator[str]:
        try:
            yield "begun"
            await gate.wait_async()
            yield "more"
            await asyncio.Event().wait()
        finally:
            closed.set()

    def now() -> Iterator[str]:
        try:
            yield "begun"
            gate.wait()
            yield "more"
            closed.wait(20)
        finally:
            closed.set()

    route = endpoint(
        "inline", lambda request: EventStream(later() if form == "async" else now(), ping_interval_s=0.02)
    )
    with serve({"/": route}, compression=True, drain_timeout_s=0.2) as server, server.connect() as client:
        client.send(request("/", "GET", f"Accept-Encoding: {coding}"))
        assert f"content-encoding: {coding}".encode() in client.take_head().lower()
        decoder = Decoder(coding)

        while (event := decoder.decode(chunks_of(client, 1)[0])) != b"data: begun\n\n":
            assert event == PING  # a machine that stalls is silent, too
        assert [decoder.decode(chunk) for chunk in chunks_of(client, 2)] == [PING, PING]
        gate.open()
        while (event := decoder.decode(chunks_of(client, 1)[0])) != b"data: more\n\n":
            assert event == PING
        server.begin_stop()
        while chunk := chunks_of(client, 1)[0]:
            assert decoder.decode(chunk) in (PING, b"")
        assert decoder.is_over
        closed.set()
        server.join()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pieces", [0, 3])
def test_a_client_that_leaves_closes_what_is_compressed(form: str, pieces: int):
    gate, closed = Gate(), threading.Event()

    async def later() -> AsyncIterator[bytes]:
        try:
            for _ in range(pieces):
                yield b"piece"
            await gate.wait_async()
            yield b"late"
        finally:
            closed.set()

    def now() -> Iterator[bytes]:
        try:
            for _ in range(pieces):
                yield b"piece"
            gate.wait()
            for _ in range(10_000):
                yield b"late" * 1000
        finally:
            closed.set()

    def call(request: Request) -> Response:
        return StreamResponse(later() if form == "async" else now(), media_type="text/plain")

    with serve({"/": endpoint("inline", call)}, compression=True) as server:
        client = server.connect(request("/", "GET", GZIP))
        gate.wait_reached()

        client.reset()
        if form == "sync":
            gate.open()

        assert closed.wait(5)
        server.wait_idle()


def test_a_stream_to_head_is_not_made():
    made = []

    def call(request: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            made.append(1)
            yield b"x"

        return StreamResponse(pieces(), media_type="text/plain")

    with serve({"/": endpoint("inline", call)}, compression=True) as server, server.connect() as client:
        reply = client.ask("/", "HEAD", GZIP)

        assert (reply.get("content-encoding"), reply.content, made) == ("gzip", b"", [])


def test_a_stream_to_http_1_0_ends_with_the_connection():
    route = endpoint("inline", lambda request: StreamResponse(iter([LONG]), media_type="text/plain"))
    with serve({"/": route}, compression=True) as server:
        with server.connect(request("/", "GET", GZIP, version="1.0")) as client:
            octets = client.take_all()

    assert decode("gzip", octets.partition(b"\r\n\r\n")[2]) == LONG.encode()


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_that_fails_does_not_look_complete(form: str):
    async def later() -> AsyncIterator[bytes]:
        yield b"piece"
        raise ValueError("x")

    def now() -> Iterator[bytes]:
        yield b"piece"
        raise ValueError("x")

    def call(request: Request) -> Response:
        return StreamResponse(later() if form == "async" else now(), media_type="text/plain")

    with serve({"/": endpoint("inline", call)}, compression=True, faults=True) as server:
        with server.connect(request("/", "GET", GZIP)) as client:
            octets = client.take_all()

        assert not octets.endswith(b"0\r\n\r\n")
        assert len(server.log.tracebacks()) == 1


def test_a_file_leaves_by_sendfile_as_it_is():
    route = endpoint("thread", lambda request: FileResponse(__file__, media_type="text/plain"))
    with serve({"/": route}, compression=True) as server, server.connect() as client:
        reply = client.ask("/", "GET", GZIP)

    assert reply.get("content-encoding") is None
    assert reply.get("accept-ranges") == "bytes"


# -- hosted applications


def asgi(
    pieces: list[bytes],
    *,
    fields: Sequence[tuple[bytes, bytes]] = (),
    gap: Callable[[], Any] | None = None,
) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("none")
        start = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), *fields],
        }
        await send(start)
        for at, piece in enumerate(pieces):
            if gap is not None and at:
                await gap()
            await send({"type": "http.response.body", "body": piece, "more_body": at + 1 < len(pieces)})

    return ASGIHandler(app)


@pytest.mark.parametrize(
    "pieces",
    [
        [LONG.encode()],
        [b"one", b"two", b""],
        [b"one", b"", b"two"],
        [HUGE.encode(), b""],
        [HUGE.encode(), HUGE.encode()],
        [b"small", HUGE.encode(), b"small", b"last"],
        [b"", HUGE.encode()],
    ],
    ids=lambda pieces: ",".join(str(len(piece)) for piece in pieces),
)
def test_an_asgi_application(pieces: list[bytes]):
    with serve(asgi(pieces), compression=True) as server, server.connect() as client:
        for _ in range(2):
            reply = client.ask("/", "GET", GZIP)

            assert reply.get("content-encoding") == "gzip"
            assert decode("gzip", reply.content) == b"".join(pieces)
        assert client.ask("/").content == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[b""], [b"", b""], [LONG.encode(), b""]], ids=["none", "empty", "all"])
def test_head_of_an_asgi_application_that_says_how_long_it_is(pieces: list[bytes]):
    fields = [(b"content-length", b"%d" % len(LONG)), (b"etag", b'"1"')]
    with serve(asgi(pieces, fields=fields), compression=True) as server, server.connect() as client:
        for _ in range(2):
            reply = client.ask("/", "HEAD", GZIP)

            assert (reply.status, reply.get("content-encoding")) == (200, "gzip")
            assert (reply.get("etag"), reply.get("content-length")) == ('W/"1"', None)
        assert not server.log.messages("cannot be sent")
        assert not server.log.messages("failed")


def test_pieces_of_an_asgi_application_are_not_held_back():
    gate = Gate()
    with serve(asgi([b"one", b"two"], gap=gate.wait_async), compression=True) as server:
        with server.connect(request("/", "GET", GZIP)) as client:
            client.take_head()

            assert Decoder("gzip").decode(chunks_of(client, 1)[0]) == b"one"
            gate.open()
            chunks_of(client, 3)


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_a_client_that_leaves_an_asgi_application_while_a_thread_compresses(leave: str):
    pieces = [HUGE.encode()] * 20
    with serve(asgi(pieces), compression=True) as server:
        for _ in range(5):
            client = server.connect(request("/", "GET", GZIP))
            client.take_head()
            getattr(client, leave)()
        server.wait_idle()

        with server.connect(request("/", "GET", GZIP, version="1.0")) as client:
            octets = client.take_all()
        assert decode("gzip", octets.partition(b"\r\n\r\n")[2]) == b"".join(pieces)


def test_an_asgi_application_that_stops_in_the_middle_does_not_look_complete():
    async def fail() -> None:
        raise ValueError("x")

    with serve(asgi([HUGE.encode(), b"x"], gap=fail), compression=True, faults=True) as server:
        with server.connect(request("/", "GET", GZIP)) as client:
            assert not client.take_all().endswith(b"0\r\n\r\n")


def test_an_asgi_application_that_compresses_by_itself_is_left_alone():
    fields = [(b"content-encoding", b"br"), (b"content-length", b"%d" % len(LONG))]
    with serve(asgi([LONG.encode()], fields=fields), compression=True) as server, server.connect() as client:
        reply = client.ask("/", "GET", GZIP)

    assert (reply.get("content-encoding"), reply.content) == ("br", LONG.encode())


@pytest.mark.parametrize("form", ["list", "generator", "with length"])
def test_a_wsgi_application(form: str):
    closed = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield from (LONG[:100].encode(), LONG[100:].encode())

        def close(self) -> None:
            closed.append(1)

    def app(environ: Any, start_response: Any) -> Any:
        fields = [("Content-Type", "text/plain"), ("ETag", '"1"')]
        if form == "with length":
            fields.append(("Content-Length", str(len(LONG))))
        start_response("200 OK", fields)
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return [LONG.encode()] if form == "list" else Pieces()

    with serve(WSGIHandler(app), compression=True) as server, server.connect() as client:
        reply = client.ask("/", "GET", GZIP)
        head = client.ask("/", "HEAD", GZIP)

        assert (reply.get("content-encoding"), reply.get("etag")) == ("gzip", 'W/"1"')
        assert decode("gzip", reply.content) == LONG.encode()
        if form == "with length":
            assert (head.get("content-encoding"), head.get("etag")) == ("gzip", 'W/"1"')
    assert len(closed) == (form != "list")


# -- an App


def test_an_app_compresses_its_own_and_what_is_mounted_may_do_it_otherwise(tmp_path: Any):
    from penstock import StaticFiles

    (tmp_path / "a.txt").write_text(LONG)
    rows = [{"n": number} for number in range(500)]
    inner = App(compression=Compression(types=["text/*"], codings=["gzip"]))
    app = App(compression=Compression(codings=["gzip"]))

    @inner.get("/text")
    def text() -> str:
        return LONG

    @app.get("/json")
    async def json() -> list:
        return rows

    @app.after
    def tag(request: Request, response: Response) -> None:
        response.headers["ETag"] = '"1"'

    app.mount("/inner", inner)
    app.mount("/files", StaticFiles(tmp_path))
    with serve(app) as server, server.connect() as client:
        for path, content in (
            ("/json", JSONResponse(rows).body),
            ("/inner/text", LONG.encode()),
            ("/files/a.txt", LONG.encode()),
            ("/files/a.txt", LONG.encode()),
        ):
            reply = client.ask(path, "GET", GZIP)
            assert reply.get("content-encoding") == "gzip", path
            assert decode("gzip", reply.content) == content
            assert client.ask(path).content == content
        assert client.ask("/json", "GET", GZIP).get("etag") == 'W/"1"'
        assert client.ask("/none", "GET", GZIP).status == 404


@pytest.mark.parametrize("compression", [True, "gzip", {"minimum_bytes": 1}])
def test_what_is_no_compression_is_refused_at_once(compression: Any):
    with pytest.raises(ApplicationError, match="expected a Compression"):
        App(compression=compression)


def test_an_app_and_its_server_do_not_compress_twice():
    app = App(compression=Compression(codings=["gzip"]))
    app.get("/")(lambda: LONG)
    with serve(app, compression=True) as server, server.connect() as client:
        reply = client.ask("/", "GET", GZIP)

    assert reply.get("content-encoding") == "gzip"
    assert reply.get("vary") == "Accept-Encoding"
    assert decode("gzip", reply.content) == LONG.encode()
