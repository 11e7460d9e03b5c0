"""Validators against the simplest reading of a type: what one takes the other takes; every fault is somewhere;
msgspec agrees where both know a type.
"""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict, Union
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import App
from penstock.app.schema.markers import Field, Header, Path, Query
from penstock.app.schema.report import INVALID, MAX_FAULTS, Enough, Report
from penstock.app.schema.validator import compile_validator
from tests.app.driver import send

NAMES = ["a", "b", "c"]
TEXTS = st.sampled_from(["", "a", "b", "abc", "2024-02-29", "2023-02-29", str(UUID(int=7)), "7"]) | st.text(
    max_size=3
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([0.5, -1.0, 2.0, 1e300, 10**400])
    | TEXTS
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*NAMES, "7", "z"]), inner, max_size=4)
    ),
    max_leaves=12,
)

SCALARS = [str, int, float, bool, None, Any, UUID, date, Literal["a", 1, True], Literal["b", None]]  # noqa: PYI061
RULES = [
    (int, Field(ge=0)),
    (int, Field(gt=-1, lt=10)),
    (int, Field(multiple_of=3)),
    (float, Field(le=1)),
    (str, Field(min_length=1, max_length=2)),
    (str, Field(pattern="^a")),
]


def dataclass_of(fields: list[tuple[str, Any, bool]]) -> type:
    """A dataclass; those of its fields with True have a default."""
    ordered = sorted(fields, key=lambda one: one[2])
    return dataclasses.make_dataclass(
        "Made",
        [
            (name, kind, dataclasses.field(default=None)) if has else (name, kind)
            for name, kind, has in ordered
        ],
    )


def typed_dict_of(fields: list[tuple[str, Any, bool]]) -> Any:
    return TypedDict(  # type: ignore[operator]
        "Mapped", {name: typing.NotRequired[kind] if has else kind for name, kind, has in fields}
    )


def fields_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[str, Any, bool]]]:
    return st.lists(
        st.tuples(st.sampled_from(NAMES), inner, st.booleans()), max_size=3, unique_by=lambda one: one[0]
    )


TYPES = st.recursive(
    st.sampled_from(SCALARS) | st.sampled_from([Annotated[kind, rule] for kind, rule in RULES]),
    lambda inner: (
        st.builds(lambda one: list[one], inner)
        | st.builds(lambda one: Annotated[list[one], Field(max_length=2)], inner)
        | st.builds(lambda one: tuple[one, ...], inner)
        | st.builds(lambda one, two: tuple[one, two], inner, inner)
        | st.builds(lambda one: dict[str, one], inner)
        | st.builds(lambda one: dict[int, one], inner)
        | st.builds(lambda one, two: Union[one, two], inner, inner)  # noqa: UP007
        | st.builds(lambda one: Union[one, None], inner)  # noqa: UP007
        | st.builds(dataclass_of, fields_of(inner))
        | st.builds(typed_dict_of, fields_of(inner))
    ),
    max_leaves=6,
)


