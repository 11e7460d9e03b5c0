"""Faults are counted by kinds of ours, whatever clients send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import RemoteProtocolError
from penstock.http.response import TextResponse
from penstock.observe.metrics.gather import gather
from penstock.server.fault_kinds import KINDS, OTHER, kind_of
from tests.server.harness import endpoint, serve

HOST = b"Host: t\r\n"


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "host"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "host"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\n", "content_length"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", "coding"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: br, chunked\r\n\r\n", "unknown_coding"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Host x\r\n\r\n", "field"),
        (b"GET / HTTP/1.1\n" + HOST + b"\r\n", "octet"),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", "request_line"),
        (b"\x16\x03\x01\x02", "request_line"),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", "method"),
        (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", "unknown_method"),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", "version"),
        (b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n", "target"),
        (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", "target"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "target_too_long"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 40_000 + b"\r\n\r\n", "head_too_large"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n", "content_too_large"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Expect: cake\r\n\r\n", "expectation"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "chunk"),
    ],
)
def test_a_fault_is_counted_by_what_was_wrong(octets, kind):
    before = gather().value("penstock_parse_errors", kind)

    with serve({"/": endpoint("inline", lambda request: TextResponse("served"))}) as server:
        with server.connect(octets) as client:
            client.take_all()
        assert gather().value("penstock_parse_errors", kind) == before + 1


@given(st.integers(400, 599), st.text())
def test_whatever_a_fault_says_its_kind_is_one_of_few(status, detail):
    assert kind_of(RemoteProtocolError(status, detail)) in KINDS
    assert kind_of(RemoteProtocolError(499, detail)) == OTHER
