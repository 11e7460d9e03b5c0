"""Streaming responses: framing, faults of the iterator, trailers, contexts, clients that leave."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until

FORMS = ["sync", "async"]
NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="none")
PIECE = b"x" * 65_536


def stream_of(form: str, pieces: Callable[[], Iterator[bytes | str]], **options: Any) -> StreamResponse:
    """A StreamResponse of a generator, or of an async generator that does the same."""
    if form == "sync":
        return StreamResponse(pieces(), **options)

    async def later() -> AsyncIterator[bytes | str]:
        iterator = pieces()
        try:
            for piece in iterator:
                yield piece
                await asyncio.sleep(0)
        finally:
            iterator.close()  # type: ignore[attr-defined]

    return StreamResponse(later(), **options)


def streaming(form: str, pieces: Callable[[], Iterator[bytes | str]], **options: Any) -> Any:
    return endpoint("inline", lambda request: stream_of(form, pieces, **options))


OK = endpoint("inline", lambda request: TextResponse("ok"))


@pytest.mark.parametrize("form", FORMS)
def test_pieces_arrive_as_chunks_and_the_connection_is_kept(form: str):
    def pieces() -> Iterator[bytes | str]:
        yield b"a"
        yield b""
        yield "ä"
        yield bytearray(b"b")  # type: ignore[misc]
        yield memoryview(b"c")  # type: ignore[misc]

    with serve({"/": streaming(form, pieces)}) as server, server.connect() as client:
        for _ in range(3):
            reply = client.ask("/")

            assert reply.get("transfer-encoding") == "chunked"
            assert reply.content == "aäbc".encode()


@pytest.mark.parametrize("form", FORMS)
def test_each_piece_leaves_before_the_next_is_made(form: str):
    gates = [Gate(), Gate()]

    async def later() -> AsyncIterator[bytes]:
        yield b"first"
        await gates[0].wait_async()
        yield b"second"

    def pieces() -> Iterator[bytes]:
        yield b"first"
        gates[0].wait()
        yield b"second"

    call: Any = {"sync": pieces, "async": later}[form]
    with (
        serve({"/": endpoint("inline", lambda request: StreamResponse(call()))}) as server,
        server.connect() as client,
    ):
        client.send(request("/"))
        client.take_head()
        while b"first" not in client.octets:
            client.receive()

        assert b"second" not in client.octets
        gates[0].open()
        while b"second" not in client.octets:
            client.receive()


@pytest.mark.parametrize("form", FORMS)
def test_a_declared_length_is_used_instead_of_chunks(form: str):
    with (
        serve(
            {"/": streaming(form, lambda: iter_of(b"abc", b"de"), headers={"Content-Length": "5"})}
        ) as server,
        server.connect() as client,
    ):
        for _ in range(2):
            reply = client.ask("/")

            assert reply.get("content-length") == "5"
            assert reply.content == b"abcde"


def iter_of(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("pieces", "words"), [([b"abc"], "3 octets"), ([b"abc", b"defg"], "more content")])
def test_a_length_that_is_not_kept_closes_the_connection_and_is_logged(
    form: str, pieces: list[bytes], words: str
):
    route = streaming(form, lambda: iter_of(*pieces), headers={"Content-Length": "5"})
    with serve({"/": route}, faults=True) as server, server.connect() as client:
        client.send(request("/") + request("/"))

        octets = client.take_all()

        assert octets.count(b"HTTP/1.1") == 1
        assert octets.partition(b"\r\n\r\n")[2] == b"abc"
        assert any(words in text for text in server.log.tracebacks())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize(
    "error",
    [ValueError("x"), OSError("no such disk"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_cuts_the_reply_is_logged_and_harms_no_other(
    form: str, before: int, error: BaseException
):
    def pieces() -> Iterator[bytes]:
        for _ in range(before):
            yield b"piece"
        raise error

    with serve({"/": streaming(form, pieces), "/ok": OK}, faults=True) as server, server.connect() as client:
        client.send(request("/"))

        octets = client.take_all()

        assert b"0\r\n\r\n" not in octets, "the reply must not look complete"
        assert octets.count(b"piece") == before
        assert len(server.log.tracebacks()) == 1
        assert "the stream failed, trace id" in server.log.tracebacks()[0]
        assert server.ask("/ok").status == 200


@pytest.mark.parametrize("content", [None, 5, iter([5]), iter([None])])
def test_content_that_cannot_be_sent_closes_the_connection(content: Any):
    with serve(
        {"/": endpoint("inline", lambda request: StreamResponse(content)), "/ok": OK}, faults=True
    ) as server:
        with server.connect() as client:
            client.send(request("/"))

            assert b"0\r\n\r\n" not in client.take_all()
        assert server.ask("/ok").status == 200
        assert len(server.log.tracebacks()) == 1


def test_an_aiter_that_raises_closes_the_connection():
    class Broken:
        def __aiter__(self) -> Any:
            raise ValueError("no iterator")

    with serve({"/": endpoint("task", lambda request: StreamResponse(Broken()))}, faults=True) as server:
        with server.connect() as client:
            client.send(request("/"))

            assert b"0\r\n\r\n" not in client.take_all()
        assert len(server.log.tracebacks()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_head_that_cannot_be_sent_is_a_500_and_the_iterator_is_closed(form: str):
    closed = threading.Event()

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b""])

        def close(self) -> None:
            closed.set()

    class Later:
        def __aiter__(self) -> Any:
            return self

        async def aclose(self) -> None:
            closed.set()

    content: Any = Pieces() if form == "sync" else Later()

    def call(request: Request) -> Response:
        return StreamResponse(content, headers={"X": "a\r\nb"})

    with serve({"/": endpoint("inline", call), "/ok": OK}) as server, server.connect() as client:
        client.send(request("/") * 300 + request("/ok"))
        replies = [client.take() for _ in range(301)]

        assert [reply.status for reply in replies if reply] == [500] * 300 + [200]
        assert closed.wait(20)


@pytest.mark.parametrize("form", FORMS)
def test_trailers_follow_the_content(form: str):
    seen: list[str] = []

    def pieces() -> Iterator[bytes]:
        yield b"abc"
        seen.append("done")

    def route(request: Request) -> Response:
        return stream_of(form, pieces, trailers=lambda: {"X-Seen": ",".join(seen)})

    with serve({"/": endpoint("inline", route)}) as server, server.connect() as client:
        client.send(request("/"))
        while not client.octets.endswith(b"\r\n\r\n") or b"\r\n0\r\n" not in client.octets:
            client.receive()

        assert client.octets.endswith(b"3\r\nabc\r\n0\r\nX-Seen: done\r\n\r\n")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("trailers", [{"Content-Length": "3"}, {"a b": "c"}, {"X": "a\r\nb"}])
def test_trailers_that_may_not_be_close_the_connection(form: str, trailers: dict[str, str]):
    with serve({"/": streaming(form, lambda: iter_of(b"a"), trailers=trailers)}, faults=True) as server:
        with server.connect() as client:
            client.send(request("/"))

            assert client.take_all().endswith(b"1\r\na\r\n")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("run", ["inline", "task", "thread"])
def test_the_iterator_sees_the_context_of_its_handler(form: str, run: str):
    def pieces() -> Iterator[bytes | str]:
        for number in range(3):
            yield NAME.get()
            NAME.set(f"{NAME.get()}{number}")

    def call(request: Request) -> Response:
        NAME.set(request.raw_path.decode())
        return stream_of(form, pieces)

    with serve({"/": endpoint(run, call)}) as server, server.connect() as client:
        client.send(request("/.a") + request("/.b"))

        assert [client.take().content for _ in range(2)] == [b"/.a/.a0/.a01", b"/.b/.b0/.b01"]  # type: ignore[union-attr]


class Tracked:
    """An endless stream that tells when it was closed, and whether twice."""

    def __init__(
        self, form: str, piece: bytes, pause_s: float = 0.0, fault: BaseException | None = None
    ) -> None:
        self.form, self.piece, self.pause_s, self.fault = form, piece, pause_s, fault
        self.begun = threading.Event()
        self.cleaned: list[str] = []
        self.sent = 0

    def _clean(self) -> None:
        self.cleaned.append("cleaned")
        if self.fault is not None:
            raise self.fault

    def _pieces(self) -> Iterator[bytes]:
        try:
            while True:
                yield self.piece
                self.sent += 1
                self.begun.set()
                time.sleep(self.pause_s)
        finally:
            self._clean()

    async def _later(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield self.piece
                self.sent += 1
                self.begun.set()
                await asyncio.sleep(self.pause_s)
        finally:
            await asyncio.sleep(0)  # clean-up may wait, and is not cancelled again
            self._clean()

    def call(self, request: Request) -> Response:
        return StreamResponse(self._pieces() if self.form == "sync" else self._later())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("leave", ["close", "reset", "end"])
@pytest.mark.parametrize("state", ["running", "blocked"])
def test_the_iterator_is_closed_once_when_the_client_leaves(form: str, leave: str, state: str):
    tracked = Tracked(form, b"tick" if state == "running" else PIECE, 0.005 if state == "running" else 0.0)
    with serve({"/": endpoint("inline", tracked.call), "/ok": OK}) as server:
        client = server.connect(request("/"), receive_buffer_bytes=4_096)
        assert tracked.begun.wait(20)
        if state == "blocked":
            wait_until(lambda: server.connections[0].unsent is not None, "the client takes no more")

        getattr(client, leave)()

        wait_until(lambda: tracked.cleaned, "the iterator is closed")
        server.wait_idle()
        client.close()
        assert server.ask("/ok").status == 200
        assert tracked.cleaned == ["cleaned"]


def test_an_async_iterator_that_waits_is_told_that_the_client_has_left():
    tracked = Tracked("async", b"tick", 3_600)
    with serve({"/": endpoint("inline", tracked.call)}) as server:
        client = server.connect(request("/"))
        assert tracked.begun.wait(20)

        client.close()

        wait_until(lambda: tracked.cleaned, "the iterator is closed")
        server.wait_idle()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", [ValueError("in clean-up"), SystemExit(2)], ids=repr)
def test_clean_up_that_raises_is_logged_and_the_connection_closed(form: str, fault: BaseException):
    tracked = Tracked(form, b"tick", 0.005, fault)
    with serve({"/": endpoint("inline", tracked.call), "/ok": OK}, faults=True) as server:
        client = server.connect(request("/"))
        assert tracked.begun.wait(20)

        client.close()

        wait_until(lambda: tracked.cleaned, "the iterator is closed")
        server.wait_idle()
        assert server.ask("/ok").status == 200
        wait_until(server.log.tracebacks, "it is logged")
        assert len(server.log.tracebacks()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_clients_that_leave_early_leave_nothing_behind(form: str):
    open_iterators = 0
    lock = threading.Lock()

    def count(by: int) -> None:
        nonlocal open_iterators
        with lock:
            open_iterators += by

    def pieces() -> Iterator[bytes]:
        count(1)
        try:
            while True:
                yield b"x" * 20_000
        finally:
            count(-1)

    with serve({"/": streaming(form, pieces), "/ok": OK}, threads=4) as server:
        for number in range(1_000):
            client = server.connect(request("/"))
            if number % 3:
                client.socket.recv(1 + number % 500)
            if number % 2:
                client.reset()
            else:
                client.close()
        server.wait_idle()
        wait_until(lambda: open_iterators == 0, "every iterator is closed")
        assert server.ask("/ok").status == 200
        assert server.reactor.when_flushed == {}


def test_an_async_iterator_that_never_waits_lets_others_be_served():
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100

    with serve({"/": endpoint("task", lambda request: StreamResponse(endless())), "/ok": OK}) as server:
        with server.connect(request("/")) as client:
            stop = threading.Event()

            def read() -> None:
                while not stop.is_set() and client.socket.recv(1_000_000):
                    pass

            reader = threading.Thread(target=read)
            reader.start()
            try:
                for _ in range(20):
                    assert server.ask("/ok").status == 200
            finally:
                stop.set()
                reader.join()


@pytest.mark.parametrize("form", FORMS)
def test_head_of_a_stream_closes_its_iterator_unused(form: str):
    tracked = Tracked(form, b"tick")
    closed = threading.Event()

    def call(request: Request) -> Response:
        response = tracked.call(request)
        inner: Any = response.content  # type: ignore[attr-defined]

        class Wrapped:
            if form == "sync":

                def __iter__(self) -> Any:
                    return iter(inner)

                def close(self) -> None:
                    closed.set()

            else:

                def __aiter__(self) -> Any:
                    return self

                async def __anext__(self) -> bytes:
                    raise AssertionError("not asked for")

                async def aclose(self) -> None:
                    closed.set()

        return StreamResponse(Wrapped())  # type: ignore[arg-type]

    with serve({"/": endpoint("inline", call)}) as server, server.connect() as client:
        assert client.ask("/", "HEAD").status == 200
        assert closed.wait(20)
        assert not tracked.begun.is_set()
