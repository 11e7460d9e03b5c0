"""What handlers and clients do wrong: the right status, one log line, the connection in a known state."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from penstock import App
from penstock.errors import HTTPError
from penstock.http.handler import Endpoint
from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.corpus.loader import load_corpus
from tests.server.harness import RUNS, Client, endpoint, request, serve, wait_until
from tests.wire.server import run_server

ERRORS: list[type[BaseException]] = [
    ValueError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    StopIteration,
    StopAsyncIteration,
    RecursionError,
    MemoryError,
]
OK = endpoint("inline", lambda request: TextResponse("ok"))


def raising(run: str, error: type[BaseException], *, is_late: bool = False) -> Endpoint:
    def fail(request: Request) -> Response:
        raise error("on purpose")

    async def fail_late(request: Request) -> Response:
        await asyncio.sleep(0)
        raise error("on purpose")

    return endpoint(run, fail_late if is_late else fail)


def check_500(client: Client) -> None:
    for _ in range(2):
        reply = client.ask("/")

        assert reply.status == 500
        assert reply.get("content-type") == "application/problem+json"
        assert len(json.loads(reply.content)["trace_id"]) == 32
        assert not reply.closes
        assert b"on purpose" not in reply.content


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("error", ERRORS)
def test_a_handler_that_raises_is_a_500_with_a_trace_id_and_the_connection_stays(
    run: str, error: type[BaseException]
):
    with serve({"/": raising(run, error), "/ok": OK}, faults=True) as server, server.connect() as client:
        check_500(client)

        assert client.ask("/ok").status == 200
        # From 3.12 on asyncio adds a word of its own about a Task that began with SystemExit.
        assert sum("trace id" in text for text in server.log.tracebacks()) == 2


@pytest.mark.parametrize("error", ERRORS)
def test_a_handler_that_raises_after_a_wait_too(error: type[BaseException]):
    with serve({"/": raising("task", error, is_late=True), "/ok": OK}, faults=True) as server:
        with server.connect() as client:
            check_500(client)

            assert client.ask("/ok").status == 200
            assert len(server.log.tracebacks()) == 2


@pytest.mark.parametrize("run", ["inline", "thread"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_awaitable_answer_that_raises_too(run: str, error: type[BaseException]):
    async def fail() -> Response:
        await asyncio.sleep(0)
        raise error("on purpose")

    with serve({"/": endpoint(run, lambda request: fail()), "/ok": OK}, faults=True) as server:
        with server.connect() as client:
            check_500(client)

            assert client.ask("/ok").status == 200


@pytest.mark.parametrize("error", [error for error in ERRORS if error is not StopIteration])
def test_an_app_answers_each_for_itself(error: type[BaseException]):
    app = App()

    @app.get("/inline", run="inline")
    def inline() -> str:
        raise error("on purpose")

    @app.get("/thread")
    def thread() -> str:
        raise error("on purpose")

    @app.get("/task")
    async def task() -> str:
        raise error("on purpose")

    @app.get("/late")
    async def late() -> str:
        await asyncio.sleep(0)
        raise error("on purpose")

    with serve(app, faults=True) as server, server.connect() as client:
        for path in ("/inline", "/thread", "/task", "/late"):
            reply = client.ask(path)

            assert reply.status == 500
            assert json.loads(reply.content)["trace_id"]
            assert not reply.closes
        assert len(server.log.tracebacks()) == 4


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("answer", [None, "text", 7, b"", {}, [], object(), Response])
def test_an_answer_that_is_no_response_is_a_500(run: str, answer: Any):
    with serve({"/": endpoint(run, lambda request: answer), "/ok": OK}, faults=True) as server:
        with server.connect() as client:
            check_500(client)

            assert client.ask("/ok").status == 200


@pytest.mark.parametrize("run", RUNS)
def test_an_http_error_from_a_foreign_handler_is_its_problem(run: str):
    def fail(request: Request) -> Response:
        raise HTTPError(409, "twice", headers={"X-Why": "because"})

    with serve({"/": endpoint(run, fail)}) as server, server.connect() as client:
        reply = client.ask("/")

        assert reply.status == 409
        assert reply.get("x-why") == "because"
        assert not reply.closes


def broken(kind: str) -> Response:
    response = TextResponse("text")
    if kind == "status":
        response.status = 99
    elif kind == "status type":
        response.status = "200"  # type: ignore[assignment]
    elif kind == "value":
        response.headers["X"] = "a\r\nSet-Cookie: b"
    elif kind == "name":
        response.headers["X: y\r\nZ"] = "b"
    elif kind == "nul":
        response.headers["X"] = "a\0b"
    elif kind == "unicode":
        response.headers["X"] = "\u20ac"
    elif kind == "length":
        response.headers["Content-Length"] = "7"
    elif kind == "length form":
        response.headers["Content-Length"] = "+4"
    elif kind == "coding":
        response.headers["Transfer-Encoding"] = "chunked"
    elif kind == "media type":
        response.media_type = "text/plain\r\nX: y"
    elif kind == "body":
        response.body = "text"  # type: ignore[assignment]
    return response


BROKEN = [
    *("status", "status type", "value", "name", "nul", "unicode"),
    *("length", "length form", "coding", "media type", "body"),
]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("kind", BROKEN)
def test_a_response_that_cannot_be_sent_is_a_500_and_logged(run: str, kind: str):
    with serve({"/": endpoint(run, lambda request: broken(kind)), "/ok": OK}, faults=True) as server:
        with server.connect() as client:
            client.send(request("/") * 2 + request("/ok"))

            replies = [client.take() for _ in range(3)]

            assert [reply.status for reply in replies if reply] == [500, 500, 200]
            assert not any(reply.get("set-cookie") or reply.get("x") for reply in replies if reply)
            logged = server.log.messages("cannot be sent") + server.log.messages("application failed")
            assert len(logged) == 2


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind not in ("length", "body")])
def test_a_stream_whose_head_cannot_be_sent_is_a_500(kind: str):
    def call(request: Request) -> Response:
        plain = broken(kind)
        stream = StreamResponse(iter([b"a"]), plain.status, media_type=plain.media_type or "")
        stream.own_headers = plain.own_headers
        return stream

    with serve({"/": endpoint("inline", call), "/ok": OK}, faults=True) as server, server.connect() as client:
        client.send(request("/") + request("/ok"))

        assert [reply.status for reply in (client.take(), client.take()) if reply] == [500, 200]


def test_a_resolve_that_raises_costs_its_connection_only():
    class Broken:
        methods = frozenset({"GET"})

        def resolve(self, request: Request) -> Endpoint:
            if request.raw_path == b"/bad":
                raise ValueError("a bug")
            return OK

        async def startup(self, server: Any) -> None: ...

        async def shutdown(self) -> None: ...

    with serve(Broken(), faults=True) as server:
        with server.connect(request("/bad")) as client:
            client.take_all()
        assert server.ask("/").status == 200
        server.wait_idle()


def test_each_malformed_request_costs_one_line_and_no_traceback():
    cases = [case for case in load_corpus() if case.error and not case.requests and case.live != "no"]
    assert len(cases) > 100
    with serve({"/": OK}) as server:
        for count, case in enumerate(cases, 1):
            with server.connect() as client:
                client.send(case.octets)
                reply = client.take()

                assert reply and reply.status == case.error, case.where
                assert reply.closes
            wait_until(lambda count=count: len(server.log.records) >= count, "it is logged")
            assert len(server.log.records) == count, case.where
        assert len(server.log.messages("refused")) == len(cases)


PARTS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\0",
    b"\xff",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: +5\r\n",
]
PARTS += [
    b"Transfer-Encoding: chunked\r\n",
    b"GET / HTTP/1.1\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"Expect: 100-continue\r\n",
]
PARTS += [
    b"Connection: close\r\n",
    b"POST /thread HTTP/1.1\r\n",
    b"HTTP/1.0",
    b"x" * 9_000,
    b"\r\n\r\n",
    b"%zz",
    b"/stream",
]


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    octets = bytearray(chance.choice(seeds))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(octets) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            octets[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            octets[at:at] = chance.choice(PARTS)
        elif kind == 2:
            del octets[at : at + chance.randrange(1, 20)]
        else:
            octets += chance.choice(seeds)
    return bytes(octets)


def test_20_000_random_and_mutated_requests_leave_the_server_serving_and_its_memory_flat():
    seeds = [case.octets for case in load_corpus() if len(case.octets) < 3_000]
    paths = ("/", "/thread", "/task", "/read", "/stream")
    seeds += [request(path, "POST", body=b"hello") for path in paths]
    seeds += [
        request(path, "POST", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n" for path in paths
    ]
    chance = random.Random(20_000)
    sizes = []
    with run_server(
        "tests.server.mixed_app:app", "--no-access-log", "--linger-timeout", "0.2", "--threads", "4"
    ) as server:
        for number in range(20_000):
            client = Client(server.port)
            try:
                if chance.random() < 0.1:
                    client.send(chance.randbytes(chance.randrange(1, 300)))
                else:
                    client.send(mutated(chance, seeds))
                if chance.random() < 0.3:
                    client.end()
                    client.socket.recv(4_096)
            except OSError:
                pass
            if chance.random() < 0.3:
                client.reset()
            else:
                client.close()
            if number % 4_000 == 3_999:
                with Client(server.port) as client:
                    sizes.append(json.loads(client.ask("/figures").content)["resident_bytes"])

    print("resident after each 4,000:", sizes)
    assert "Traceback" not in "".join(server.log)
    assert server.process.returncode == 0
    assert sizes[-1] - sizes[0] < 4_000_000


def test_a_fault_in_a_callback_of_the_loop_is_logged_and_others_are_served():
    def call(request: Request) -> Response:
        def fail() -> None:
            raise SystemExit(3)

        asyncio.get_running_loop().call_soon(fail)
        return TextResponse("ok")

    with serve({"/": endpoint("inline", call), "/ok": OK}, faults=True) as server, server.connect() as client:
        assert client.ask("/").status == 200
        for _ in range(3):
            assert client.ask("/ok").status == 200


@pytest.mark.parametrize("run", RUNS)
def test_the_access_log_tells_the_reply_that_was_sent_and_not_the_one_that_could_not_be(run: str):
    route = endpoint(run, lambda request: TextResponse("ok", headers={"X-Name": "a\nb"}))
    with serve({"/": route}, access_log=True) as server:
        assert server.ask("/").status == 500
        wait_until(lambda: server.log.messages('"GET / HTTP/1.1"'), "it is logged")

        assert '"GET / HTTP/1.1" 500 ' in server.log.messages('"GET / HTTP/1.1"')[0]
