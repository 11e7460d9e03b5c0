"""`/debug/requests`: what is in flight in every worker, where it stands, and what a dead worker was at."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack

import pytest

from tests.e2e.serving import WAIT_S
from tests.e2e.test_admin import SEVERAL, SINGLE, served

APPLICATION = """
import asyncio, time
from penstock import App, Request, Response

app = App()

@app.get("/thread/{token}")
def thread(token: str) -> str:
    password = "hunter2-in-the-source"; wait_in_thread()
    return "slept"

def wait_in_thread():
    time.sleep(30)

@app.get("/task")
async def task() -> str:
    await wait_on_loop()
    return "slept"

async def wait_on_loop():
    await asyncio.sleep(30)

@app.get("/block", run="inline")
def block() -> str:
    time.sleep(30)

@app.post("/take")
def take(request: Request) -> str:
    return "taken"

@app.get("/large")
async def large() -> Response:
    return Response(bytes(20_000_000))
"""
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


def start(stack, server, path, method="GET", *fields):
    """A connection on which a request has begun."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), WAIT_S))
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: t", *fields])
    client.sendall(f"{head}\r\n\r\n".encode())
    return client


def by_path(told):
    return {request["path"]: request for request in told["requests"]}


@pytest.mark.parametrize("count", [SINGLE, SEVERAL])
def test_requests_in_flight_are_shown_with_route_phase_and_stack(tmp_path, count):
    flags = ("--slow-request", "0.2", "--threads", "1", "--content-min-rate", "0")
    with (
        served(tmp_path, *flags, count=count, text=APPLICATION, is_cut_short=True) as (server, admin),
        ExitStack() as stack,
    ):
        traceparent = "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
        start(stack, server, f"/thread/{JWT}?token=secret", "GET", traceparent)
        start(stack, server, "/task?token=secret")
        start(stack, server, "/take", "POST", "Content-Length: 5")
        large = start(stack, server, "/large")
        told = admin.wait(
            lambda found: (
                len(found["requests"]) == 4 and sum("stack" in one for one in found["requests"]) == 2
            ),
            "/debug/requests",
        )
        head, text = admin.exchange("/debug/requests?format=text")
        large.close()

    assert told["requests_in_flight"] == 4
    ages = [request["age_seconds"] for request in told["requests"]]
    assert ages == sorted(ages, reverse=True)
    found = by_path(told)
    thread, task = found["/thread/[redacted]"], found["/task"]
    assert thread["trace_id"] == "0123456789abcdef0123456789abcdef"
    assert (thread["route"], thread["phase"], thread["runs"]) == ("/thread/{token}", "handler", "thread")
    assert (thread["client"], thread["line"]) == (
        "127.0.0.1",
        "GET /thread/[redacted]?token=[redacted] HTTP/1.1",
    )
    assert "in wait_in_thread" in thread["stack"]
    assert "time.sleep(30)" in thread["stack"], "the line of the source"
    assert thread["frame"].endswith(" wait_in_thread")
    assert "in wait_on_loop" in task["stack"]
    assert found["/take"]["phase"] == "content"
    assert (found["/large"]["phase"], found["/large"]["runs"]) == ("write", "sent")
    assert "text/plain" in head
    for words in (
        "4 requests in flight",
        "GET /task?token=[redacted] HTTP/1.1",
        "in wait_on_loop",
        "phase content",
    ):
        assert words in text.decode()
    for octets in (text, str(told).encode()):
        assert b"secret" not in octets
        assert b"hunter2" not in octets
        assert JWT.encode() not in octets


def test_a_wait_for_a_thread_is_the_phase_queue(tmp_path):
    flags = ("--slow-request", "0.2", "--threads", "1")
    with (
        served(tmp_path, *flags, text=APPLICATION, is_cut_short=True) as (server, admin),
        ExitStack() as stack,
    ):
        for number in (1, 2):
            start(stack, server, f"/thread/{number}")
        told = admin.wait(lambda found: len(found["requests"]) == 2, "/debug/requests")

    assert sorted(request["phase"] for request in told["requests"]) == ["handler", "queue"]


def test_what_a_blocked_loop_is_at_is_shown_while_it_is(tmp_path):
    with (
        served(tmp_path, "--slow-request", "0.2", text=APPLICATION, is_cut_short=True) as (server, admin),
        ExitStack() as stack,
    ):
        start(stack, server, "/block")
        told = admin.wait(lambda found: any("stack" in one for one in found["requests"]), "/debug/requests")

    (request,) = told["requests"]
    assert "in block" in request["stack"]
    assert request["stands"] == "on the loop"


def test_what_a_dead_worker_was_at_can_still_be_read(tmp_path):
    with (
        served(tmp_path, "--slow-request", "0.2", count=SEVERAL, text=APPLICATION, is_cut_short=True) as (
            server,
            admin,
        ),
        ExitStack() as stack,
    ):
        start(stack, server, "/task")
        told = admin.wait(lambda found: any("stack" in one for one in found["requests"]), "/debug/requests")
        pid = told["requests"][0]["worker"]
        os.kill(pid, signal.SIGKILL)
        told = admin.wait(lambda found: found["ended_workers"], "/debug/requests")
        _, text = admin.exchange("/debug/requests?format=text")

    (grave,) = told["ended_workers"]
    assert (grave["pid"], grave["requests_in_flight"]) == (pid, 1)
    assert "in wait_on_loop" in grave["requests"][0]["stack"]
    assert grave["requests"][0]["worker"] == pid
    assert f"worker {pid} ended" in text.decode()


def test_how_the_loop_fares_is_told_of_each_worker(tmp_path):
    with served(tmp_path, text=APPLICATION, is_cut_short=True) as (server, admin), ExitStack() as stack:
        start(stack, server, "/task")
        told = admin.wait(lambda found: found["workers"][0]["loop"].get("lag_seconds"), "/status")

    assert "a bug in the server" not in server.log
    assert set(told["workers"][0]["loop"]) == {
        "lag_seconds",
        "standstills_total",
        "longest_standstill_seconds",
        "gc_collections_total",
        "gc_seconds_total",
        "longest_gc_pause_seconds",
    }