def accepts(kind: Any, value: Any) -> bool:
    """The reference: a type read anew for each value, nothing compiled, nothing clever."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        rule = arguments[1]
        return accepts(arguments[0], value) and obeys(rule, value)
    if kind is Any:
        return True
    if kind in (str, int, bool):
        return type(value) is kind
    if kind in (None, types.NoneType):
        return value is None
    if kind is float:
        return type(value) is float or (type(value) is int and abs(value) < 10**308)
    if kind is UUID:
        return value == str(UUID(int=7))
    if kind is date:
        return value == "2024-02-29"
    if origin is Literal:
        return any(type(one) is type(value) and one == value for one in arguments)
    if origin is Union:
        return any(accepts(one, value) for one in arguments)
    if origin is list:
        return type(value) is list and all(accepts(arguments[0], one) for one in value)
    if origin is tuple:
        if type(value) is not list:
            return False
        wanted = [arguments[0]] * len(value) if arguments[1:] == (...,) else arguments
        return len(wanted) == len(value) and all(map(accepts, wanted, value))
    if origin is dict:
        is_number = arguments[0] is int
        return type(value) is dict and all(
            (not is_number or key == "7") and accepts(arguments[1], one) for key, one in value.items()
        )
    return type(value) is dict and all(
        accepts(inner, value[name]) if name in value else has_default
        for name, inner, has_default in members(kind)
    )


def obeys(rule: Field, value: Any) -> bool:
    return (
        (rule.ge is None or value >= rule.ge)
        and (rule.gt is None or value > rule.gt)
        and (rule.le is None or value <= rule.le)
        and (rule.lt is None or value < rule.lt)
        and (rule.multiple_of is None or value % rule.multiple_of == 0)
        and (rule.min_length is None or len(value) >= rule.min_length)
        and (rule.max_length is None or len(value) <= rule.max_length)
        and (rule.pattern is None or value.startswith(rule.pattern[1:]))
    )


def members(kind: Any) -> list[tuple[str, Any, bool]]:
    if dataclasses.is_dataclass(kind):
        return [
            (one.name, one.type, one.default is not dataclasses.MISSING) for one in dataclasses.fields(kind)
        ]
    return [
        (
            name,
            typing.get_args(inner)[0] if name in kind.__optional_keys__ else inner,
            name in kind.__optional_keys__,
        )
        for name, inner in kind.__annotations__.items()
    ]


@st.composite
def near(draw: st.DrawFn, kind: Any) -> Any:
    """A value that fits a type, or nearly does."""
    if draw(st.integers(0, 6)) == 0:
        return draw(JSON)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return draw(near(arguments[0]))
    if origin is Union:
        return draw(near(draw(st.sampled_from(arguments))))
    if origin is Literal:
        return draw(st.sampled_from(arguments))
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        return draw(st.lists(near(arguments[0]), max_size=3))
    if origin is tuple:
        return [draw(near(one)) for one in arguments]
    if origin is dict:
        key = "7" if arguments[0] is int else "a"
        return {key: draw(near(arguments[1]))} if draw(st.booleans()) else {}
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        return {name: draw(near(inner)) for name, inner, _ in members(kind) if draw(st.integers(0, 7))}
    simple = {
        str: TEXTS,
        int: st.integers(-3, 12),
        float: st.sampled_from([0.5, -1.0, 2]),
        bool: st.booleans(),
        UUID: st.just(str(UUID(int=7))),
        date: st.just("2024-02-29"),
    }
    return draw(simple.get(kind, JSON) if kind is not None else st.none())


def has_place(value: Any, loc: list[Any]) -> bool:
    """Whether a fault's location leads somewhere in a value; its last step may be what is missing."""
    for number, step in enumerate(loc, 1):
        try:
            value = value[step]
        except KeyError:
            return number == len(loc)
        except (IndexError, TypeError):
            return False
    return True


@given(st.data(), TYPES)
def test_the_validator_takes_what_the_type_says_and_nothing_else(data, kind):
    value = data.draw(near(kind))
    before = json.dumps(value)

    validator = compile_validator(kind)
    try:
        made = validator.convert(value)
    except ValueError:
        made = INVALID
    faults = validator.faults(value)

    assert (made is not INVALID) == accepts(kind, value)
    assert (made is INVALID) == bool(faults)
    assert len(faults) <= MAX_FAULTS
    assert [fault for fault in faults if not has_place(value, fault["loc"][1:])] == []
    assert json.dumps(value) == before


@given(st.data(), TYPES)
def test_the_quick_way_and_the_thorough_one_make_the_same(data, kind):
    value = data.draw(near(kind))
    validator, report = compile_validator(kind), Report()

    try:
        walked = validator.node.walk(value, (), report)
    except Enough:
        walked = INVALID

    if walked is not INVALID:
        made = validator.convert(value)
        assert is_same(made, walked)


