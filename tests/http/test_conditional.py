"""Conditional requests: entity-tags, and the order in which the five If-* fields decide."""

import doctest
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import LocalProtocolError
from penstock.http import conditional as module
from penstock.http.conditional import ETag, Outcome, evaluate, parse_etags, range_applies
from penstock.http.dates import format_date
from penstock.http.headers import Headers

PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED

THEN = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
BEFORE, AT, AFTER = (format_date(THEN + offset) for offset in (-1, 0, 1))

OPAQUE = st.text([chr(c) for c in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))], max_size=12)
TAGS = st.builds(ETag, OPAQUE, weak=st.booleans())


def fields(*pairs: tuple[str, str]) -> Headers:
    return Headers.from_pairs(pairs)


def outcome(method: str, *pairs: tuple[str, str], etag="v1", weak=False, last_modified=THEN, exists=True):
    tag = ETag(etag, weak=weak) if etag is not None else None
    return evaluate(method, fields(*pairs), etag=tag, last_modified=last_modified, exists=exists)


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ('""', ETag("")),
        ('"a"', ETag("a")),
        ('W/"a"', ETag("a", weak=True)),
        ('W/""', ETag("", weak=True)),
        ('"W/"', ETag("W/")),
        ('"a,b"', ETag("a,b")),
        ('"\\"', ETag("\\")),  # no escapes
        ('"\xe9\xff"', ETag("\xe9\xff")),
        ('"*"', ETag("*")),
    ],
)
def test_an_entity_tag_is_read_and_written_alike(text: str, tag: ETag) -> None:
    assert ETag.parse(text) == tag
    assert str(tag) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        '"',
        '"a',
        'a"',
        'w/"a"',
        'W/ "a"',
        'W"a"',
        "W/a",
        "'a'",
        '"a" ',
        ' "a"',
        '"a b"',
        '"a"b"',
        '"a\\"b"',
        '"a", "b"',
        "*",
        '"\x7f"',
        '"\t"',
        '"\n"',
        '"a"\n',
        '"\u0100"',
        '"a";q=1',
        '""""',
    ],
)
def test_what_is_no_entity_tag_is_none(text: str) -> None:
    assert ETag.parse(text) is None


@pytest.mark.parametrize(
    "opaque", ['"', "a b", "\r\n", "\n", "a\x7f", "\x00", "\u0100", 'x"\r\nSet-Cookie: a=b', "a\n"]
)
def test_an_entity_tag_cannot_carry_anything_else_into_a_field(opaque: str) -> None:
    with pytest.raises(LocalProtocolError):
        ETag(opaque)


