"""The reader beyond what the corpus says: its state, its limits per request, what readers share, its cost."""

from __future__ import annotations

import tracemalloc
from time import process_time

import pytest

from penstock.errors import RemoteProtocolError
from penstock.wire.limits import Limits
from penstock.wire.reader import RequestReader

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def read_all(reader: RequestReader) -> bytes:
    """The content to its end; AssertionError when it is not all there."""
    pieces = []
    while piece := reader.next_content():
        pieces.append(piece)
    assert piece == b""
    return b"".join(pieces)


def test_no_octets_are_no_request():
    reader = RequestReader()

    assert reader.next_request() is None
    assert reader.next_request(b"") is None
    assert (reader.buffered, reader.in_head, reader.in_content) == (0, False, False)
    reader.end_of_input()


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_state_follows_the_octets(size: int):
    reader = RequestReader()

    assert reader.next_request(POST[:size][:10]) is None
    assert reader.in_head
    assert reader.buffered == min(size, 10)

    request = reader.next_request(POST[:size][10:] + POST[size:] if size > 10 else POST[min(size, 10) :])
    assert request is not None
    assert request.framing.content_length == 5
    assert (reader.in_head, reader.in_content) == (False, True)

    assert reader.next_content() is None
    assert reader.next_content(b"hel") == b"hel"
    assert reader.next_content() is None
    assert reader.next_content(b"lo" + GET) == b"lo"
    assert reader.next_content() == b""
    assert not reader.in_content
    assert reader.buffered == len(GET)

    assert reader.next_request() is not None
    assert reader.buffered == 0


def test_end_of_content_is_told_again_and_again():
    reader = RequestReader()
    reader.next_request(GET)

    assert [reader.next_content(), reader.next_content()] == [b"", b""]


@pytest.mark.parametrize("head", [POST, CHUNKED], ids=["length", "chunked"])
def test_end_of_input_within_content_is_an_error_each_time(head: bytes):
    reader = RequestReader()
    reader.next_request(head)

    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match="content") as caught:
            reader.end_of_input()
        assert caught.value.status == 400


def test_octets_held_during_a_request_are_read_after_it():
    reader = RequestReader()
    reader.next_request(GET)

    reader.hold(GET[:9])
    reader.hold(GET[9:] + POST)
    reader.hold(b"hello")

    assert reader.buffered == len(GET + POST) + 5
    assert reader.next_request() is not None
    request = reader.next_request()
    assert request is not None
    assert request.method == "POST"
    assert read_all(reader) == b"hello"


def test_octets_held_after_close_are_dropped():
    reader = RequestReader()
    reader.next_request(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)

    reader.hold(GET * 1000)

    assert reader.next_request() is None
    assert reader.next_request(GET) is None
    assert reader.buffered <= len(GET)


