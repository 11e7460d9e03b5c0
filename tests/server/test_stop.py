"""Graceful stop: what is in flight is finished, nothing new begins, the drain deadline and a second signal cut."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Client, Gate, Routes, Running, endpoint, request, serve, wait_until
from tests.wire.server import Server, run_server

OK = endpoint("inline", lambda request: TextResponse("ok"))


def waiting(run: str, gate: Gate) -> Any:
    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return TextResponse("finished")

    def block(request: Request) -> Response:
        gate.wait()
        return TextResponse("finished")

    return endpoint(run, wait if run == "task" else block)


def begin_stop(server: Running) -> None:
    server.begin_stop()
    wait_until(lambda: server.server.draining, "the drain begins")


@pytest.mark.parametrize("run", ["task", "thread"])
def test_a_request_in_flight_is_finished_and_the_next_is_not_begun(run: str):
    gate = Gate()
    with serve({"/": waiting(run, gate), "/ok": OK}) as server, server.connect() as client:
        client.send(request("/") + request("/ok"))
        gate.wait_reached()

        begin_stop(server)
        wait_until(lambda: server.connections[0].closing, "the connection knows")
        gate.open()
        reply = client.take()

        assert reply and reply.content == b"finished"
        assert reply.closes
        assert client.ends()
        client.close()
        server.join()
        assert server.exit_status == 0


def test_idle_connections_close_at_once_and_new_ones_are_refused():
    gate = Gate()
    with serve({"/": waiting("task", gate), "/ok": OK}) as server:
        idle = [server.connect() for _ in range(20)]
        for client in idle:
            client.ask("/ok")
        with server.connect(request("/")) as busy:
            gate.wait_reached()

            begin_stop(server)

            for client in idle:
                assert client.ends()
                client.close()
            with pytest.raises(ConnectionRefusedError):
                server.connect()
            gate.open()
            assert busy.take().content == b"finished"  # type: ignore[union-attr]
        server.join()


def test_content_under_way_is_taken_and_answered():
    with serve({"/": endpoint("inline", lambda request: Response(request.body))}) as server:
        with server.connect(request("/", "POST", "Content-Length: 6") + b"abc") as client:
            wait_until(lambda: server.connections and server.connections[0].phase == 2, "content is awaited")

            begin_stop(server)
            client.send(b"def")
            reply = client.take()

            assert reply and reply.content == b"abcdef"
            assert reply.closes
        server.join()


@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_stream_is_sent_to_its_end(form: str):
    gate = Gate()

    def pieces() -> Iterator[bytes]:
        yield b"a"
        gate.wait()
        yield b"b"

    async def later() -> AsyncIterator[bytes]:
        yield b"a"
        await gate.wait_async()
        yield b"b"

    call = endpoint("inline", lambda request: StreamResponse(pieces() if form == "sync" else later()))
    with serve({"/": call}) as server, server.connect(request("/")) as client:
        gate.wait_reached()

        begin_stop(server)
        gate.open()

        assert client.take().content == b"ab"  # type: ignore[union-attr]
        assert client.ends()
        client.close()
        server.join()


class Endless:
    """Handlers that never end, one for each thing that can be under way."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.ended: list[str] = []
        self.release = threading.Event()

    async def task(self, request: Request) -> Response:
        self.reached.set()
        try:
            await asyncio.sleep(3_600)
        finally:
            self.ended.append("task")
        return TextResponse("?")

    async def read(self, request: Request) -> Response:
        self.reached.set()
        try:
            await request.stream.read()  # type: ignore[union-attr]
        finally:
            self.ended.append("read")
        return TextResponse("?")

    def read_thread(self, request: Request) -> Response:
        self.reached.set()
        try:
            request.stream.read_sync()  # type: ignore[union-attr]
        finally:
            self.ended.append("read_thread")
        return TextResponse("?")

    def async_stream(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x"
                    self.reached.set()
                    await asyncio.sleep(0.01)
            finally:
                self.ended.append("async_stream")

        return StreamResponse(pieces())

    def sync_stream(self, request: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x"
                    self.reached.set()
                    time.sleep(0.01)
            finally:
                self.ended.append("sync_stream")

        return StreamResponse(pieces())

    def slow_stream(self, request: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    self.reached.set()
                    yield b"x" * 100_000
            finally:
                self.ended.append("slow_stream")

        return StreamResponse(pieces())

    def thread(self, request: Request) -> Response:
        self.reached.set()
        self.release.wait(60)
        return TextResponse("?")

    def routes(self) -> dict[str, Any]:
        return {
            "/task": endpoint("task", self.task),
            "/read": endpoint("task", self.read, streams_body=True),
            "/read_thread": endpoint("thread", self.read_thread, streams_body=True),
            "/async_stream": endpoint("inline", self.async_stream),
            "/sync_stream": endpoint("inline", self.sync_stream),
            "/slow_stream": endpoint("inline", self.slow_stream),
            "/thread": endpoint("thread", self.thread),
        }


@pytest.mark.parametrize("name", sorted(Endless().routes()))
@pytest.mark.parametrize("timeout_s", [0.0, 0.3])
def test_at_the_drain_deadline_the_rest_is_cut_off(name: str, timeout_s: float):
    endless = Endless()
    routes = Routes(endless.routes())
    shutdown_saw: list[list[str]] = []

    async def shutdown() -> None:
        shutdown_saw.append(list(endless.ended))

    routes.shutdown = shutdown  # type: ignore[method-assign]
    with serve(routes, drain_timeout_s=timeout_s) as server:
        is_reading = name.startswith("/read")
        octets = request(name, "POST", "Content-Length: 10") + b"abc" if is_reading else request(name)
        with server.connect(octets, receive_buffer_bytes=4_096):
            assert endless.reached.wait(20)
            begun = time.monotonic()

            server.begin_stop()
            server.join()

            assert time.monotonic() - begun < timeout_s + 15
            assert server.exit_status == 0
            assert server.log.messages("were cut off")
    endless.release.set()
    wait_until(lambda: server.server.thread_pool()["active_workers"] == 0, "the threads end")
    for connection in server.connections:  # that of a thread nobody waited for
        connection.sock.close()
    if name != "/thread":
        wait_until(lambda: endless.ended, "the handler is told")
    if name in ("/task", "/read", "/async_stream"):
        assert shutdown_saw == [[name[1:]]], "the application stops after the last handler"


def test_the_lifespan_ends_after_the_last_reply():
    gate = Gate()
    routes = Routes({"/": waiting("task", gate)})
    with serve(routes) as server, server.connect(request("/")) as client:
        gate.wait_reached()
        begin_stop(server)
        assert routes.events == ["startup"]
        gate.open()

        assert client.take().content == b"finished"  # type: ignore[union-attr]
        client.close()
        server.join()

        assert routes.events == ["startup", "shutdown"]


def test_a_shutdown_that_hangs_is_bounded():
    routes = Routes({"/": OK})

    async def hang() -> None:
        await asyncio.sleep(3_600)

    routes.shutdown = hang  # type: ignore[method-assign]
    with serve(routes, lifespan_timeout_s=0.2) as server:
        begun = time.monotonic()
        server.stop()

        assert time.monotonic() - begun < 15
        assert server.log.messages("did not stop within")


def test_connections_made_before_the_stop_are_served_or_ended_but_not_reset():
    with serve({"/": OK}) as server:
        server.call(time.sleep, 0.3)  # the kernel completes connections meanwhile
        clients = [server.connect(request("/")) for _ in range(300)]
        server.begin_stop()

        for client in clients:
            try:
                reply = client.take()
            except ConnectionResetError:
                pytest.fail("reset")
            assert reply is None or reply.status == 200


# By signal, in a process of its own.


def start_slow(server: Server, target: str) -> Client:
    client = Client(server.port)
    client.send(request(target))
    wait_until(lambda: any("slow begins" in line for line in server.log), "the handler runs")
    return client


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order(number: signal.Signals):
    with (
        run_server("tests.server.mixed_app:app") as server,
        start_slow(server, "/slow?seconds=0.3") as client,
    ):
        server.process.send_signal(number)

        reply = client.take()

        assert reply and reply.content == b"slow"
        assert reply.closes
        client.close()
        assert server.process.wait(20) == 0
    assert any("the application stops" in line for line in server.log)


@pytest.mark.parametrize("target", ["/slow?seconds=60", "/slow_thread?seconds=60", "/stubborn"])
def test_a_second_signal_stops_at_once(target: str):
    with run_server("tests.server.mixed_app:app") as server, start_slow(server, target) as client:
        server.process.send_signal(signal.SIGTERM)
        wait_until(
            lambda: any("finishing what is in flight" in line for line in server.log), "the drain begins"
        )
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(20) == 130

        assert time.monotonic() - begun < 15  # drained, it would be 20
        client.close()


def test_a_handler_that_cannot_be_cancelled_does_not_keep_the_process():
    with run_server("tests.server.mixed_app:app", "--drain-timeout", "0.1") as server:
        with start_slow(server, "/stubborn"):
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)

            assert server.process.wait(20) == 0

            assert time.monotonic() - begun < 18


def test_a_port_can_be_taken_again_at_once():
    with serve({"/": OK}) as server:
        port = server.port
        with server.connect(request("/", "GET", "Connection: close")) as client:
            client.take_all()
    with serve({"/": OK}, port=port) as server:
        assert server.port == port
        with socket.create_connection(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("kind", ["inline", "task", "thread"])
def test_a_request_that_is_there_when_the_stop_begins_is_answered(kind: str):
    with serve({"/": endpoint(kind, lambda request: TextResponse("ok"))}) as server:
        with server.connect() as client:
            assert client.ask("/").status == 200

            def stop_behind_a_request() -> None:
                client.send(request("/"))
                server.server.stop()

            server.call(stop_behind_a_request)
            reply = client.take()

            assert reply and reply.status == 200
            assert client.ends()


@pytest.mark.parametrize("is_pipelined", [False, True])
def test_a_request_behind_a_reply_that_promised_to_go_on_is_answered_when_a_stop_comes_between(
    is_pipelined: bool,
):
    with (
        serve({"/": endpoint("thread", lambda request: TextResponse("ok"))}) as server,
        server.connect() as client,
    ):
        assert client.ask("/").status == 200
        connection = server.connections[0]
        send = connection._send

        def send_then_stop(octets: bytes) -> int:
            """In the pool thread: it has sent its reply, and not yet let go of the connection."""
            connection._send = send
            sent = send(octets)
            if not is_pipelined:
                client.send(request("/"))
            server.begin_stop()
            wait_until(lambda: connection.closing, "the stop reaches the connection")
            return sent

        connection._send = send_then_stop
        client.send(request("/") * (2 if is_pipelined else 1))

        first, second = client.take(), client.take()
        assert first and not first.closes
        assert second and second.content == b"ok"
        assert second.closes
        assert client.ends()
