"""JSON of anything: valid, on one line, bounded, and the same value where JSON has a word for it."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.observe.logs.json_text import quote, quote_within, render, to_plain

TEXTS = st.text(st.characters(codec=None), max_size=50)  # lone surrogates too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


def is_one_line(text):
    return len(text.splitlines()) == 1 and not any(
        unicodedata.category(each) in ("Cc", "Cs") for each in text
    )


@settings(max_examples=50)
@given(TEXTS)
def test_text_is_quoted_on_one_line_and_read_back(text):
    quoted = quote(text)

    assert json.loads(quoted) == text
    assert is_one_line(quoted)
    quoted.encode()


@settings(max_examples=50)
@given(TEXTS.map(lambda text: text * 7), st.integers(8, 200))
def test_text_that_is_too_long_is_cut_between_characters_and_says_so(text, limit):
    told = json.loads(quote_within(text, limit))

    if told != text:
        kept, _, note = told.rpartition("... [")
        missing = int(note.removesuffix(" characters cut]"))
        assert text.startswith(kept)
        # a lone surrogate pair may be read back as one character
        assert abs(len(text) - len(kept) - missing) <= 1
    assert len(quote_within(text, limit).encode()) <= limit + 2 + len("... [1234567 characters cut]")


@settings(max_examples=50)
@given(VALUES)
def test_any_value_is_a_line_of_valid_json(value):
    line = render(to_plain({"value": value}))

    assert isinstance(json.loads(line), dict)
    assert "NaN" not in line.replace('"', "") or "NaN" in str(value)
    assert is_one_line(line)
    line.encode()


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | TEXTS | st.integers(-(2**63), 2**63 - 1),
        lambda e: st.lists(e, max_size=4),
        max_leaves=8,
    )
)
def test_what_json_has_words_for_is_read_back(value):
    assert json.loads(render(to_plain(value))) == value


class Broken:
    def __str__(self):
        raise RuntimeError("not even that")


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**70, "<int of 71 bits>"),
        ([10**5000], ["<int of 16610 bits>"]),
        (b"a\xff", "a\\xff"),
        (Broken(), "<Broken that cannot be shown>"),
        ({1}, [1]),
        ((1, "a"), [1, "a"]),
        ({1: 2}, {"1": 2}),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31 00:00:00+00:00"),
        (Colour.RED, str(Colour.RED)),
    ],
)
def test_other_values_are_shown_as_far_as_they_can_be(value, shown):
    assert json.loads(render(to_plain(value))) == shown


def test_what_refers_to_itself_ends():
    endless = {"name": "a"}
    endless["self"] = endless

    assert len(render(to_plain(endless))) < 200


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        ["x" * 10**4] * 10**4,
        {f"{n}": [n] * 100 for n in range(10**3)},
        [[[["y"] * 99] * 99] * 99] * 9,
    ],
)
def test_picture_is_bounded_and_says_what_is_missing(value):
    line = render(to_plain(value))

    assert len(line) < 300 * 4200
    assert "more" in line or "cut]" in line


def test_picture_holds_nothing_of_what_it_shows():
    value = {"list": [1]}

    picture = to_plain(value)
    value["list"].append(2)

    assert picture == {"list": [1]}
