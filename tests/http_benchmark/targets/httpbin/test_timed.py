from __future__ import annotations

import time

import pytest


def timed(target, path, **request):
    started = time.perf_counter()
    reply = target.ask(path, **request)
    return reply, time.perf_counter() - started


def test_a_delayed_reply_comes_after_its_time(target):
    reply, elapsed_s = timed(target, "/delay/0.2", method="POST", content=b"a")

    assert elapsed_s >= 0.2
    assert set(reply.json) == {"args", "data", "files", "form", "headers", "origin", "url"}


def test_a_drip_takes_its_time_and_has_its_length(target):
    reply, elapsed_s = timed(target, "/drip?numbytes=7&duration=0.2&delay=0.1&code=206")

    assert elapsed_s >= 0.3
    assert (reply.status, reply.content, reply.headers["Content-Length"]) == (206, b"*" * 7, "7")


def test_a_drip_may_be_large_and_at_once(target):
    reply = target.ask("/drip?numbytes=1000000&duration=0")

    assert len(reply.content) == 1_000_000


@pytest.mark.parametrize(
    "path",
    [
        "/delay/11",
        "/delay/x",
        "/delay/-1",
        "/delay/nan",
        "/delay/inf",
        "/drip?numbytes=0",
        "/drip?numbytes=99999999",
        "/drip?duration=61",
        "/drip?delay=11",
        "/drip?code=99",
        "/drip?numbytes=1_0",
    ],
)
def test_what_is_out_of_bounds_is_refused(target, path):
    assert target.ask(path).status == 400
