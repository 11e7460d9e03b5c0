from __future__ import annotations

import pytest


def test_a_cached_reply_has_validators_and_is_304_for_whoever_has_any(target):
    reply = target.ask("/cache")

    assert reply.headers["ETag"].startswith('"')
    assert reply.headers["Last-Modified"].endswith("GMT")
    assert set(reply.json) == {"args", "headers", "origin", "url"}
    assert target.ask("/cache", if_none_match='"x"').status == 304
    assert target.ask("/cache", if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT").status == 304


def test_a_reply_may_be_kept_for_a_time(target):
    assert target.ask("/cache/60").headers["Cache-Control"] == "public, max-age=60"
    assert target.ask("/cache/99999999").status == 400


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("if_none_match", '"v1"', 304),
        ("if_none_match", 'W/"v0", "v1"', 304),
        ("if_none_match", "*", 304),
        ("if_none_match", '"v2"', 200),
        ("if_match", '"v2"', 412),
        ("if_match", '"v1"', 200),
    ],
)
def test_an_etag_decides(target, field, value, status):
    reply = target.ask("/etag/v1", **{field: value})

    assert reply.status == status
    assert reply.headers["ETag"] == (None if status == 412 else '"v1"')


def test_what_is_no_etag_is_refused(target):
    assert target.ask("/etag/a%22b").status == 400


def test_fields_are_those_of_the_query(target):
    reply = target.ask("/response-headers?X-A=1&X-A=2&Y=z")

    assert reply.headers.get_all("X-A") == ["1", "2"]
    assert reply.json == {
        "Content-Type": "application/json",
        "Content-Length": str(len(reply.content)),
        "X-A": ["1", "2"],
        "Y": "z",
    }


def test_the_type_may_be_chosen(target):
    assert (
        target.ask("/response-headers?Content-Type=text/plain", "POST").headers["Content-Type"]
        == "text/plain"
    )


@pytest.mark.parametrize(
    "query", ["Content-Length=5", "transfer-encoding=chunked", "a%20b=1", "a=%0d%0ab", "a=€"]
)
def test_fields_that_cannot_be_sent_are_refused(target, query):
    from urllib.parse import quote

    assert target.ask(f"/response-headers?{quote(query, safe='=%')}").status == 400