@pytest.mark.parametrize(
    ("head", "content"), [(POST, b"hello"), (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n")], ids=["length", "chunked"]
)
def test_content_limit_of_one_request_can_be_narrowed_and_widened(head: bytes, content: bytes):
    reader = RequestReader(Limits(content_bytes=4))
    reader.next_request(head + content)
    reader.content_limit_bytes = 5

    assert read_all(reader) == b"hello"

    reader.next_request(head + content)  # the next request has the limit of all again
    with pytest.raises(RemoteProtocolError) as caught:
        read_all(reader)
    assert caught.value.status == 413


def test_trailers_are_there_at_the_end_of_chunked_content_and_not_before():
    reader = RequestReader()
    reader.next_request(CHUNKED)

    assert reader.next_content(b"5\r\nhello\r\n0\r\nX: 1\r\n") == b"hello"
    assert reader.trailers is None
    assert reader.next_content(b"\r\n") == b""
    assert reader.trailers is not None
    assert list(reader.trailers.items()) == [("x", "1")]


def test_trailers_of_chunked_content_without_any_are_empty():
    reader = RequestReader()
    reader.next_request(CHUNKED + b"0\r\n\r\n")

    assert read_all(reader) == b""
    assert reader.trailers is not None
    assert len(reader.trailers) == 0


def test_equal_field_sections_are_framed_by_their_own_version():
    section = b"Host: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"

    for _ in range(2):
        modern = RequestReader().next_request(b"GET / HTTP/1.1\r\n" + section)
        old = RequestReader().next_request(b"GET / HTTP/1.0\r\n" + section)

        assert modern is not None
        assert old is not None
        assert (modern.framing.persistent, old.framing.persistent) == (True, False)
        assert (modern.framing.expects_continue, old.framing.expects_continue) == (True, False)


def test_a_section_seen_under_wide_limits_is_refused_under_narrow_ones():
    wide = b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n"
    assert RequestReader().next_request(wide) is not None

    for limits in (Limits(fields=2), Limits(head_bytes=30)):
        with pytest.raises(RemoteProtocolError) as caught:
            RequestReader(limits).next_request(wide)
        assert caught.value.status == 431


def test_what_readers_share_is_bounded():
    # Unbounded, this would hold 10,000 sections of 1,500 octets, and as many targets of 200: 20 MB and more.
    tracemalloc.start()
    try:
        for number in range(10_000):
            head = b"GET /%d%b HTTP/1.1\r\nHost: a\r\nX: %d%b\r\n\r\n" % (
                number,
                b"t" * 200,
                number,
                b"v" * 1_500,
            )
            assert RequestReader().next_request(head) is not None
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert held < 12_000_000


def test_a_head_in_single_octets_costs_linear_time():
    def seconds(fields: int) -> float:
        octets = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: %b\r\n" % (b"v" * 300) * fields + b"\r\n"
        reader = RequestReader()
        start = process_time()
        for at in range(len(octets)):
            request = reader.next_request(octets[at : at + 1])
        assert request is not None
        return process_time() - start

    small = min(seconds(10) for _ in range(3))
    large = min(seconds(90) for _ in range(3))

    assert large < small * 9 * 4  # nine times the octets; quadratic would be 81 times


def test_one_long_line_in_single_octets_costs_linear_time():
    def seconds(size: int) -> float:
        octets = b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"v" * size)
        reader = RequestReader()
        start = process_time()
        for at in range(len(octets)):
            request = reader.next_request(octets[at : at + 1])
        assert request is not None
        return process_time() - start

    small = min(seconds(3_000) for _ in range(3))
    large = min(seconds(30_000) for _ in range(3))

    assert large < small * 10 * 4  # ten times the octets; quadratic would be a hundred times


def test_pipelined_requests_cost_linear_time():
    def seconds(count: int) -> float:
        reader = RequestReader()
        start = process_time()
        request = reader.next_request(GET * count)
        for _ in range(count - 1):
            assert request is not None
            request = reader.next_request()
        assert request is not None
        return process_time() - start

    small = min(seconds(200) for _ in range(3))
    large = min(seconds(4_000) for _ in range(3))

    assert large < small * 20 * 5  # twenty times the requests; quadratic would be 400 times


@pytest.mark.parametrize("size", [1, 7, 1_000, 65_536, 100_000])
def test_what_is_held_in_pieces_of_any_size_is_read_whole(size: int):
    one = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"
    octets = one * (1 + max(20_000, 3 * size) // len(one))
    reader = RequestReader()

    request = reader.next_request(one)
    for start in range(0, len(octets), size):
        reader.hold(octets[start : start + size])
        assert reader.buffered == 5 + min(start + size, len(octets))

    count = 0
    while request is not None:
        assert (reader.next_content(), reader.next_content()) == (b"hello", b"")
        count += 1
        request = reader.next_request()
    assert count == 1 + len(octets) // len(one)
    assert reader.buffered == 0


def test_holding_many_octets_takes_linear_time():
    reader = RequestReader()
    reader.next_request(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999\r\n\r\n")
    piece = b"x" * 65_536

    started = process_time()
    for _ in range(1_000):
        reader.hold(piece)
        assert reader.buffered

    assert process_time() - started < 1.0
    assert reader.buffered == 1_000 * len(piece)
