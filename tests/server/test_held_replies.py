"""Replies made in one turn of the reactor, or by threads with more to do, leave together, none much later than it
would have alone.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import contextmanager

from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until

CLIENTS = 8
LARGE = b"x" * 3_000_000


@contextmanager
def one_turn(running):
    """What clients send inside the block is all there when the reactor's next turn begins, after a slow one."""
    reached, go = threading.Event(), threading.Event()

    def block():
        reached.set()
        go.wait(10)
        running.reactor._is_slow = True

    running.call(block)
    assert reached.wait(10)
    try:
        yield
    finally:
        go.set()


def has_octets(client) -> bool:
    return client.socket.fileno() >= 0 and bool(select.select([client.socket], [], [], 0)[0])


def connect_all(running, octets=b""):
    """Clients whose connections the server has taken."""
    clients = [running.connect(octets) for _ in range(CLIENTS)]
    wait_until(lambda: len(running.connections) == CLIENTS, "the connections are accepted")
    return clients


def watched(clients, calls, took_s=0.0):
    """A handler that notes how many clients have a reply when it is called."""

    def handle(request):
        calls.append(sum(has_octets(client) for client in clients))
        time.sleep(took_s)
        return TextResponse("hello")

    return handle


def test_replies_of_one_turn_leave_at_its_end(monkeypatch):
    monkeypatch.setattr("penstock.server.reactor._HOLD_S", 10.0)  # however busy the machine is
    clients, calls = [], []
    with serve({"/": endpoint("inline", watched(clients, calls))}) as running:
        clients += connect_all(running)
        with one_turn(running):
            for client in clients:
                client.send(request("/"))
        wait_until(lambda: len(calls) == CLIENTS, "every request is handled")
        assert [client.take().content for client in clients] == [b"hello"] * CLIENTS
    assert calls == [0] * CLIENTS


def test_no_reply_waits_for_a_second_slow_handler():
    clients, calls = [], []
    with serve({"/": endpoint("inline", watched(clients, calls, took_s=0.01))}) as running:
        clients += connect_all(running)
        with one_turn(running):
            for client in clients:
                client.send(request("/"))
        wait_until(lambda: len(calls) == CLIENTS, "every request is handled")
        assert [client.take().status for client in clients] == [200] * CLIENTS
    assert calls == list(range(CLIENTS))


def mixed_routes():
    def stream(request):
        return StreamResponse(iter([b"a", b"b", b"c"]))

    async def later(request):
        import asyncio

        await asyncio.sleep(0.01)
        return TextResponse("later")

    return {
        "/": endpoint("inline", lambda request: TextResponse("hello")),
        "/task": endpoint("task", lambda request: TextResponse("task")),
        "/later": endpoint("task", later),
        "/thread": endpoint("thread", lambda request: TextResponse("thread")),
        "/stream": endpoint("inline", stream),
        "/echo": endpoint("inline", lambda request: Response(request.body)),
        "/large": endpoint("inline", lambda request: Response(LARGE)),
        "/fails": endpoint("inline", lambda request: 1 / 0),
    }


def test_all_kinds_of_replies_mix_in_one_turn():
    with serve(mixed_routes(), faults=True) as running:
        clients = connect_all(running)
        targets = ["/", "/task", "/later", "/thread", "/stream", "/fails", "/large", "/"]
        with one_turn(running):
            for client, target in zip(clients, targets, strict=True):
                client.send(request(target) + request("/echo", "POST", body=b"pipelined"))
        first = [client.take() for client in clients]
        second = [client.take() for client in clients]
    assert [reply.content for reply in first[:5]] == [b"hello", b"task", b"later", b"thread", b"abc"]
    assert first[5].status == 500
    assert first[6].content == LARGE
    assert [reply.content for reply in second] == [b"pipelined"] * CLIENTS


