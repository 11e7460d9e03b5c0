"""examples/streaming.py"""

from __future__ import annotations

import hashlib
import http.client
import time

import pytest


@pytest.fixture
def site(run_example):
    with run_example("streaming") as site:
        yield site


def test_pieces_of_an_async_stream_come_as_they_are_made(site):
    def arrivals():
        with site.server.connect() as client, client.makefile("rb") as lines:
            client.sendall(b"GET /countdown/3 HTTP/1.1\r\nHost: t\r\n\r\n")
            while lines.readline() != b"\r\n":
                pass
            while (size := int(lines.readline(), 16)) > 0:
                yield lines.read(size), time.monotonic()
                lines.readline()

    spread_s = []
    while max(spread_s, default=0) <= 0.2:  # a reader that was stalled finds all of them there
        assert len(spread_s) < 20
        pieces, moments = zip(*arrivals(), strict=True)
        assert pieces == (b"3\n", b"2\n", b"1\n", b"lift-off\n")
        spread_s.append(moments[-1] - moments[0])


def test_async_stream_is_text(site):
    assert site.get("/countdown/0").media_type == "text/plain; charset=utf-8"


def test_plain_iterator_is_streamed(site):
    reply = site.get("/rows/3")

    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.media_type == "text/csv"
    assert reply.text == "number,square\r\n0,0\r\n1,1\r\n2,4\r\n"


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
def test_upload_is_read_as_it_arrives_beyond_the_limit_of_the_server(site, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    reply = site.ask("POST", "/sha256", content)

    assert reply.json == {"size": size, "sha256": hashlib.sha256(content).hexdigest()}


def test_upload_in_chunks(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=30)

    connection.request("POST", "/sha256", iter([b"a" * 1000] * 100), encode_chunked=True)
    reply = connection.getresponse().read()
    connection.close()

    assert hashlib.sha256(b"a" * 100_000).hexdigest().encode() in reply


def test_upload_to_a_thread(site):
    assert site.ask("POST", "/lines", b"one\ntwo\nthree\n" * 100_000).json == {"lines": 300_000}
