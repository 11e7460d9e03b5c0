"""What handlers tell of their time: tokens, bounded, safely rendered."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.http.request import Request

VALID = re.compile(r'[!#$%&\'*+\-.^_`|~0-9A-Za-z]+;dur=[0-9]+\.[0-9]{2}(;desc="([ !#-\[\]-~]|\\["\\])*")?')


def told(*entry):
    request = Request.build()
    request.timing(*entry)
    return str(request.timings[0])


def test_entries_are_kept_in_order():
    request = Request.build()

    request.timing("db", 0.0123, "two queries")
    with request.timed("cache"):
        pass
    with pytest.raises(KeyError), request.timed("failed", "it is told all the same"):
        raise KeyError

    assert str(request.timings[0]) == 'db;dur=12.30;desc="two queries"'
    assert [entry.name for entry in request.timings] == ["db", "cache", "failed"]
    assert request.timings[1].seconds >= 0


def test_who_tells_nothing_has_no_entries():
    request = Request.build()

    assert request.timings == []
    assert request.is_plain


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a,b", "é", "a\r\nb", "x" * 65, '"a"'])
def test_a_name_is_a_token(name):
    with pytest.raises(ValueError, match="token"):
        Request.build().timing(name, 1)
    with pytest.raises(ValueError, match="token"):
        Request.build().timed(name)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), -0.001])
def test_a_duration_is_a_number_of_seconds(seconds):
    with pytest.raises(ValueError, match="seconds"):
        Request.build().timing("db", seconds)


def test_a_loop_makes_no_field_of_any_length():
    request = Request.build()
    for _ in range(1_000):
        request.timing("db", 1e300, "x" * 10_000)

    assert len(request.timings) == 32
    assert max(len(str(entry)) for entry in request.timings) < 160


@given(st.text(max_size=300), st.floats(0, allow_infinity=False))
def test_whatever_is_told_can_be_sent(text, seconds):
    assert VALID.fullmatch(told("db", seconds, text))


def test_quotes_do_not_end_a_description():
    assert told("a", 0, 'x", evil;dur=1\r\nSet-Cookie: a=\\') == (
        'a;dur=0.00;desc="x\\", evil;dur=1??Set-Cookie: a=\\\\"'
    )
