"""Queries and path segments: what decodes, what is refused and where, and that encoding is undone by decoding."""

import doctest
from urllib.parse import parse_qsl, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http import query as module
from penstock.http.query import Query, decode_segment, encode_query, encode_segment, parse_query

BROKEN = [
    b"%",
    b"%2",
    b"%zz",
    b"%2g",
    b"%g2",
    b"a%",
    b"%%",
    b"%%41",
    b"%4%31",
    b"% 1",
    b"%+1",
    b"%0x",
    b"%\xc3\xa9",
    b"%-1",
    b"%1_",
    b"%u0041",
]
NOT_UTF8 = [
    b"%C0%AF",  # overlong "/"
    b"%C1%81",
    b"%E0%80%AF",
    b"%F0%80%80%AF",
    b"%ED%A0%80",  # a surrogate
    b"%F4%90%80%80",  # above U+10FFFF
    b"%FF",
    b"%80",
    b"%C3",
    b"%C3%28",
    b"\xff",
    b"\xc0\xaf",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", []),
        (b"&", []),
        (b"&&a=1&&", [("a", "1")]),
        (b"a", [("a", "")]),
        (b"a=", [("a", "")]),
        (b"=", [("", "")]),
        (b"=b", [("", "b")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a==", [("a", "=")]),
        (b"a=1&a=2&a=", [("a", "1"), ("a", "2"), ("a", "")]),
        (b"A=1&a=2", [("A", "1"), ("a", "2")]),
        (b"a;b=1", [("a;b", "1")]),
        (b"a+b=c+d", [("a b", "c d")]),
        (b"a%2Bb=%2B", [("a+b", "+")]),
        (b"a=%26b%3Dc", [("a", "&b=c")]),
        (b"a%3Db=c", [("a=b", "c")]),
        (b"a=%00", [("a", "\x00")]),
        (b"a=%0d%0A", [("a", "\r\n")]),
        (b"a=%C3%A9", [("a", "é")]),
        (b"a=\xc3\xa9", [("a", "é")]),
        (b"a=%F0%9F%98%80", [("a", "😀")]),
        (b"a=%2525", [("a", "%25")]),
        (b"?a=1", [("?a", "1")]),
        (b"a=%EF%BB%BF", [("a", "\ufeff")]),
    ],
)
def test_parse_query(raw: bytes, expected: list[tuple[str, str]]) -> None:
    assert parse_query(raw).items() == expected


@pytest.mark.parametrize("bad", BROKEN)
def test_broken_percent_encoding_is_refused_with_its_place(bad: bytes) -> None:
    for raw in (b"ok=1&" + bad, b"ok=1&a=" + bad, bad, b"a=" + bad + b"&ok=%41"):
        with pytest.raises(ValueError, match=r"query: .* at octet \d+ is not percent-encoding"):
            parse_query(raw)
    with pytest.raises(ValueError, match=r"path segment: .* at octet \d+"):
        decode_segment(bad)


def test_the_place_is_that_of_the_broken_escape() -> None:
    with pytest.raises(ValueError, match="'%zz' at octet 8"):
        parse_query(b"a=%41&b=%zz&c=%")


@pytest.mark.parametrize("bad", NOT_UTF8)
def test_what_is_not_utf_8_is_refused(bad: bytes) -> None:
    for raw in (b"a=" + bad, bad, b"a=%41" + bad):
        with pytest.raises(ValueError, match="not UTF-8 at octet") as caught:
            parse_query(raw)
        assert not isinstance(caught.value, UnicodeError)
    with pytest.raises(ValueError, match="not UTF-8 at octet"):
        decode_segment(bad)


def test_an_error_shows_little_of_a_long_query() -> None:
    with pytest.raises(ValueError, match="octet 8000") as caught:
        parse_query(b"a=" + b"x" * 8000 + b"%FF")

    assert len(str(caught.value)) < 120


def test_reading_a_query() -> None:
    q = parse_query(b"a=1&b=2&a=3")

    assert q["a"] == "1"
    assert q.get("a") == "1"
    assert (q.get("z"), q.get("z", 0)) == (None, 0)
    assert (q.get_all("a"), q.get_all("z")) == (["1", "3"], [])
    assert ("a" in q, "z" in q, 7 in q) == (True, False, False)
    assert (len(q), list(q), q.keys()) == (2, ["a", "b"], ["a", "b"])
    assert dict(q) == {"a": "1", "b": "2"}
    with pytest.raises(KeyError):
        q["z"]


def test_a_query_compares_and_shows_itself() -> None:
    assert parse_query(b"a=1") == Query([("a", "1")]) != parse_query(b"a=2")
    assert parse_query(b"a=1") != "a=1"
    assert hash(parse_query(b"a=1")) == hash(Query([("a", "1")]))
    assert repr(parse_query(b"a=1")) == "Query([('a', '1')])"


def test_callers_cannot_change_a_query() -> None:
    q = parse_query(b"a=1")

    q.items().clear()
    q.keys().clear()

    assert q.items() == [("a", "1")]
    with pytest.raises(TypeError):
        q["a"] = "2"  # type: ignore[index]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ""),
        (b"a", "a"),
        (b"a+b", "a+b"),
        (b"%2F", "/"),
        (b"%2f%2E%2e", "/.."),
        (b"%00", "\x00"),
        (b"%41%42", "AB"),
        (b"a%20b", "a b"),
        (b"caf%C3%A9", "café"),
        (b"caf\xc3\xa9", "café"),
        (b"%25zz", "%zz"),
        (b"a;v=1,2", "a;v=1,2"),
    ],
)
def test_decode_segment(raw: bytes, expected: str) -> None:
    assert decode_segment(raw) == expected


def test_encode_query_spells_values() -> None:
    assert (
        encode_query([("a", 1), ("b", None), ("c", [1, None, 2]), ("d", ()), ("e", False), ("f", 1.5)])
        == "a=1&c=1&c=2&e=false&f=1.5"
    )
    assert encode_query({}) == ""
    assert encode_query(parse_query(b"b=2&a=%20&b=")) == "b=2&a=+&b="


@given(st.lists(st.tuples(TEXT, TEXT)))
def test_a_query_survives_encoding(pairs: list[tuple[str, str]]) -> None:
    encoded = encode_query(pairs)

    assert encoded.isascii()
    assert parse_query(encoded.encode()).items() == pairs
    assert parse_qsl(encoded, keep_blank_values=True) == pairs


@given(TEXT)
def test_a_segment_survives_encoding(text: str) -> None:
    encoded = encode_segment(text)

    assert encoded.isascii()
    assert not set(encoded) & set('/?#%"<>\\^`{|} ') - {"%"}
    assert encoded not in {".", ".."}
    assert decode_segment(encoded.encode()) == text


@given(st.binary(max_size=30) | st.text("%2fFcC38aA+&=z", max_size=30).map(str.encode))
def test_any_octets_give_text_or_a_plain_valueerror(raw: bytes) -> None:
    segment, items = or_error(decode_segment, raw), or_error(lambda: parse_query(raw).items())

    assert segment is ValueError or segment.encode() == unquote_to_bytes(raw)
    assert items is ValueError or items == parse_qsl(raw.decode(), keep_blank_values=True)


def or_error(call, *arguments):
    try:
        return call(*arguments)
    except Exception as error:
        return type(error)


def test_lone_surrogates_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        encode_segment("\ud800")
