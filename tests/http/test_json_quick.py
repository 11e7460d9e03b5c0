"""Reading JSON with msgspec gives the answers of reading it without."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.app.binding.body import Model
from penstock.http.headers import Headers
from penstock.http.json import _loads_by_hand, dumps, loads
from penstock.http.json_quick import count_members, has_members
from penstock.http.request import Request

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["a:b", '":', '" :', "\\u0061", "12:30:00", "{", "[[", "http://h/"]),
)
names = st.sampled_from(["a", "b", "c", "a:", '"', "é", "a b"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=20), st.dictionaries(names, inner, max_size=5)),
    max_leaves=40,
)
layouts = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"separators": (" ,", " : ")}])
pieces = st.sampled_from(
    [
        *(
            '"a"',
            '"b"',
            '"\\u0061"',
            ":",
            " :",
            "\n:",
            ",",
            "{",
            "}",
            "[",
            "]",
            "1",
            "-0",
            "1e999",
            "NaN",
            "01",
        ),
        *('"\\ud800"', '"\\ud83d\\ude00"', '"\\udc00\\ud800"', "1" * 400, " ", '":"', "true", "1.0", '"x:y"'),
    ]
)


def outcome(read, raw):
    try:
        return repr(read(raw))
    except ValueError as error:
        return str(error)


@given(values, layouts, st.booleans())
def test_what_one_reads_so_does_the_other(value, layout, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only, **layout).encode("utf-8", "surrogatepass")

    assert outcome(loads, raw) == outcome(_loads_by_hand, raw)


@given(st.lists(pieces, max_size=24).map("".join))
@example('{"a":1,"\\u0061":2}')
@example('{"a" :1,"a":2}')
@example('{"a":":","a":2}')
@example('{"a":{"b":1},"a":2}')
@example("[" * 20 + '{"a":1,"a":2}' + "]" * 20)
@example('{"a":"\\ud800"}')
@example('{"a":' + "9" * 5000 + "}")
def test_what_one_refuses_so_does_the_other_with_the_same_words(text):
    raw = text.encode()

    assert outcome(loads, raw) == outcome(_loads_by_hand, raw)


@given(st.binary(max_size=40))
@example(b'{"a":"\xff"}')
@example(b'{"a":"\xed\xa0\x80"}')
@example(b"\xef\xbb\xbf{}")
def test_octets_that_are_no_text_are_told_alike(raw):
    assert outcome(loads, raw) == outcome(_loads_by_hand, raw)


@given(values, layouts)
def test_members_are_counted_exactly(value, layout):
    raw = json.dumps(value, **layout).encode()

    count = count_members(json.loads(raw), raw.count(b"[") + raw.count(b"{"))

    assert count == _count(json.loads(raw))
    assert not has_members(raw, count - 1)


def _count(value):
    if isinstance(value, dict):
        return len(value) + sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 0


class Place(msgspec.Struct):
    street: str
    number: int


class Order(msgspec.Struct, rename="camel"):
    order_id: int
    placed_on: date
    place: Place
    key: UUID | None
    weight: Annotated[float, msgspec.Meta(gt=0)]
    note: str = "-"
    is_paid: bool | None = None


ORDER = {
    "orderId": 1,
    "placedOn": "2024-02-29",
    "place": {"street": "Main St", "number": 7},
    "key": None,
    "weight": 2,
}


def read(model, raw):
    request = Request.build("POST", "/", [("host", "t"), ("content-type", "application/json")], raw)
    try:
        return repr(model.read(request))
    except ValueError:
        return "ValueError"
    except Exception as error:  # HTTPError of a malformed body
        return repr(error)


def read_in_two_steps(model, raw):
    request = Request.build("POST", "/", [("host", "t"), ("content-type", "application/json;a=b")], raw)
    assert isinstance(request.headers, Headers)
    try:
        return repr(model.read(request))
    except ValueError:
        return "ValueError"
    except Exception as error:
        return repr(error)


@pytest.mark.parametrize(
    "text",
    [
        dumps(ORDER).decode(),
        json.dumps(ORDER, indent=2),
        json.dumps(ORDER | {"note": "a:b", "isPaid": True}),
        json.dumps(ORDER | {"note": "-"}),
        json.dumps(ORDER | {"orderId": 1.0}),
        json.dumps(ORDER | {"orderId": 2**70}),
        json.dumps(ORDER | {"weight": 0}),
        json.dumps(ORDER | {"key": "00000000-0000-0000-0000-000000000001", "unknown": {"a": 1}}),
        json.dumps(ORDER)[:-1] + ',"orderId":2}',
        json.dumps(ORDER)[:-1] + ',"order\\u0049d":2}',
        json.dumps(ORDER).replace('"number": 7', '"number": 7, "number": 8'),
        json.dumps(ORDER).replace('"note"', '"orderId" '),
        json.dumps(ORDER).replace("Main", "\\ud800"),
        json.dumps(ORDER).replace("7", "7e999"),
        '{"x":' * 200 + "1" + "}" * 200,
        "",
        "null",
        "[]",
    ],
)
def test_a_struct_is_read_in_one_step_as_in_two(text):
    model = Model(Order)

    assert read(model, text.encode()) == read_in_two_steps(model, text.encode())


@given(
    st.dictionaries(
        st.sampled_from([*ORDER, "note", "isPaid", "x"]), st.one_of(scalars, st.just(ORDER["place"]))
    ),
    layouts,
)
def test_a_struct_of_anything_is_read_in_one_step_as_in_two(changes, layout):
    model, raw = Model(Order), json.dumps(ORDER | changes, **layout).encode("utf-8", "surrogatepass")

    assert read(model, raw) == read_in_two_steps(model, raw)
