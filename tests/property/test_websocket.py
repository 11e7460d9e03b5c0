"""Frames in any order, right and wrong, cut anywhere: one verdict, with and without the fast path, and nothing unbounded."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.http.websocket import WebSocketSettings
from penstock.websocket.codec import Codec
from tests.websocket.frames import close_frame, frame

LIMIT = 300


class Slow(Codec):
    """The same without its fast path: the protocol sees every frame."""

    __slots__ = ()

    def _read_plain(self, data: bytes, position: int, end: int) -> int:
        return 0


texts = st.text(max_size=140).map(str.encode)
data = st.one_of(texts, st.binary(max_size=140), st.binary(max_size=140).map(lambda octets: octets * 3))
good = st.builds(frame, st.sampled_from([1, 2]), texts)
any_frame = st.builds(
    lambda opcode, octets, fin, rsv, mask, size: frame(
        opcode, octets, fin=fin, rsv=rsv, mask=mask, size=size
    ),
    st.sampled_from([0, 0, 1, 1, 2, 2, 9, 10, 8, 3, 15]),
    data,
    st.booleans(),
    st.sampled_from([0, 0, 0, 0, 0, 0, 0, 4, 1]),
    st.sampled_from([b"\0\0\0\0", b"abcd", b"\xff\x00\xff\x00", b"abcd", b"abcd", b"abcd", None]),
    st.sampled_from([None, None, None, None, 8]),
)
closes = st.builds(
    close_frame, st.sampled_from([None, 1000, 1005, 4000]), st.sampled_from([b"", b"bye", b"\xff"])
)
streams = st.lists(st.one_of(good, good, good, any_frame, closes, st.binary(max_size=20)), max_size=12).map(
    b"".join
)


def run(kind: type[Codec], pieces: list[bytes], *, queue_limit: int, is_awaited: bool) -> tuple[Any, ...]:
    """Messages, octets to send and verdict of a conversation; the queue is emptied when it is full and at the end."""
    codec = kind(WebSocketSettings(message_limit_bytes=LIMIT, queue_limit=queue_limit), [])
    messages: list[str | bytes] = []
    sent = b""

    def empty() -> None:
        assert len(codec.messages) <= queue_limit
        while codec.messages:
            messages.append(codec.pop())

    for piece in pieces:
        codec.is_awaited = is_awaited
        codec.feed(piece)
        empty()
        while codec.is_full:
            codec.go_on()
            empty()
        octets = codec.to_send()
        sent += b"".join(octets)
        if b"" in octets:
            break
    assert codec._queued_bytes == 0
    return messages, sent, codec.is_over, codec.verdict if codec.is_over else None


@given(streams, st.lists(st.integers(0, 400), max_size=6), st.integers(1, 4), st.booleans())
def test_fast_and_slow_path_have_one_verdict_wherever_the_octets_are_cut(
    octets: bytes, cuts: list[int], queue_limit: int, is_awaited: bool
):
    places = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})
    pieces = [octets[start:stop] for start, stop in itertools.pairwise(places)]

    whole = run(Slow, [octets], queue_limit=100, is_awaited=False)

    assert run(Codec, [octets], queue_limit=100, is_awaited=False) == whole
    assert run(Codec, pieces, queue_limit=queue_limit, is_awaited=is_awaited) == whole
    assert run(Slow, pieces, queue_limit=queue_limit, is_awaited=is_awaited) == whole


@given(streams)
def test_octet_by_octet(octets: bytes):
    pieces = [octets[at : at + 1] for at in range(len(octets))]

    found = run(Codec, pieces, queue_limit=3, is_awaited=True)

    assert found == run(Slow, [octets], queue_limit=100, is_awaited=False)


@given(st.one_of(st.text(max_size=70_000), st.binary(max_size=70_000)))
def test_what_is_encoded_is_what_the_protocol_would_send(message: str | bytes):
    codec = Codec(WebSocketSettings(), [])
    other = Codec(WebSocketSettings(), [])

    octets = codec.encode(message)

    if isinstance(message, str):
        other._protocol.send_text(message.encode())
    else:
        other._protocol.send_binary(message)
    assert octets == b"".join(other.to_send())
