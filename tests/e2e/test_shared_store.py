"""Several workers and one Redis: they count as one, and keep for each other."""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.stores.redis_server import redis_server
from tests.e2e.serving import WAIT_S, serving

WORKERS = 3


@pytest.fixture(scope="module")
def server():
    with (
        redis_server() as redis,
        serving("tests.apps.limited:app", "--workers", str(WORKERS), TEST_REDIS_URL=redis.url) as server,
    ):
        yield server


def ask(server, target):
    """One request on a connection of its own: status, content and X-Cache."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    try:
        connection.request("GET", target)
        reply = connection.getresponse()
        return reply.status, reply.read(), reply.headers.get("x-cache")
    finally:
        connection.close()


def ask_many(server, target, times):
    with ThreadPoolExecutor(12) as threads:
        return list(threads.map(lambda _: ask(server, target), range(times)))


@pytest.mark.parametrize("target", ["/bucket", "/window"])
def test_workers_count_as_one(server, target):
    replies = ask_many(server, target, 150)

    allowed = [content for status, content, _ in replies if status == 200]
    assert {status for status, _, _ in replies} == {200, 429}
    assert len(allowed) == 25


def test_a_response_kept_by_one_worker_is_sent_by_the_others(server):
    maker = ask(server, "/page")[1]

    replies = ask_many(server, "/page", 30)

    assert {(status, content, mark) for status, content, mark in replies} == {(200, maker, "HIT")}
    assert len({content for _, content, _ in ask_many(server, "/who", 60)}) > 1


def test_while_redis_stands_still_requests_go_on():
    targets = ["/page", "/plain-page", "/bucket", "/window"]
    with (
        redis_server() as redis,
        serving(
            *("tests.apps.limited:app", "--admin", "127.0.0.1:0"),
            TEST_REDIS_URL=redis.url,
            TEST_REDIS_TIMEOUT="0.3",
        ) as server,
    ):
        redis.hold()
        try:
            replies = [ask(server, target) for target in targets * 5]
        finally:
            redis.release()

        assert {status for status, _, _ in replies} == {200}
        assert {mark for _, _, mark in replies} == {"MISS", None}
        server.wait_for_log(r"RedisStore \S+ is lost, requests go on without it")
        lost = wait_for_figures(server, lambda stores: stores["outages_total"])
        assert lost["failures_total"] >= 1
        end = time.monotonic() + WAIT_S
        while ask(server, "/page")[2] != "HIT":
            assert time.monotonic() < end
        server.wait_for_log(r"RedisStore \S+ is back after")
        wait_for_figures(server, lambda stores: stores["lost"] == 0)


def wait_for_figures(server, condition):
    """What the admin endpoint says of stores, once it is so."""
    url = re.search(r"admin\s+(\S+)", server.log)[1]
    end = time.monotonic() + WAIT_S
    while True:
        with urllib.request.urlopen(f"{url.rstrip('/')}/metrics", timeout=WAIT_S) as reply:
            told = json.load(reply)
        if condition(told["stores"]):
            assert told["workers"][0]["stores"] == told["stores"]
            return told["stores"]
        assert time.monotonic() < end, told
        time.sleep(0.02)
