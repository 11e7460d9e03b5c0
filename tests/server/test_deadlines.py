"""Deadlines: measured from the first octet, never restarted by a trickle, on time within the sweep."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from tests.server.harness import Client, Running, endpoint, request, serve, wait_until

OK = endpoint("inline", lambda request: TextResponse("ok"))
ECHO = endpoint("inline", lambda request: Response(request.body))
SLACK_S = 15.0  # where something else would take longer still


def trickle(client: Client, octets: bytes, every_s: float = 0.05) -> None:
    """Send one octet at a time until the server answers or the connection ends."""
    client.socket.settimeout(every_s)
    for octet in octets:
        try:
            client.send(bytes([octet]))
        except OSError:
            break
        try:
            if not client.receive() or b"\r\n\r\n" in client.octets:
                break
        except TimeoutError:
            pass
        except OSError:
            break
    client.socket.settimeout(20)


def test_a_connection_that_says_nothing_is_closed_silently():
    with serve({"/": OK}, head_timeout_s=0.3) as server:
        begun = time.monotonic()
        client = server.connect()

        assert client.ends()

        assert 0.25 < time.monotonic() - begun < 0.3 + SLACK_S
        assert server.log.messages() == []


@pytest.mark.parametrize("before", [0, 1])
def test_a_trickled_head_is_refused_at_the_deadline(before: int):
    with serve({"/": OK}, head_timeout_s=1.5) as server:
        begun = time.monotonic()
        client = server.connect()
        for _ in range(before):
            client.ask("/")
            begun = time.monotonic()
        trickle(client, request("/" + "x" * 400))
        took = time.monotonic() - begun

        assert client.octets.startswith(b"HTTP/1.1 408 ")
        assert 1.4 < took < 1.5 + SLACK_S
        reply = client.take()
        assert reply and reply.closes
        assert client.ends()
        assert len(server.log.messages("refused")) == 1


def test_a_partial_head_behind_answered_requests_has_its_deadline():
    with serve({"/": OK}, head_timeout_s=0.3, idle_timeout_s=30) as server, server.connect() as client:
        begun = time.monotonic()
        client.send(request("/") * 3 + b"GET / HT")
        for _ in range(3):
            assert client.take().status == 200  # type: ignore[union-attr]

        reply = client.take()

        assert reply and reply.status == 408
        assert 0.2 < time.monotonic() - begun < 0.3 + SLACK_S


def test_collected_content_has_an_absolute_deadline():
    settings = {"content_timeout_s": 0.4, "content_min_rate_bytes_per_s": 0}
    with serve({"/": ECHO}, **settings) as server, server.connect() as client:
        begun = time.monotonic()
        client.send(request("/", "POST", "Content-Length: 500"))
        trickle(client, b"x" * 500)
        took = time.monotonic() - begun

        reply = client.take()

        assert reply and reply.status == 408
        assert reply.closes
        assert 0.3 < took < 0.4 + SLACK_S
        assert len(server.log.messages("refused")) == 1


def test_collected_content_has_a_minimum_rate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 0.3)
    settings = {"content_timeout_s": 60.0, "content_min_rate_bytes_per_s": 10_000, "linger_timeout_s": 0.2}
    with serve({"/": ECHO}, **settings) as server, server.connect() as client:
        begun = time.monotonic()
        client.send(request("/", "POST", "Content-Length: 500"))
        trickle(client, b"x" * 500)
        took = time.monotonic() - begun

        reply = client.take()

        assert reply and reply.status == 408
        assert 0.2 < took < 0.3 + SLACK_S


def test_content_that_comes_fast_enough_is_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.server.content._GRACE_S", 1.5)
    with serve({"/": ECHO}, content_min_rate_bytes_per_s=1_000, linger_timeout_s=0.2) as server:
        with server.connect() as client:
            client.send(request("/", "POST", "Content-Length: 10000"))
            for _ in range(5):  # beyond the time for a slow start, and ahead of the rate by more and more
                client.send(b"x" * 2_000)
                time.sleep(0.5)

            reply = client.take()

            assert reply and len(reply.content) == 10_000


@pytest.mark.parametrize("kind", ["inline", "task", "thread"])
def test_an_idle_connection_is_closed_after_its_time(kind: str):
    with serve({"/": endpoint(kind, lambda request: TextResponse("ok"))}, idle_timeout_s=0.3) as server:
        with server.connect() as client:
            begun = time.monotonic()
            client.ask("/")

            assert client.ends()

            assert 0.2 < time.monotonic() - begun < 0.3 + SLACK_S
        assert server.log.messages() == []


def test_a_connection_in_use_is_not_idle():
    with serve({"/": OK}, idle_timeout_s=2.0) as server, server.connect() as client:
        end = time.monotonic() + 2.8
        while time.monotonic() < end:
            assert client.ask("/").status == 200
            time.sleep(0.05)


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_a_handler_may_take_longer_than_every_deadline_of_the_connection(kind: str):
    import asyncio

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.7)
        return TextResponse("ok")

    def slow_sync(request: Request) -> Response:
        time.sleep(0.7)
        return TextResponse("ok")

    settings = {
        "idle_timeout_s": 0.2,
        "head_timeout_s": 0.2,
        "content_timeout_s": 0.2,
        "write_timeout_s": 0.2,
    }
    with serve({"/": endpoint(kind, slow if kind == "task" else slow_sync)}, **settings) as server:
        assert server.ask("/").status == 200
        assert server.ask("/", method="POST", body=b"abc").status == 200


def test_lingering_ends_at_its_deadline():
    with serve({"/": OK}, linger_timeout_s=0.3) as server, server.connect() as client:
        begun = time.monotonic()
        client.send(request("/", "GET", "Connection: close"))
        client.take()
        assert client.ends()

        server.wait_idle()

        assert 0.2 < time.monotonic() - begun < 0.3 + SLACK_S


def test_without_lingering_the_connection_closes_at_once():
    with serve({"/": OK}, linger_timeout_s=0.0) as server, server.connect() as client:
        client.send(request("/", "GET", "Connection: close"))
        assert client.take()

        server.wait_idle()


def trickling_head(server: Running) -> Client:
    return server.connect(b"GET / HTTP/1.1\r\nHo")


def trickling_content(server: Running) -> Client:
    return server.connect(request("/", "POST", "Content-Length: 1000") + b"abc")


@pytest.mark.parametrize("kind", [trickling_head, trickling_content])
def test_others_are_served_at_full_speed_while_a_client_trickles(kind: Callable[[Running], Client]):
    settings = {"head_timeout_s": 0.5, "content_timeout_s": 0.5}
    with serve({"/": ECHO}, **settings) as server:
        slow = [kind(server) for _ in range(50)]
        wait_until(lambda: len(server.connections) == 50, "all are there")
        with server.connect() as client:
            served = 0
            while len(server.connections) > 1:
                for one in slow:
                    try:
                        one.send(b"x")
                    except OSError:
                        pass
                for _ in range(20):
                    assert client.ask("/").status == 200
                    served += 1
                for one in slow:
                    one.socket.settimeout(0.001)
                    try:
                        if one.take() is not None and one.ends():
                            one.end()
                    except OSError:
                        pass

            assert served >= 100
        for one in slow:
            one.close()
