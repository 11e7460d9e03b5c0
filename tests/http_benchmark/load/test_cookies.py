"""Cookies of a connection: kept, sent, replaced, ended."""

import pytest

from http_benchmark.load.cookies import COOKIES, CookieJar
from http_benchmark.load.generator import LoadOptions, run_load
from http_benchmark.load.scenario import Request, Scenario
from tests.http_benchmark.load.liar import lying


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([b"a=1"], b"Cookie: a=1\r\n"),
        ([b"a=1; Path=/; HttpOnly", b" b = 2 "], b"Cookie: a=1; b=2\r\n"),
        ([b"a=1", b"a=2"], b"Cookie: a=2\r\n"),
        ([b"a=1", b"b=2", b"a=; Max-Age=0"], b"Cookie: b=2\r\n"),
        ([b"a=1", b"b=2", b"a=; expires=Thu, 01 Jan 1970 00:00:00 GMT"], b"Cookie: b=2\r\n"),
        ([b"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], b"Cookie: a=1\r\n"),
        ([b"a=1; Expires=never"], b"Cookie: a=1\r\n"),
        ([b"a=1", b"no cookie", b"b", b"c d=1"], b"Cookie: a=1\r\n"),
    ],
    ids=["one", "two", "again", "max-age", "expires", "both", "no date", "none"],
)
def test_what_is_sent(values, field):
    jar = CookieJar()

    for value in values:
        jar.store(value)

    assert jar.field() == field


def test_a_server_cannot_grow_it_without_end():
    jar = CookieJar()

    for number in range(1_000):
        jar.store(b"n%d=%b" % (number, b"x" * 100))
    jar.store(b"long=" + b"x" * 5_000)

    assert jar.field().count(b"=") == COOKIES
    assert b"n999=" in jar.field() and b"long" not in jar.field()


def test_each_connection_is_a_user_of_its_own():
    def script(peer):
        count = 0
        while peer.request():
            count += 1
            fields = b"Set-Cookie: id=%d-%d\r\n" % (peer.number, count) if count != 2 else b""
            peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%b\r\n" % fields)

    with lying(script) as server:
        scenario = Scenario(requests=(Request(url=server.url),), cookies=True)
        made = run_load(scenario, LoadOptions(connections=2, requests=40, warm_up_s=0.0))

    assert (made.requests, made.errors) == (40, {})
    sent = [request.rpartition(b"Cookie: ")[2].strip() for request in server.requests if b"Cookie" in request]
    assert len(sent) == 38
    for number in (0, 1):
        mine = [int(cookie.partition(b"-")[2]) for cookie in sent if cookie.startswith(b"id=%d-" % number)]
        assert mine == [1, 1, *range(3, 40)][: len(mine)]


def test_they_are_not_kept_unless_that_is_asked_for():
    def script(peer):
        while peer.request():
            peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n\r\n")

    with lying(script) as server:
        run_load(
            Scenario(requests=(Request(url=server.url),)),
            LoadOptions(connections=1, requests=5, warm_up_s=0.0),
        )

    assert [request for request in server.requests if b"Cookie" in request] == []
