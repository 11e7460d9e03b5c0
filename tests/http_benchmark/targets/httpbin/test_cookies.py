from __future__ import annotations

import pytest


def test_cookies_are_told(target):
    assert target.ask("/cookies", cookie="a=1; b=2").json == {"cookies": {"a": "1", "b": "2"}}
    assert target.ask("/cookies").json == {"cookies": {}}


@pytest.mark.parametrize("path", ["/cookies/set?a=1&b=2", "/cookies/set/a/1"])
def test_cookies_are_set_on_the_way(target, path):
    reply = target.ask(path)

    assert (reply.status, reply.headers["Location"]) == (302, "/cookies")
    assert reply.headers.get_all("Set-Cookie")[0] == "a=1; Path=/"


def test_cookies_are_deleted_on_the_way(target):
    reply = target.ask("/cookies/delete?a&b")

    first, second = reply.headers.get_all("Set-Cookie")
    assert first.startswith("a=; ")
    assert "Max-Age=0" in first
    assert second.startswith("b=; ")


@pytest.mark.parametrize("path", ["/cookies/set?a=x%0d%0ay", "/cookies/set/a%3Bb/1", "/cookies/delete?a%20b"])
def test_what_is_no_cookie_is_refused(target, path):
    assert target.ask(path).status == 400