def test_a_connection_that_ends_with_its_reply_ends_in_a_turn_of_many():
    with serve(mixed_routes()) as running:
        clients = connect_all(running)
        with one_turn(running):
            for number, client in enumerate(clients):
                client.send(request("/", "GET", "Connection: close") if number % 2 else request("/"))
        assert [client.take().closes for client in clients] == [bool(number % 2) for number in range(CLIENTS)]
        assert all(client.ends() for client in clients[1::2])
        assert [client.ask("/").content for client in clients[::2]] == [b"hello"] * (CLIENTS // 2)


def test_a_head_cut_behind_a_request_is_answered_when_its_rest_comes():
    with serve(mixed_routes()) as running:
        clients = connect_all(running)
        octets = request("/")
        with one_turn(running):
            for number, client in enumerate(clients):
                client.send(octets + octets[: number * 3])
        assert [client.take().status for client in clients] == [200] * CLIENTS
        for number, client in enumerate(clients):
            client.send(octets[number * 3 :])
        assert [client.take().status for client in clients] == [200] * CLIENTS


def test_a_head_begun_behind_a_held_reply_that_is_read_slowly_has_its_deadline():
    content = b"x" * 60_000
    routes = {"/": endpoint("inline", lambda request: Response(content))}
    with serve(routes, head_timeout_s=2.0) as running:
        others = connect_all(running)
        slow = running.connect(receive_buffer_bytes=4096)
        wait_until(lambda: len(running.connections) == CLIENTS + 1, "the connection is accepted")
        for connection in running.connections:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with one_turn(running):
            slow.send(request("/") + b"GET / HT")
            for client in others:
                client.send(request("/"))
        assert all(client.take().content == content for client in others)
        assert slow.take().content == content
        assert slow.take().status == 408


def test_clients_that_leave_in_the_turn_of_their_request_disturb_nobody():
    with serve(mixed_routes()) as running:
        clients = connect_all(running)
        with one_turn(running):
            for number, client in enumerate(clients):
                client.send(request("/"))
                if number % 2:
                    client.reset()
        assert [client.take().content for client in clients[::2]] == [b"hello"] * (CLIENTS // 2)
        wait_until(lambda: len(running.connections) == CLIENTS // 2, "the connections that were reset close")


def test_a_reader_that_is_slow_gets_a_held_reply_whole():
    with serve(mixed_routes()) as running:
        clients = connect_all(running)
        with one_turn(running):
            for client in clients:
                client.send(request("/large"))
        time.sleep(0.05)  # nobody reads: every reply has to wait
        assert [len(client.take().content) for client in clients] == [len(LARGE)] * CLIENTS
        assert [client.ask("/").content for client in clients] == [b"hello"] * CLIENTS


def test_stopping_sends_what_is_held():
    with serve(mixed_routes()) as running:
        clients = connect_all(running)
        with one_turn(running):
            for client in clients:
                client.send(request("/"))
            running.begin_stop()
        assert [client.take().content for client in clients] == [b"hello"] * CLIENTS
        running.join()


@contextmanager
def one_thread(monkeypatch, calls, gate):
    """A server with one thread that holds replies while requests wait."""
    monkeypatch.setattr("penstock.server.threads._LEAST_CPU_S", -1.0)
    monkeypatch.setattr("penstock.server.threads._HOLD_S", 60.0)  # however busy the machine is
    clients = []

    def block(request):
        calls.append([has_octets(client) for client in clients])
        gate.wait()
        return TextResponse("blocked")

    def be_followed(request):
        wait_until(lambda: running.reactor.threads.figures()["queue_depth"], "another request waits")
        return TextResponse("quick")

    routes = {
        "/quick": endpoint("thread", lambda request: TextResponse("quick")),
        "/followed": endpoint("thread", be_followed),
        "/block": endpoint("thread", block),
        "/late": endpoint("thread", lambda request: StreamResponse(iter([b"late"]))),
    }
    with serve(routes, threads=1) as running:
        clients += connect_all(running)
        assert clients[0].ask("/quick").content == b"quick"
        wait_until(lambda: running.reactor.threads.is_holding, "the thread has been found to be worth it")
        try:
            yield running, clients
        finally:
            gate.open()


def test_threads_hold_replies_while_requests_wait(monkeypatch):
    monkeypatch.setattr("penstock.server.threads._LOOK_S", 60.0)
    calls, gate = [], Gate()
    gate.open()
    with one_thread(monkeypatch, calls, gate) as (running, clients):
        with one_turn(running):
            for client in clients[:-1]:
                client.send(request("/followed"))
            clients[-1].send(request("/block"))
        assert [client.take().content for client in clients[:-1]] == [b"quick"] * (CLIENTS - 1)
        assert clients[-1].take().content == b"blocked"
    assert calls == [[False] * CLIENTS]


def test_no_reply_waits_for_the_slow_request_behind_it(monkeypatch):
    monkeypatch.setattr("penstock.server.threads._LOOK_S", 1.5)
    calls, gate = [], Gate()
    with one_thread(monkeypatch, calls, gate) as (running, clients):
        with one_turn(running):
            clients[0].send(request("/followed"))
            clients[1].send(request("/block"))
        assert clients[0].take().content == b"quick"
        assert calls == [[False] * CLIENTS], "it was held when the slow one began"
        gate.open()
        assert clients[1].take().content == b"blocked"
        assert clients[0].ask("/quick").content == b"quick"


def test_a_client_that_leaves_while_its_reply_is_held_disturbs_nobody(monkeypatch):
    calls, gate = [], Gate()
    with one_thread(monkeypatch, calls, gate) as (running, clients):
        with one_turn(running):
            clients[0].send(request("/followed"))
            clients[1].send(request("/block"))
            clients[0].reset()
        wait_until(lambda: calls, "the slow request is under way")
        wait_until(lambda: len(running.connections) == CLIENTS - 1, "the connection that was reset closes")
        gate.open()
        assert clients[1].take().content == b"blocked"


def test_replies_a_thread_holds_are_sent_when_the_server_stops(monkeypatch):
    calls, gate = [], Gate()
    with one_thread(monkeypatch, calls, gate) as (running, clients):
        with one_turn(running):
            clients[0].send(request("/followed"))
            clients[1].send(request("/late"))
            clients[2].send(request("/block"))
            running.begin_stop()
        assert clients[0].take().content == b"quick"
        gate.open()
        assert clients[1].take().content == b"late"
        assert clients[2].take().content == b"blocked"
        running.join()
