from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("size", [0, 1, 1000, 2_000_000])
@pytest.mark.parametrize("route", ["bytes", "stream-bytes"])
def test_content_has_the_size_asked_for(target, route, size):
    reply = target.ask(f"/{route}/{size}")

    assert (reply.status, len(reply.content)) == (200, size)
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert (reply.headers["Content-Length"] is None) == (route == "stream-bytes")


def test_a_seed_decides_the_octets(target):
    first, again = target.ask("/bytes/100?seed=7"), target.ask("/stream-bytes/100?seed=7&chunk_size=3")

    assert first.content == again.content
    assert first.content != target.ask("/bytes/100?seed=8").content
    assert target.ask("/bytes/100").content != target.ask("/bytes/100").content


def test_lines_are_numbered(target):
    lines = [json.loads(line) for line in target.ask("/stream/3?a=1").content.splitlines()]

    assert [line.pop("id") for line in lines] == [0, 1, 2]
    assert lines[0] == lines[2]
    assert set(lines[0]) == {"args", "headers", "origin", "url"}


@pytest.mark.parametrize("query", ["", "?chunk_size=3", "?duration=0.05&chunk_size=3"])
@pytest.mark.parametrize(
    ("asked", "status", "content", "place"),
    [
        (None, 200, b"abcdefghijklmnopqrstuvwxyzabcd", None),
        ("bytes=2-5", 206, b"cdef", "bytes 2-5/30"),
        ("bytes=-3", 206, b"bcd", "bytes 27-29/30"),
        ("bytes=25-", 206, b"zabcd", "bytes 25-29/30"),
    ],
    ids=["all", "middle", "end", "rest"],
)
def test_a_range_is_the_part_asked_for(target, query, asked, status, content, place):
    reply = target.ask(f"/range/30{query}", **({"range": asked} if asked else {}))

    assert (reply.status, reply.content) == (status, content)
    assert (reply.headers["Content-Range"], reply.headers["ETag"]) == (place, '"range30"')
    assert reply.headers["Content-Length"] == str(len(content))


def test_a_range_beyond_the_end_is_416(target):
    reply = target.ask("/range/30", range="bytes=30-")

    assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */30")


@pytest.mark.parametrize(
    "path",
    [
        "/bytes/10485761",
        "/bytes/-1",
        "/bytes/5?seed=x",
        "/stream-bytes/10485761",
        "/stream-bytes/5?chunk_size=0",
        "/stream/10001",
        "/range/0",
        "/range/10485761",
        "/range/5?duration=x",
    ],
)
def test_what_is_out_of_bounds_is_refused(target, path):
    assert target.ask(path).status == 400
