"""Handlers past their deadline: 504, one log entry with the stack, Tasks cancelled, threads replaced."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock import App
from penstock.errors import ApplicationError
from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Gate, Running, endpoint, request, serve, wait_until

OK = endpoint("inline", lambda request: TextResponse("ok"))
TIMEOUT_S = 0.5
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = f"traceparent: 00-{TRACE_ID}-00f067aa0ba902b7-01"


def dumps(server: Running) -> list[str]:
    """The log entries about overdue handlers, with their stacks."""
    formatter = logging.Formatter()
    return [formatter.format(each) for each in server.log.records if "no answer for" in each.getMessage()]


def check_504(server: Running, target: str = "/", method: str = "GET", **options: Any) -> str:
    """Ask, and be answered 504 on a connection that closes; return the one log entry."""
    begun = time.monotonic()
    with server.connect() as client:
        reply = client.ask(target, method, TRACED, **options)
        assert client.ends()

    assert reply.status == 504
    assert reply.closes
    assert reply.get("content-type") == "application/problem+json"
    assert json.loads(reply.content)["trace_id"] == TRACE_ID
    assert TIMEOUT_S * 0.9 < time.monotonic() - begun < 15  # the handlers take 20
    (dump,) = dumps(server)
    assert re.search(rf"<Request {method} {re.escape(target)}>: no answer for \d+\.\d", dump)
    assert TRACE_ID in dump
    return dump


def test_a_task_past_its_deadline_is_cancelled_and_its_finally_runs():
    cleaned = []

    async def deep() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(asyncio.current_task())

    async def call(request: Request) -> Response:
        await deep()
        return TextResponse("late")

    with serve({"/": endpoint("task", call)}, handler_timeout_s=TIMEOUT_S) as server:
        dump = check_504(server)
        wait_until(lambda: cleaned, "it cleans up")

    assert dump.index("in call\n") < dump.index("in deep\n") < dump.index("in sleep\n")


def test_a_thread_past_its_deadline_is_answered_for_and_its_late_answer_thrown_away():
    gate, finished = Gate(), threading.Event()

    def call(request: Request) -> Response:
        gate.wait()
        finished.set()
        return TextResponse("late")

    with serve({"/": endpoint("thread", call)}, handler_timeout_s=TIMEOUT_S) as server:
        dump = check_504(server)
        gate.open()
        assert finished.wait(20)
        wait_until(lambda: server.log.messages("has ended its work after all"), "the thread ends")
        wait_until(lambda: server.server.thread_pool()["total_workers"] == 0, "it is counted no more")

    assert "in call\n" in dump
    assert "Stack of thread penstock-0" in dump


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_who_answers_in_time_is_not_touched(kind: str):
    async def nap(request: Request) -> Response:
        await asyncio.sleep(0.02)
        return TextResponse("ok")

    def nap_sync(request: Request) -> Response:
        time.sleep(0.02)
        return TextResponse("ok")

    one = endpoint(kind, nap if kind == "task" else nap_sync)
    with serve({"/": one}, handler_timeout_s=2.0, idle_timeout_s=60) as server, server.connect() as client:
        for _ in range(10):
            reply = client.ask("/")
            assert reply.status == 200
            assert not reply.closes
        time.sleep(2.6)  # nothing of the last one's deadline is left: twice looked at, every 0.5 s
        assert client.ask("/").status == 200
        assert dumps(server) == []


def test_an_idle_connection_keeps_its_own_deadline_after_a_handler_with_one():
    one = endpoint("thread", lambda request: TextResponse("ok"), timeout_s=60)
    with serve({"/": one}, idle_timeout_s=0.3) as server, server.connect() as client:
        begun = time.monotonic()
        client.ask("/")

        assert client.ends()

        assert 0.2 < time.monotonic() - begun < 20


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_an_endpoint_has_a_deadline_of_its_own(kind: str):
    gate = Gate()

    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return TextResponse("waited")

    def wait_sync(request: Request) -> Response:
        gate.wait()
        return TextResponse("waited")

    call = wait if kind == "task" else wait_sync
    routes = {
        "/short": endpoint(kind, call, timeout_s=TIMEOUT_S),
        "/none": endpoint(kind, call, timeout_s=0),
        "/long": endpoint(kind, call, timeout_s=60),
    }
    with serve(routes, handler_timeout_s=0.4) as server:
        with server.connect(request("/none")) as none, server.connect(request("/long")) as long:
            assert server.ask("/short").status == 504
            time.sleep(0.6)
            gate.open()
            for client in (none, long):
                reply = client.take()
                assert reply and reply.content == b"waited"


def test_a_pool_that_loses_a_thread_gets_another():
    gate = Gate()

    def wait(request: Request) -> Response:
        gate.wait()
        return TextResponse("late")

    quick = endpoint("thread", lambda request: TextResponse("ok"))
    routes = {"/wait": endpoint("thread", wait, timeout_s=TIMEOUT_S), "/": quick}
    with serve(routes, threads=2, idle_timeout_s=0.4) as server:
        stuck = [server.connect(request("/wait")) for _ in range(2)]
        for client in stuck:
            reply = client.take()
            assert reply and reply.status == 504

        for _ in range(4):
            assert server.ask("/").status == 200
        assert server.server.thread_pool()["total_workers"] <= 4
        gate.open()
        wait_until(lambda: server.server.thread_pool()["total_workers"] <= 2, "the lost end")
        assert server.ask("/").status == 200


def test_a_pool_whose_every_thread_and_replacement_is_stuck_says_so_and_recovers():
    gate = Gate()

    def wait(request: Request) -> Response:
        gate.wait()
        return TextResponse("late")

    routes = {"/wait": endpoint("thread", wait, timeout_s=TIMEOUT_S), "/inline": OK}
    routes["/"] = endpoint("thread", lambda request: TextResponse("ok"), timeout_s=TIMEOUT_S)
    with serve(routes, threads=1, idle_timeout_s=0.4) as server:
        for _ in range(2):
            assert server.ask("/wait").status == 504
        reply = server.ask("/")

        assert server.log.messages("2 threads are stuck in handlers past their deadline; 0 of 1 are left")
        assert reply.status == 503
        assert reply.get("retry-after") == "1"
        assert server.log.messages("no thread was free for it")
        assert server.ask("/inline").status == 200
        gate.open()
        wait_until(lambda: server.ask("/").status == 200, "it serves again")


def test_a_thread_whose_client_has_left_is_lost_and_replaced_all_the_same():
    gate = Gate()

    def wait(request: Request) -> Response:
        gate.wait()
        return TextResponse("late")

    routes = {"/wait": endpoint("thread", wait, timeout_s=TIMEOUT_S)}
    routes["/"] = endpoint("thread", lambda request: TextResponse("ok"))
    with serve(routes, threads=1, idle_timeout_s=0.4) as server:
        client = server.connect(request("/wait"))
        gate.wait_reached()
        client.reset()

        assert server.ask("/").status == 200
        wait_until(lambda: len(dumps(server)) == 1, "it is logged")
        gate.open()
        server.wait_idle()


def test_a_task_whose_client_has_left_is_cancelled_at_its_deadline():
    took_s = []
    gate = Gate()

    async def call(request: Request) -> Response:
        begun = time.monotonic()
        try:
            gate.reached.set()
            await asyncio.sleep(20)
        finally:
            took_s.append(time.monotonic() - begun)
        return TextResponse("late")

    with serve({"/": endpoint("task", call)}, handler_timeout_s=0.4) as server:
        client = server.connect(request("/"))
        gate.wait_reached()
        client.reset()
        server.wait_idle()

        wait_until(lambda: took_s, "it is cancelled")
        assert took_s[0] > 0.35, "not when its client leaves"
        assert len(dumps(server)) == 1


@pytest.mark.parametrize("form", ["async", "sync"])
def test_the_deadline_counts_until_the_response_begins(form: str):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0.5)
            yield b"x"

    def pieces_sync() -> Iterator[bytes]:
        for _ in range(5):
            time.sleep(0.5)
            yield b"x"

    one = endpoint(
        "thread" if form == "sync" else "task",
        lambda request: StreamResponse(pieces() if form == "async" else pieces_sync()),
    )
    with serve({"/": one}, handler_timeout_s=1.8) as server, server.connect() as client:
        for _ in range(2):
            reply = client.ask("/")
            assert reply.status == 200
            assert reply.content == b"x" * 5
        assert dumps(server) == []


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_the_time_a_handler_waits_for_content_is_its_clients(kind: str):
    async def read(request: Request) -> Response:
        assert request.stream is not None
        return Response(await request.stream.read())

    def read_sync(request: Request) -> Response:
        assert request.stream is not None
        return Response(request.stream.read_sync())  # type: ignore[attr-defined]

    one = endpoint(kind, read if kind == "task" else read_sync, streams_body=True)
    with serve({"/": one}, handler_timeout_s=1.5) as server:
        with server.connect(request("/", "POST", "Content-Length: 4")) as client:
            for _ in range(4):
                time.sleep(0.5)
                client.send(b"x")
            reply = client.take()

        assert reply and reply.content == b"x" * 4


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_a_handler_that_is_stuck_after_content_is_overdue(kind: str):
    gate = Gate()

    async def read(request: Request) -> Response:
        assert request.stream is not None
        await request.stream.read()
        await gate.wait_async()
        return TextResponse("late")

    def read_sync(request: Request) -> Response:
        assert request.stream is not None
        request.stream.read_sync()  # type: ignore[attr-defined]
        gate.wait()
        return TextResponse("late")

    one = endpoint(kind, read if kind == "task" else read_sync, streams_body=True)
    with serve({"/": one}, handler_timeout_s=TIMEOUT_S) as server:
        with server.connect(request("/", "POST", "Content-Length: 4")) as client:
            time.sleep(0.3)
            client.send(b"1234")
            reply = client.take()
            assert reply and reply.status == 504
        gate.open()
        wait_until(lambda: server.server.thread_pool()["total_workers"] == 0, "the thread ends")


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_a_client_that_sends_no_content_at_all_is_cut_off_though_the_handler_waits(
    kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 0.3)

    async def read(request: Request) -> Response:
        assert request.stream is not None
        return Response(await request.stream.read())

    def read_sync(request: Request) -> Response:
        assert request.stream is not None
        return Response(request.stream.read_sync())  # type: ignore[attr-defined]

    one = endpoint(kind, read if kind == "task" else read_sync, streams_body=True)
    with serve({"/": one}, idle_timeout_s=1) as server:
        with server.connect(request("/", "POST", "Content-Length: 10")) as client:
            begun = time.monotonic()
            reply = client.take()

        assert reply and reply.status == 408
        assert time.monotonic() - begun < 20


def test_replies_to_pipelined_requests_before_it_arrive_and_those_after_it_do_not():
    async def call(request: Request) -> Response:
        await asyncio.sleep(20)
        return TextResponse("late")

    routes = {"/": OK, "/stuck": endpoint("task", call)}
    with serve(routes, handler_timeout_s=TIMEOUT_S) as server, server.connect() as client:
        client.send(request("/") * 3 + request("/stuck") + request("/") * 3)

        replies = [client.take() for _ in range(4)]

        assert [reply.status for reply in replies if reply] == [200, 200, 200, 504]
        assert client.take() is None


def test_a_def_handler_that_returns_a_coroutine_keeps_the_deadline_it_began_with():
    async def later() -> Response:
        await asyncio.sleep(20)
        return TextResponse("late")

    def call(request: Request) -> Any:
        time.sleep(2.0)
        return later()

    with serve({"/": endpoint("thread", call)}, handler_timeout_s=2.4, linger_timeout_s=0.2) as server:
        begun = time.monotonic()

        assert server.ask("/").status == 504

        assert time.monotonic() - begun < 4.4


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_an_answer_at_the_very_deadline_is_one_whole_reply(kind: str):
    chance = random.Random(504)

    def length_s() -> float:
        return chance.choice((0.0, *(chance.uniform(0.05, 0.15) for _ in range(3))))

    async def nap(request: Request) -> Response:
        await asyncio.sleep(length_s())
        return TextResponse("whole")

    def nap_sync(request: Request) -> Response:
        time.sleep(length_s())
        return TextResponse("whole")

    one = endpoint(kind, nap if kind == "task" else nap_sync)
    seen: list[int] = []
    with serve({"/": one}, handler_timeout_s=0.1, threads=8) as server:

        def ask_often() -> None:
            client = server.connect()
            for _ in range(20):
                reply = client.ask("/")
                seen.append(reply.status)
                if reply.closes:
                    assert client.ends()
                    client.close()
                    client = server.connect()
                else:
                    assert reply.content == b"whole"
                    assert client.octets == b""

        threads = [threading.Thread(target=ask_often) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        wait_until(lambda: server.server.thread_pool()["active_workers"] == 0, "all have ended")

    assert len(seen) == 8 * 20
    assert {200, 504} <= set(seen) <= {200, 503, 504}  # 503: every thread is late, and every one in its place


def test_a_thread_that_a_cancelled_coroutine_waited_for_is_replaced():
    gate = Gate()

    async def call(request: Request) -> Response:
        assert request.server is not None
        await request.server.run_in_thread(gate.wait)
        return TextResponse("late")

    routes = {"/stuck": endpoint("task", call, timeout_s=TIMEOUT_S)}
    routes["/"] = endpoint("thread", lambda request: TextResponse("ok"))
    with serve(routes, threads=1) as server:
        assert server.ask("/stuck").status == 504
        assert server.ask("/").status == 200
        gate.open()
        wait_until(lambda: server.server.thread_pool()["total_workers"] == 1, "the lost one ends")


def test_work_for_a_thread_that_nobody_waits_for_any_more_is_not_begun():
    gate, begun, told = Gate(), [], threading.Event()

    async def call(request: Request) -> Response:
        assert request.server is not None
        try:
            await request.server.run_in_thread(begun.append, True)
        finally:
            told.set()
        return TextResponse("late")

    def wait(request: Request) -> Response:
        gate.wait()
        return TextResponse("ok")

    routes = {"/": endpoint("task", call, timeout_s=TIMEOUT_S), "/wait": endpoint("thread", wait)}
    with serve(routes, threads=1) as server, server.connect(request("/wait")) as client:
        gate.wait_reached()
        assert server.ask("/").status == 504
        assert told.wait(20), "the handler is cancelled, soon after the 504"
        gate.open()
        assert client.take()
        assert client.ask("/wait").status == 200

    assert begun == []


def test_a_late_stream_of_a_thread_is_closed():
    gate, closed = Gate(), threading.Event()

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield b"late"

        def close(self) -> None:
            closed.set()

    def call(request: Request) -> Response:
        gate.wait()
        return StreamResponse(Pieces())

    with serve({"/": endpoint("thread", call)}, handler_timeout_s=TIMEOUT_S) as server:
        check_504(server)
        gate.open()

        assert closed.wait(20)


def test_a_task_that_fails_while_it_is_cancelled_is_logged():
    async def call(request: Request) -> Response:
        try:
            await asyncio.sleep(20)
        finally:
            raise ValueError("while cleaning up")

    with serve({"/": endpoint("task", call)}, handler_timeout_s=TIMEOUT_S, faults=True) as server:
        check_504(server)
        wait_until(server.log.tracebacks, "it is logged")

        assert "while cleaning up" in server.log.tracebacks()[0]


def test_a_task_that_does_not_heed_its_cancel_answers_nobody():
    finished = []

    async def call(request: Request) -> Response:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            finished.append(True)
        return TextResponse("late")

    with serve({"/": endpoint("task", call)}, handler_timeout_s=TIMEOUT_S) as server:
        check_504(server)
        wait_until(lambda: finished, "it goes on")


def test_an_overdue_handler_of_an_app_runs_no_after_hook_and_its_finally():
    app, seen = App(), []

    @app.get("/", timeout_s=TIMEOUT_S)
    async def home() -> str:
        try:
            await asyncio.sleep(20)
        finally:
            seen.append("finally")
        return "late"

    @app.after
    def after(request: Request, response: Response) -> None:
        seen.append("after")

    with serve(app, idle_timeout_s=0.4) as server:
        check_504(server)
        wait_until(lambda: seen, "it is cancelled")

    assert seen == ["finally"]


def test_an_asgi_application_past_the_deadline_is_cancelled():
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            seen.append(await receive())
            raise

    with serve(ASGIHandler(application), handler_timeout_s=TIMEOUT_S) as server:
        dump = check_504(server)
        wait_until(lambda: seen, "it is cancelled")

    assert "in application\n" in dump
    assert seen == [{"type": "http.disconnect"}] or seen[0]["type"] == "http.request"


def test_an_asgi_application_that_does_not_answer_a_websocket_in_time_is_cancelled():
    pytest.importorskip("websockets")  # without it the request is plain HTTP
    ended = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise RuntimeError("no lifespan")
        try:
            await asyncio.sleep(20)
        finally:
            ended.append(scope["path"])

    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    with serve(ASGIHandler(application), handler_timeout_s=TIMEOUT_S) as server, server.connect() as client:
        reply = client.ask("/chat", "GET", *fields, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

        assert reply.status == 504
        wait_until(lambda: ended == ["/chat"], "it is cancelled")
        assert "in application\n" in dumps(server)[0]


def test_a_wsgi_application_past_the_deadline_is_answered_for():
    gate, closed = Gate(), threading.Event()

    class Content:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"late"])

        def close(self) -> None:
            closed.set()

    def application(environ: Any, start_response: Any) -> Any:
        gate.wait()
        start_response("200 OK", [("Content-Length", "4")])
        return Content()

    with serve(WSGIHandler(application), handler_timeout_s=TIMEOUT_S) as server:
        dump = check_504(server)
        gate.open()
        assert closed.wait(20)

    assert "in application\n" in dump


@pytest.mark.parametrize("timeout_s", [-1, "5", True, float("nan")])
def test_a_route_takes_seconds(timeout_s: Any):
    app = App()

    @app.get("/", timeout_s=timeout_s)
    async def home() -> str:
        return ""

    with pytest.raises(ApplicationError, match="expected seconds"):
        app.compile()


def test_an_inline_handler_cannot_have_a_deadline():
    app = App()

    @app.get("/", run="inline", timeout_s=1)
    def home() -> str:
        return ""

    with pytest.raises(ApplicationError, match="runs inline"):
        app.compile()
