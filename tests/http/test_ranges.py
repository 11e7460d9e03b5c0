"""Ranges: what is asked becomes disjoint parts, or none; and their framing is as long as it says."""

import doctest
import re
import time
from email.parser import BytesParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http import ranges as module
from penstock.http.ranges import (
    MAX_RANGES,
    UNSATISFIABLE,
    Multipart,
    content_range,
    parse_range,
    unsatisfied_range,
)

SIZE = 1000


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=500-5000", [(500, 1000)]),
        ("bytes=500-", [(500, 1000)]),
        ("bytes=999-", [(999, 1000)]),
        ("bytes=-1", [(999, 1000)]),
        ("bytes=-500", [(500, 1000)]),
        ("bytes=-1000", [(0, 1000)]),
        ("bytes=-5000", [(0, 1000)]),
        ("bytes=0-", [(0, 1000)]),
        ("bytes=000-009", [(0, 10)]),
        ("BYTES=0-9", [(0, 10)]),
        ("Bytes=0-9", [(0, 10)]),
        ("bytes=0-999999999999999999", [(0, 1000)]),
        # lists
        ("bytes=0-9,20-29", [(0, 10), (20, 30)]),
        ("bytes=20-29,0-9", [(20, 30), (0, 10)]),
        ("bytes=0-9 ,\t20-29", [(0, 10), (20, 30)]),
        ("bytes=,0-9,,20-29,", [(0, 10), (20, 30)]),
        ("bytes= 0-9", [(0, 10)]),
        ("bytes=0-0,-1", [(0, 1), (999, 1000)]),
        ("bytes=0-9,5000-", [(0, 10)]),
        ("bytes=5000-,-10", [(990, 1000)]),
        # overlapping or touching: one, at the place of the first
        ("bytes=0-9,5-14", [(0, 15)]),
        ("bytes=5-14,0-9", [(0, 15)]),
        ("bytes=0-9,10-19", [(0, 20)]),
        ("bytes=10-19,0-9", [(0, 20)]),
        ("bytes=0-9,11-19", [(0, 10), (11, 20)]),
        ("bytes=0-9,0-9,0-9", [(0, 10)]),
        ("bytes=0-,0-,0-,0-,0-", [(0, 1000)]),
        ("bytes=0-9,20-29,40-49,15-44", [(0, 10), (15, 50)]),
        ("bytes=40-49,20-29,0-9,15-44", [(15, 50), (0, 10)]),
        ("bytes=0-9,20-29,40-49,10-39", [(0, 50)]),
    ],
)
def test_what_can_be_honoured(value: str, expected: list[tuple[int, int]]) -> None:
    assert parse_range(value, SIZE) == expected


@pytest.mark.parametrize(
    "value",
    [
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=999999999999999999-",
        "bytes=-0",
        "bytes=-000",
        "bytes=1000-,-0",
    ],
)
def test_what_lies_outside_is_unsatisfiable(value: str) -> None:
    assert parse_range(value, SIZE) is UNSATISFIABLE


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= ",
        "bytes=-",
        "bytes=--1",
        "bytes=1",
        "bytes=a-b",
        "bytes=1-0",
        "bytes=0-9,5-4",
        "bytes=0-9,x",
        "bytes=0-9;20-29",
        "bytes=0 -9",
        "bytes=0- 9",
        "bytes=0-9 20-29",
        "bytes =0-9",
        " bytes=0-9",
        "bytes:0-9",
        "bytes 0-9/10",
        "octets=0-9",
        "lines=0-9",
        "none",
        "bytes=+1-2",
        "bytes=1_0-20",
        "bytes=0x0-0x9",
        "bytes=1e1-20",
        "bytes=0.0-9",
        "bytes=-+5",
        "bytes=−5",
        "bytes=٠-٩",
        "bytes=0-９",
        "bytes=0-9\n",
        "bytes=0-9\x00",
        "bytes=\xa00-9",
        "bytes=0-9, bytes=20-29",  # two field lines, combined
        "bytes=" + "9" * 19 + "-",
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "byteſ=0-9",
    ],
)
def test_what_is_no_range_is_ignored(value: str | None) -> None:
    assert parse_range(value, SIZE) is None


def test_no_octet_at_all() -> None:
    assert parse_range("bytes=0-", 0) is UNSATISFIABLE
    assert parse_range("bytes=0-0", 0) is UNSATISFIABLE
    assert parse_range("bytes=-0", 0) is UNSATISFIABLE
    assert parse_range("bytes=-1", 0) is None  # satisfiable by the letter: send the whole, which is nothing


def test_more_ranges_than_anybody_needs_are_the_whole_content() -> None:
    asked = [f"{at}-{at}" for at in range(0, 2 * MAX_RANGES + 2, 2)]

    assert len(parse_range("bytes=" + ",".join(asked[:MAX_RANGES]), SIZE) or ()) == MAX_RANGES
    assert parse_range("bytes=" + ",".join(asked), SIZE) is None
    assert parse_range("bytes=" + ",".join(["0-"] * (MAX_RANGES + 1)), SIZE) is None
    assert parse_range("bytes=0-1" + "," * 10_000, SIZE) is None


