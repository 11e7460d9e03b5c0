"""Properties of the reader: it reads back what is written, however it is cut, and nothing makes it fail otherwise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.reader import grammar_for
from tests.property.messages import Message, cuts, messages, nearly_requests
from tests.wire.driver import Driver, Seen, drive, split_evenly

NARROW = Limits(
    request_line_bytes=60,
    head_bytes=200,
    fields=5,
    content_bytes=64,
    chunk_line_bytes=30,
    trailer_bytes=60,
    trailer_fields=3,
)


def check(seen: Seen, message: Message) -> None:
    for name in (
        "method",
        "raw_path",
        "raw_query",
        "version",
        "host",
        "fields",
        "persistent",
        "content",
        "trailers",
    ):
        assert getattr(seen, name) == getattr(message, name), name


@given(st.lists(messages(persistent=True), max_size=3), messages(), st.data())
def test_what_was_written_is_read_back_however_it_is_cut(
    first: list[Message], last: Message, data: st.DataObject
):
    pieces = data.draw(cuts(b"".join(message.octets for message in [*first, last])))

    outcome = drive(pieces)

    assert (outcome.error, outcome.cut) == (None, None)
    for seen, message in zip(outcome.requests, [*first, last], strict=True):
        check(seen, message)


@given(messages(persistent=False), st.binary(max_size=50), st.data())
def test_nothing_behind_a_close_is_read(message: Message, behind: bytes, data: st.DataObject):
    outcome = drive(data.draw(cuts(message.octets + behind)))

    (seen,) = outcome.requests
    check(seen, message)
    assert (outcome.error, outcome.cut) == (None, None)


@given(messages(persistent=True), st.data())
def test_a_message_cut_short_is_never_handed_over(message: Message, data: st.DataObject):
    kept = data.draw(st.integers(1, len(message.octets) - 1))

    outcome = drive([message.octets[:kept]])

    assert outcome.requests == []
    assert outcome.error is None
    assert outcome.cut is not None
    assert outcome.cut[0] == 400


@given(nearly_requests, st.data(), st.sampled_from([Limits(), NARROW]))
def test_the_cut_never_matters(octets: bytes, data: st.DataObject, limits: Limits):
    whole = drive([octets], limits=limits).verdict

    assert drive(data.draw(cuts(octets)), limits=limits).verdict == whole
    assert drive(split_evenly(octets, 1), limits=limits).verdict == whole


@given(nearly_requests)
def test_what_was_seen_before_never_matters(octets: bytes):
    # Readers share the field sections they have seen; a reader that shares nothing must read the same.
    drive([octets])
    warm = drive([octets]).verdict

    grammar_for.cache_clear()

    assert drive([octets]).verdict == warm


@given(nearly_requests, st.binary(max_size=40))
def test_octets_behind_never_change_what_was_read(octets: bytes, behind: bytes):
    before = drive([octets])
    after = drive([octets, behind])

    assert after.requests[: len(before.requests)] == before.requests
    if before.error:
        assert after.error == before.error


@given(st.lists(nearly_requests, max_size=4), st.integers(1, 50))
def test_a_reader_holds_no_more_than_its_limits(parts: list[bytes], size: int):
    driver = Driver(NARROW, STANDARD_METHODS)

    for piece in split_evenly(b"".join(parts), size):
        if not driver.feed(piece):
            break
        assert driver.reader.buffered <= NARROW.head_bytes + size


@given(nearly_requests)
def test_a_reply_is_an_error_of_the_peer_with_a_status_and_a_printable_detail(octets: bytes):
    outcome = drive([octets])  # any exception but RemoteProtocolError comes out of here

    for status, detail in filter(None, [outcome.error, outcome.cut]):
        assert status in {400, 413, 414, 417, 431, 501, 505}
        assert detail.isascii()
        assert detail.isprintable()
        assert len(detail) < 500