MSGSPEC_TYPES = st.recursive(
    st.sampled_from([str, int, bool, None, date, Literal["a", "b"], Any]),
    lambda inner: (
        st.builds(lambda one: list[one], inner)
        | st.builds(lambda one: tuple[one, ...], inner)
        | st.builds(lambda one, two: tuple[one, two], inner, inner)
        | st.builds(lambda one: dict[str, one], inner)
        | st.builds(lambda one: Union[one, None], inner)  # noqa: UP007
        | st.builds(dataclass_of, fields_of(inner))
        | st.builds(typed_dict_of, fields_of(inner))
    ),
    max_leaves=6,
)


@given(st.data(), MSGSPEC_TYPES)
def test_msgspec_says_the_same(data, kind):
    if os.environ.get("CI") != "true":
        pytest.importorskip("msgspec")
    import msgspec

    value = data.draw(near(kind).filter(lambda value: not any(map(_differs, _leaves(value)))))
    try:
        theirs = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        theirs = INVALID
    try:
        ours = compile_validator(kind).convert(value)
    except ValueError:
        ours = INVALID

    assert is_same(ours, theirs)


def is_same(one: Any, two: Any) -> bool:
    """Equal, and of equal types all the way down; the order in a dict does not matter."""
    return one == two and sorted(repr(one)) == sorted(repr(two))


def _differs(leaf: Any) -> bool:
    """2.0 is an integer to msgspec; integers it takes have 64 bits."""
    return (isinstance(leaf, float) and leaf.is_integer()) or (isinstance(leaf, int) and abs(leaf) > 2**63)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list) else [value]


@dataclasses.dataclass
class Reading:
    """Something of everything."""

    at: datetime
    took: timedelta | None
    price: Annotated[Decimal, Field(gt=0, multiple_of=Decimal("0.01"))]
    raw: bytes
    by: dict[date, set[Literal["a", 1]]]
    more: list[Reading | int] = dataclasses.field(default_factory=list)


GOOD = {
    "at": "2024-02-29T10:00Z",
    "took": "PT1.5S",
    "price": 1.25,
    "raw": "aGk=",
    "by": {"2024-02-29": ["a", 1]},
}
STRANGE = JSON | st.sampled_from(
    [
        "P1",
        "PT",
        "-P1D",
        "P999999999D",
        "1e999",
        "9" * 70,
        "aGk",
        "\u00e9",
        "\0",
        "2024-02-29T24:00Z",
        "0001-01-01T00:00+23:59",
    ]
)


def make_app() -> App:
    app = App()

    @app.post("/{number}")
    def echo(
        number: Annotated[Decimal, Path(le=10)],
        reading: Reading,
        q: Annotated[timedelta | None, Query(ge=timedelta(0))] = None,
        x: Annotated[list[float], Header(max_length=2)] = [],  # noqa: B006
    ) -> dict:
        return {"number": number, "at": reading.at, "took": reading.took, "q": q, "x": x}

    return app


APP = make_app()


@given(st.data())
def test_no_body_breaks_the_application(data):
    body = dict(GOOD)
    for name in data.draw(st.lists(st.sampled_from([*GOOD, "more", "z"]), max_size=2)):
        body[name] = data.draw(STRANGE)
    if data.draw(st.booleans()):
        body = {**GOOD, "more": [body, 1]}
    octets = json.dumps(body).encode()
    if data.draw(st.integers(0, 4)) == 0:
        cut = data.draw(st.integers(0, len(octets)))
        octets = octets[:cut] + data.draw(st.binary(max_size=3)) + octets[cut + 1 :]
    number = data.draw(st.sampled_from(["7", "-7.5", "11", "x", "1e99", "%00", "1e9999"]))
    query = data.draw(st.sampled_from(["", "?q=PT5S", "?q=-PT5S", "?q=%ff", "?q=P9999999999D"]))
    fields = [("x", one) for one in data.draw(st.lists(st.sampled_from(["1", "x", "1e400"]), max_size=3))]

    response = send(APP, "POST", f"/{number}{query}", octets, (("content-type", "application/json"), *fields))

    assert response.status in (200, 400, 422)
    if response.status == 422:
        assert json.loads(response.body)["errors"]
