"""Replies as octets: the cut never matters, the end is where HTTP says, and what is none is refused."""

from __future__ import annotations

import pytest

from http_benchmark.clients.reply import Reply, ShortReply
from penstock.errors import RemoteProtocolError

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def read(octets: bytes, size: int | None = None, *, is_head: bool = False, ends: bool = False) -> Reply:
    """Feed in pieces of that size, at most up to the end of the reply."""
    reply = Reply(is_head=is_head, keeps=True)
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)] if size else [octets]
    for piece in pieces:
        if reply.feed(piece):
            assert piece is pieces[-1]
            return reply
    assert ends
    reply.end()
    return reply


CASES = {
    "a length": (HELLO, 200, b"hello", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified, with a length": (b"HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n", 304, b"", True),
    "length 0": (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200, b"", True),
    "the same length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab", 200, b"ab", True),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n2;a=b\r\nab\r\n1\r\nc\r\n0\r\nT: v\r\n\r\n", 200, b"abc", True),
    "chunks over a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, b"a", False
    ),
    "after interim replies": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + HELLO, 200, b"hello", True),
    "close": (b"HTTP/1.1 200 OK\r\nConnection: a, Close\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "HTTP/1.0 kept": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, b"", True),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nabc", 200, b"abc", False),
}  # fmt: skip


@pytest.mark.parametrize(("octets", "status", "content", "is_reusable"), CASES.values(), ids=CASES)
def test_a_reply_is_the_same_however_it_is_cut(octets, status, content, is_reusable):
    for size in (None, *range(1, len(octets))):
        reply = read(octets, size, ends=octets == CASES["until the end"][0])

        assert (reply.status, reply.content, reply.octets, reply.is_reusable) == (
            status, content, len(content), is_reusable
        )  # fmt: skip


def test_interim_replies_without_end_are_no_reply():
    with pytest.raises(RemoteProtocolError, match="interim"):
        read(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 65)


def test_a_reply_to_head_has_no_content():
    reply = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", is_head=True)

    assert (reply.status, reply.content, reply.is_reusable) == (200, b"", True)


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("name", ["a length", "chunks", "no content"])
def test_octets_after_a_reply_end_the_use_of_the_connection(name, more):
    octets, status, content, _ = CASES[name]

    reply = read(octets + more)

    assert (reply.status, reply.content, reply.is_reusable) == (status, content, False)


def test_content_that_is_not_wanted_is_counted_only():
    reply = Reply(is_head=False, keeps=False)

    assert reply.feed(HELLO)
    assert (reply.octets, reply.content) == (5, None)


@pytest.mark.parametrize(
    "octets",
    [HELLO[:-1], HELLO[:30], HELLO[:1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"],
)
def test_an_early_end_is_an_error(octets):
    reply = Reply(is_head=False, keeps=True)
    assert not reply.feed(octets)

    with pytest.raises(ShortReply):
        reply.end()

    assert not reply.is_reusable


def test_an_end_before_the_first_octet_is_a_reset():
    with pytest.raises(ConnectionResetError, match="closed the connection without a reply"):
        Reply(is_head=False, keeps=True).end()


@pytest.mark.parametrize(
    "octets",
    [
        b"SMTP",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000,
    ],
    ids=lambda octets: octets[:70].decode().replace("\r\n", " "),
)
def test_what_is_no_reply_is_refused(octets):
    with pytest.raises(RemoteProtocolError):
        Reply(is_head=False, keeps=True).feed(octets)
