"""The live figures over the admin endpoint: what is told, to whom, to how many at once."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from tests.e2e.serving import receive
from tests.e2e.test_admin import SEVERAL, SINGLE, served
from tests.e2e.workers import Load, get, wait_until

HEAD = "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"


class Events:
    """One who watches `/live/events`."""

    def __init__(self, admin):
        self._socket = admin.connect(HEAD.format(path="/live/events", host="localhost").encode())
        self._text = ""
        self.status = int(self._take_until("\r\n\r\n").split()[1])

    def _take_until(self, mark):
        while mark not in self._text:
            piece = self._socket.recv(65_536)
            assert piece, self._text
            self._text += piece.decode()
        found, _, self._text = self._text.partition(mark)
        return found

    def take(self):
        """The next event: its name and its JSON."""
        while True:
            fields = dict(
                line.split(": ", 1) for line in self._take_until("\n\n").splitlines() if ": " in line[1:]
            )
            if "event" in fields:
                return fields["event"], json.loads(fields["data"])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._socket.close()


def ask(admin, path, host, method="GET"):
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return receive(admin.connect(head.encode()))


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_every_request_is_in_one_second_and_in_its_route(tmp_path, count):
    with served(tmp_path, count=count) as (server, admin):
        admin.wait(lambda look: look["status"] == "ok", "/live")
        with Events(admin) as events:
            name, history = events.take()
            assert (events.status, name) == (200, "history")
            events.take()
            with Load(server, ["/", "/task/0"], clients=3) as load:
                wait_until(lambda: load.count > 300, "some load")
            assert not load.failures
            points = []
            while sum(sum(point["classes"]) for point in points) < load.count:
                name, look = events.take()
                points.append(look["point"])
        later = admin.get("/live/history")[1]["points"]

    assert name == "look"
    assert sum(point["classes"][1] for point in points) == load.count
    assert sum(sum(point["heat"][1::2]) for point in points) == load.count
    assert {row["route"]: row["count"] for row in look["routes"]}.keys() == {"/", "/task/{seconds:float}"}
    assert sum(row["count"] for row in look["routes"]) == load.count == look["latency"]["minute"]["count"]
    assert look["routes"][0]["p50_ms"] <= look["routes"][0]["p99_ms"] <= look["routes"][0]["max_ms"]
    assert len(look["workers"]) == count
    assert [point["t"] for point in later] == sorted(point["t"] for point in later)
    assert len(history["heat_edges_ms"]) > max(row for point in points for row in point["heat"][::2])


def test_who_comes_later_sees_the_past(tmp_path):
    with served(tmp_path) as (server, admin):
        get(server, "/")
        admin.wait(lambda look: look["requests_total"] == 1 and look["number"] > 2, "/live")
        with Events(admin) as events:
            _, history = events.take()

    assert len(history["points"]) >= 3
    assert sum(point["classes"][1] for point in history["points"]) == 1


def test_viewers_are_bounded_and_their_places_are_free_again(tmp_path):
    with served(tmp_path) as (_, admin):
        admin.wait(lambda look: look, "/live")
        with ExitStack() as stack:
            watching = [stack.enter_context(Events(admin)) for _ in range(32)]
            for events in watching:
                events.take()
            with Events(admin) as one_more:
                assert one_more.status == 503
            assert watching[-1].take()[0] == "look"
        end = []

        def watch():
            with Events(admin) as events:
                end.append(events.status)
                return events.status == 200

        wait_until(watch, f"a place is free: {end}")


def test_a_name_that_leads_to_the_loopback_is_told_nothing(tmp_path):
    with served(tmp_path) as (_, admin):
        for path in ("/dashboard", "/live", "/live/history", "/live/events", "/status"):
            hold_names(admin, path)


def hold_names(admin, path):
    for host in ("rebound.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "[evil]", "1.2.3"):
        reply = ask(admin, path, host)
        assert reply.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), (host, reply[:200])
    for host in ("localhost", "LOCALHOST.:80", "shop.localhost:9", "127.0.0.1:1", "[::1]:1", "10.1.2.3"):
        reply = ask(admin, path, host, "HEAD")
        assert reply.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), (host, reply[:200])
    assert ask(admin, path, "localhost", "POST").startswith(b"HTTP/1.1 405 ")


def test_over_a_unix_socket_any_name_will_do(tmp_path):
    with served(tmp_path, "--admin", f"unix:{tmp_path / 'admin.sock'}") as (_, admin):
        admin.address = str(tmp_path / "admin.sock")
        assert ask(admin, "/dashboard", "shop.example").startswith(b"HTTP/1.1 200 ")


def test_the_page_may_ask_nobody_else_and_be_framed_by_nobody(tmp_path):
    with served(tmp_path) as (_, admin):
        head, content = admin.exchange("/dashboard")

    policy = head.lower().partition("content-security-policy: ")[2].partition("\r\n")[0]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'self'" in policy
    assert content.startswith(b"<!doctype html>")
    assert "access-control" not in head.lower()