def test_noise_is_read_in_linear_time() -> None:
    noise = [
        "bytes=" + "0" * 30_000,
        "bytes=" + "0-," * 10_000,
        "bytes=" + " " * 30_000 + "x",
        "bytes=" + "-" * 30_000,
    ]

    start = time.process_time()
    for value in noise:
        assert parse_range(value, SIZE) is None

    assert time.process_time() - start < 1


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, int, set[int] | None]:
    """A well-formed Range field, a size, and every octet it names (None: a case of its own)."""
    size = draw(st.integers(1, 60))
    specs, octets = [], set()
    for _ in range(draw(st.integers(1, MAX_RANGES))):
        first, last = draw(st.none() | st.integers(0, 80)), draw(st.none() | st.integers(0, 80))
        if first is None:
            last = last or 0
            octets |= set(range(max(0, size - last), size))
        else:
            last = None if last is None else max(first, last)
            octets |= set(range(first, size if last is None else min(last + 1, size)))
        specs.append(f"{'' if first is None else first}-{'' if last is None else last}")
    return "bytes=" + draw(st.sampled_from([",", ", ", " ,", ",,"])).join(specs), size, octets


@settings(deadline=None)
@given(asked())
def test_each_octet_asked_is_sent_once_and_no_other(case: tuple[str, int, set[int]]) -> None:
    value, size, octets = case

    ranges = parse_range(value, size)

    if not octets:
        assert ranges is UNSATISFIABLE
        return
    assert isinstance(ranges, list)
    sent = [at for start, stop in ranges for at in range(start, stop)]
    assert len(sent) == len(set(sent))
    assert set(sent) == octets
    assert not {start for start, _ in ranges} & {stop for _, stop in ranges}  # touching ones are one


@settings(deadline=None)
@given(
    st.text(max_size=30) | st.text("0123456789-, ", max_size=40).map("bytes=".__add__), st.integers(0, 100)
)
def test_anything_is_ranges_or_unsatisfiable_or_ignored(value: str, size: int) -> None:
    ranges = parse_range(value, size)

    if isinstance(ranges, list):
        assert 1 <= len(ranges) <= MAX_RANGES
        assert all(0 <= start < stop <= size for start, stop in ranges)
    else:
        assert ranges in (None, UNSATISFIABLE)


@settings(deadline=None)
@given(st.integers(0, 10**17), st.integers(1, 10**17))
def test_a_content_range_tells_what_was_asked(start: int, length: int) -> None:
    stop = start + length

    text = content_range(start, stop, stop + 5)

    numbers = re.fullmatch(r"bytes ([0-9]+-[0-9]+)/([0-9]+)", text)
    assert numbers is not None
    assert parse_range(f"bytes={numbers[1]}", stop + 5) == [(start, stop)]
    assert int(numbers[2]) == stop + 5
    assert unsatisfied_range(stop) == f"bytes */{stop}"


@settings(deadline=None)
@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.tuples(st.integers(0, 199), st.integers(1, 200)), min_size=2, max_size=6),
    st.sampled_from([None, "text/plain; charset=utf-8", "application/octet-stream"]),
)
def test_a_multipart_is_read_back_by_another_reader(content, spans, content_type) -> None:
    spans = [
        (start % len(content), min(start % len(content) + length, len(content))) for start, length in spans
    ]
    parts = Multipart(spans, len(content), content_type)

    octets = (
        b"".join(head + content[a:b] for head, (a, b) in zip(parts.heads, spans, strict=True)) + parts.tail
    )

    assert len(octets) == parts.content_length
    boundary = parts.media_type.partition("boundary=")[2].encode()
    pieces = (b"\r\n" + octets).split(b"\r\n--" + boundary)
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    for piece, (a, b) in zip(pieces[1:-1], spans, strict=True):
        head, _, part = piece.partition(b"\r\n\r\n")
        fields = BytesParser().parsebytes(head.removeprefix(b"\r\n"), headersonly=True)
        assert part == content[a:b]
        assert fields["content-range"] == content_range(a, b, len(content))
        assert fields["content-type"] == content_type


def test_boundaries_differ_and_hold_no_separator() -> None:
    one, other = Multipart([(0, 1), (2, 3)], 9), Multipart([(0, 1), (2, 3)], 9)

    assert one.media_type != other.media_type
    assert re.fullmatch(r"multipart/byteranges; boundary=[0-9a-f]{32}", one.media_type)


@pytest.mark.parametrize("boundary", ["", "a b", "a\r\nb", 'a"', "a\n", "é", "a" * 71, "a;b"])
def test_a_boundary_that_could_not_be_found_again_is_refused(boundary: str) -> None:
    with pytest.raises(LocalProtocolError):
        Multipart([(0, 1), (2, 3)], 9, boundary=boundary)


def test_a_content_type_cannot_add_fields_to_a_part() -> None:
    with pytest.raises(LocalProtocolError):
        Multipart([(0, 1), (2, 3)], 9, "text/plain\r\nX: y")