@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),
    [  # the table of RFC 9110 §8.8.3.2
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_strong_and_weak_comparison(one: str, other: str, strongly: bool, weakly: bool) -> None:
    a, b = ETag.parse(one), ETag.parse(other)
    assert a is not None and b is not None

    assert a.matches_strongly(b) is b.matches_strongly(a) is strongly
    assert a.matches_weakly(b) is b.matches_weakly(a) is weakly


def test_equal_tags_hash_alike_and_nothing_else_is_equal() -> None:
    assert len({ETag("a"), ETag("a"), ETag("a", weak=True)}) == 2
    assert ETag("a") != '"a"'
    assert repr(ETag("a", weak=True)) == "ETag('a', weak=True)"


@pytest.mark.parametrize(
    ("value", "texts", "whole"),
    [
        ("", [], False),
        (",", [], False),
        (" , ,, ", [], False),
        ('"a"', ['"a"'], True),
        (' "a" ', ['"a"'], True),
        ('"a","b"', ['"a"', '"b"'], True),
        ('"a" ,\t, W/"b",', ['"a"', 'W/"b"'], True),
        (',"a"', ['"a"'], True),
        ('"a,b" , "c"', ['"a,b"', '"c"'], True),
        ('"a" "b"', ['"a"'], False),
        ('"a""b"', ['"a"'], False),
        ('"a";"b"', ['"a"'], False),
        ('"a", b, "c"', ['"a"'], False),
        ('"a", *', ['"a"'], False),
        ('*, "a"', [], False),
        ('"a", "b', ['"a"'], False),
        ("abc", [], False),
    ],
)
def test_lists_of_tags(value: str, texts: list[str], whole: bool) -> None:
    tags, complete = parse_etags(value)

    assert [str(tag) for tag in tags] == texts
    assert complete is whole


def test_only_so_many_tags_are_read() -> None:
    assert parse_etags(", ".join(['"a"'] * 100)) == ([ETag("a")] * 100, True)
    assert parse_etags(", ".join(['"a"'] * 101)) == ([ETag("a")] * 100, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"v1"', PROCEED),
        ('"v0", "v1"', PROCEED),
        ("*", PROCEED),
        ('"v0"', FAILED),
        ('W/"v1"', FAILED),  # compared strongly
        ("v1", FAILED),
        ('*, "v0"', FAILED),
        ("", FAILED),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"])
def test_if_match(method: str, value: str, expected: Outcome) -> None:
    assert outcome(method, ("If-Match", value)) is expected


def test_if_match_against_a_weak_tag_or_none_fails() -> None:
    assert outcome("PUT", ("If-Match", 'W/"v1"'), weak=True) is FAILED
    assert outcome("PUT", ("If-Match", '"v1"'), weak=True) is FAILED
    assert outcome("PUT", ("If-Match", '"v1"'), etag=None) is FAILED
    assert outcome("PUT", ("If-Match", "*"), etag=None) is PROCEED


@pytest.mark.parametrize("value", ["*", '"v1"', "rubbish"])
def test_if_match_fails_where_nothing_exists(value: str) -> None:
    assert outcome("PUT", ("If-Match", value), exists=False) is FAILED


@pytest.mark.parametrize(
    ("value", "read", "changed"),
    [
        ('"v1"', NOT_MODIFIED, FAILED),
        ('W/"v1"', NOT_MODIFIED, FAILED),
        ('"v0" , W/"v1"', NOT_MODIFIED, FAILED),
        ("*", NOT_MODIFIED, FAILED),
        ('"v0"', PROCEED, PROCEED),
        ('"V1"', PROCEED, PROCEED),
        ("v1", PROCEED, FAILED),  # broken: do no harm
        ('"v0", *', PROCEED, FAILED),
        ("", PROCEED, FAILED),
    ],
)
def test_if_none_match(value: str, read: Outcome, changed: Outcome) -> None:
    assert outcome("GET", ("If-None-Match", value)) is read
    assert outcome("HEAD", ("If-None-Match", value)) is read
    assert outcome("PUT", ("If-None-Match", value)) is changed
    assert outcome("DELETE", ("If-None-Match", value)) is changed


@pytest.mark.parametrize("value", ["*", '"v1"', "rubbish"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_if_none_match_holds_where_nothing_exists(method: str, value: str) -> None:
    assert outcome(method, ("If-None-Match", value), exists=False) is PROCEED


def test_lists_over_several_field_lines_are_one_list() -> None:
    lines = [("If-None-Match", '"v0"'), ("Host", "t"), ("if-none-match", 'W/"v1"')]

    assert outcome("GET", *lines) is NOT_MODIFIED


def test_a_star_twice_is_broken() -> None:
    assert outcome("PUT", ("If-Match", "*"), ("If-Match", "*")) is FAILED


@pytest.mark.parametrize(("date", "expected"), [(BEFORE, PROCEED), (AT, NOT_MODIFIED), (AFTER, NOT_MODIFIED)])
@pytest.mark.parametrize("fraction", [0, 0.9])
def test_if_modified_since(date: str, fraction: float, expected: Outcome) -> None:
    for method in ("GET", "HEAD"):
        assert outcome(method, ("If-Modified-Since", date), last_modified=THEN + fraction) is expected


@pytest.mark.parametrize(("date", "expected"), [(BEFORE, FAILED), (AT, PROCEED), (AFTER, PROCEED)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_if_unmodified_since(method: str, date: str, expected: Outcome) -> None:
    assert outcome(method, ("If-Unmodified-Since", date), last_modified=THEN + 0.9) is expected


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize(
    "date", ["", "0", "yesterday", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC"]
)
def test_a_date_that_is_none_is_ignored(name: str, date: str) -> None:
    for last_modified in (0, THEN, 4e9):
        assert outcome("GET", (name, date), last_modified=last_modified) is PROCEED


def test_a_date_twice_is_ignored() -> None:
    assert outcome("GET", ("If-Modified-Since", AFTER), ("If-Modified-Since", AFTER)) is PROCEED
    assert outcome("PUT", ("If-Unmodified-Since", BEFORE), ("If-Unmodified-Since", BEFORE)) is PROCEED


def test_dates_are_ignored_without_a_modification_date() -> None:
    both = ("If-Modified-Since", AFTER), ("If-Unmodified-Since", BEFORE)

    assert outcome("GET", *both, last_modified=None) is PROCEED
    assert outcome("GET", *both, exists=False) is PROCEED


def test_if_modified_since_is_for_reading_only() -> None:
    assert outcome("PUT", ("If-Modified-Since", AFTER)) is PROCEED


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT"])
def test_methods_that_select_no_representation_have_no_conditions(method: str) -> None:
    assert outcome(method, ("If-Match", '"x"'), ("If-None-Match", "*")) is PROCEED


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        # step 1 before step 2: If-Unmodified-Since is ignored beside If-Match
        ([("If-Match", '"v1"'), ("If-Unmodified-Since", BEFORE)], PROCEED),
        ([("If-Match", '"v0"'), ("If-Unmodified-Since", AFTER)], FAILED),
        # step 1 and 2 before step 3
        ([("If-Match", '"v0"'), ("If-None-Match", '"v1"')], FAILED),
        ([("If-Match", '"v1"'), ("If-None-Match", '"v1"')], NOT_MODIFIED),
        ([("If-Unmodified-Since", BEFORE), ("If-None-Match", '"v1"')], FAILED),
        ([("If-Unmodified-Since", AFTER), ("If-None-Match", '"v1"')], NOT_MODIFIED),
        # step 3 before step 4: If-Modified-Since is ignored beside If-None-Match, even a broken one
        ([("If-None-Match", '"v0"'), ("If-Modified-Since", AFTER)], PROCEED),
        ([("If-None-Match", "v1"), ("If-Modified-Since", AFTER)], PROCEED),
        ([("If-None-Match", '"v1"'), ("If-Modified-Since", BEFORE)], NOT_MODIFIED),
        # step 1 and 2 go on to step 4
        ([("If-Match", "*"), ("If-Modified-Since", AFTER)], NOT_MODIFIED),
        ([("If-Unmodified-Since", AT), ("If-Modified-Since", AT)], NOT_MODIFIED),
        ([("If-Unmodified-Since", BEFORE), ("If-Modified-Since", AFTER)], FAILED),
        ([("If-Range", '"v0"'), ("Range", "bytes=0-1")], PROCEED),
        ([], PROCEED),
    ],
)
def test_the_order_of_evaluation(pairs: list[tuple[str, str]], expected: Outcome) -> None:
    assert outcome("GET", *pairs) is expected


@pytest.mark.parametrize(
    ("value", "applies"),
    [
        ('"v1"', True),
        ('"v0"', False),
        ('W/"v1"', False),
        ('"v0", "v1"', False),  # one validator, not a list
        ("*", False),
        (AT, True),
        (BEFORE, False),
        (AFTER, False),
        ("Sunday, 06-Nov-94 08:49:37 GMT", True),
        ("rubbish", False),
        ("", False),
    ],
)
def test_if_range(value: str, applies: bool) -> None:
    asked = fields(("Range", "bytes=0-1"), ("If-Range", value))

    assert range_applies(asked, ETag("v1"), THEN + 0.5) is applies


def test_if_range_needs_what_it_names() -> None:
    assert range_applies(fields(("If-Range", '"v1"')), None, THEN) is False
    assert range_applies(fields(("If-Range", '"v1"')), ETag("v1", weak=True), THEN) is False
    assert range_applies(fields(("If-Range", AT)), ETag("v1"), None) is False
    assert range_applies(fields(("Range", "bytes=0-1")), None, None) is True


@settings(deadline=None)
@given(TAGS)
def test_a_tag_survives_rendering(tag: ETag) -> None:
    assert ETag.parse(str(tag)) == tag


@settings(deadline=None)
@given(st.lists(TAGS, min_size=1, max_size=5), st.text(" \t,", max_size=3), st.data())
def test_a_list_survives_rendering_with_any_spacing(tags: list[ETag], end: str, data: st.DataObject) -> None:
    text = end
    for tag in tags:
        text += (
            str(tag) + data.draw(st.text(" \t", max_size=2)) + "," + data.draw(st.text(" \t,", max_size=3))
        )

    assert parse_etags(text) == (tags, True)


@settings(deadline=None)
@given(st.text(max_size=30) | st.text('"W/,* a\t\\', max_size=30))
def test_noise_is_a_tag_or_none_and_a_list_or_the_start_of_one(text: str) -> None:
    tag = ETag.parse(text)
    tags, whole = parse_etags(text)

    assert tag is None or str(tag) == text
    assert tag is None or (tags, whole) == ([tag], True)
    assert whole or len(tags) <= text.count('"') // 2


@settings(deadline=None)
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]),
    st.dictionaries(
        st.sampled_from(
            ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"]
        ),
        st.sampled_from(["*", '"v1"', 'W/"v1"', '"v0"', "x", "", BEFORE, AT, AFTER]),
    ),
    st.none() | TAGS | st.just(ETag("v1")),
    st.none() | st.floats(0, 4e9) | st.just(THEN),
    st.booleans(),
)
def test_every_request_has_an_outcome(method, pairs, etag, last_modified, exists) -> None:
    asked = Headers.from_pairs(pairs)

    answer = evaluate(method, asked, etag=etag, last_modified=last_modified, exists=exists)

    assert isinstance(answer, Outcome)
    assert answer is not NOT_MODIFIED or method in ("GET", "HEAD")
    assert isinstance(range_applies(asked, etag, last_modified), bool)


def test_noise_is_read_in_linear_time() -> None:
    noise = [" " * 30_000, "," * 30_000, '"' * 30_000, '"a",' * 8_000, 'W/"' * 10_000, " , " * 10_000 + "x"]

    start = time.process_time()
    for value in noise:
        parse_etags(value)

    assert time.process_time() - start < 1
