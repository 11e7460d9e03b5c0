"""Each check of a configuration, each with a message that says what to change."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from http_benchmark.configuration import METHODS, BenchmarkConfiguration
from http_benchmark.errors import UsageError

URL = "http://127.0.0.1:8000/get"
INF, NAN = float("inf"), float("nan")


def make(**changes):
    return BenchmarkConfiguration(**({"url": URL} | changes))


@pytest.mark.parametrize(
    "url", [URL, "https://example.org", "http://[::1]:8000/a?b=c", "HTTP://EXAMPLE.ORG/"]
)
def test_urls_of_servers_are_taken(url):
    assert make(url=url).url == url


@pytest.mark.parametrize(
    "url", ["", "/get", "127.0.0.1:8000", "ftp://example.org/", "http://", "http:///get", "http://:8000/"]
)
def test_what_is_no_url_of_a_server_is_refused(url):
    with pytest.raises(UsageError) as told:
        make(url=url)

    assert str(told.value) == f"{url!r} is no URL of a server, such as http://127.0.0.1:8000/"


@pytest.mark.parametrize(
    "url", ["http://[::1/", "http://h:99999/", "http://h:port/", "http://h:0/", "http://h/a b", "http://h/\n"]
)
def test_a_url_that_cannot_be_taken_apart_is_refused(url):
    with pytest.raises(UsageError, match="is no URL of a server"):
        make(url=url)


@pytest.mark.parametrize("method", METHODS)
def test_every_documented_method_is_taken(method):
    assert make(method=method).method == method


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"method": "get"},
            "the method 'get' is none of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, STREAM",
        ),
        (
            {"method": "TRACE"},
            "the method 'TRACE' is none of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, STREAM",
        ),
        ({"mode": "threads"}, "the mode 'threads' is neither sync nor async"),
        ({"concurrency": 0}, "concurrency is 0, but must be a whole number above 0"),
        ({"concurrency": -1}, "concurrency is -1, but must be a whole number above 0"),
        ({"concurrency": 1.5}, "concurrency is 1.5, but must be a whole number above 0"),
        ({"concurrency": True}, "concurrency is True, but must be a whole number above 0"),
        ({"concurrency": "10"}, "concurrency is '10', but must be a whole number above 0"),
        ({"rounds": 0}, "rounds is 0, but must be a whole number above 0"),
        ({"rounds": -3}, "rounds is -3, but must be a whole number above 0"),
        ({"duration_s": 0}, "duration is 0, but must be above 0"),
        ({"duration_s": -1}, "duration is -1, but must be above 0"),
        ({"duration_s": INF}, "duration is inf, but must be above 0"),
        ({"duration_s": NAN}, "duration is nan, but must be above 0"),
        ({"timeout_s": 0}, "timeout is 0, but must be above 0"),
        ({"timeout_s": -0.5}, "timeout is -0.5, but must be above 0"),
        ({"monitoring_interval_s": 0}, "monitoring interval is 0, but must be above 0"),
        ({"rate_per_s": 0}, "rate is 0, but must be above 0"),
        ({"rate_per_s": -5}, "rate is -5, but must be above 0"),
        ({"rate_per_s": 5, "rate_to_per_s": 0}, "rate at the end is 0, but must be above 0"),
        ({"rate_to_per_s": 5}, "a rate to end with needs one to begin with"),
        ({"warm_up_s": -1}, "warm-up is -1, but must be 0 or above"),
        ({"warm_up_s": NAN}, "warm-up is nan, but must be 0 or above"),
        ({"requests": 0}, "requests is 0, but must be a whole number above 0"),
        ({"requests": 2.0}, "requests is 2.0, but must be a whole number above 0"),
        ({"headers": {"a b": "c"}}, "'a b' is no name of a header"),
        ({"headers": {"": "c"}}, "'' is no name of a header"),
        ({"headers": {"X": "a\r\nY: b"}}, "the header X is 'a\\r\\nY: b', but must be text of one line"),
        ({"headers": {"X": 5}}, "the header X is 5, but must be text of one line"),
        ({"expect_status": frozenset({200, 99})}, "99 is no status to expect; they go from 100 to 599"),
        ({"expect_status": frozenset({600})}, "600 is no status to expect; they go from 100 to 599"),
        ({"requests": 2, "rounds": 3}, "2 requests are too few for 3 rounds"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_told_in_one_line(changes, said):
    with pytest.raises(UsageError) as told:
        make(**changes)

    assert str(told.value) == said


@pytest.mark.parametrize("method", ["GET", "HEAD", "STREAM"])
def test_a_method_without_a_body_has_none(method):
    with pytest.raises(UsageError, match=f"{method} has no body; use POST, PUT or PATCH"):
        make(method=method, body=b"x")


def test_the_least_that_is_allowed_is():
    found = make(
        concurrency=1, rounds=1, duration_s=1e-3, warm_up_s=0, requests=1, rate_per_s=0.1, rate_to_per_s=0.2
    )

    assert found.is_open_loop
    assert not make().is_open_loop


def test_it_does_not_change_and_a_copy_is_checked_again():
    found = make(client="httpx")

    with pytest.raises(FrozenInstanceError):
        found.concurrency = 5
    assert found.but(client="requests") == make(client="requests")
    with pytest.raises(UsageError, match="rounds is 0"):
        found.but(rounds=0)


def test_what_is_kept_of_it_has_no_secrets():
    found = make(
        url="http://bob:hunter2@h/get?token=hunter2&a=1",
        method="POST",
        headers={"Authorization": "Bearer hunter2", "Cookie": "session=hunter2", "Accept": "*/*"},
        body=b'{"password": "hunter2", "item": 5}',
    )

    assert "hunter2" not in json.dumps(found.to_dict()) + found.label
    assert found.to_dict()["headers"]["Accept"] == "*/*"
    assert '"item": 5' in found.to_dict()["body"]
    assert found.headers["Authorization"] == "Bearer hunter2"
    plain = "http://[::1]:8000/stream/5?a=1&b=%C3%BC"
    assert make(url=plain).to_dict()["url"] == plain


def test_its_label_is_the_name_or_made_of_client_and_url():
    assert make(client="httpx", method="POST").label == f"httpx POST {URL}"
    assert make(name="checkout").label == "checkout"


def test_it_is_json_as_a_dict():
    found = make(
        headers={"Accept": "*/*"},
        method="POST",
        body=b"\xffa",
        expect_status=frozenset({204, 200}),
        expect_body=b"ok",
    )

    plain = json.loads(json.dumps(found.to_dict()))

    assert plain["headers"] == {"Accept": "*/*"}
    assert (plain["body"], plain["expect_status"], plain["expect_body"]) == ("\\xffa", [200, 204], "ok")
    assert make().to_dict()["expect_body"] is None
