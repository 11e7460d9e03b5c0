"""A schema says what the validator does: for types made at random, a value is accepted by both or by neither.

What JSON Schema cannot say, and docs/openapi.md lists, is left out of the types: bounds of dates and of Decimals
in texts, lengths of sets and octets, `multiple_of` fractions. Numbers are never integral floats: to JSON Schema
1.0 is an integer.
"""

import dataclasses
import enum
import re
import typing
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import FormatError
from openapi_spec_validator import validate

from penstock import App, Body, Field, Partial
from penstock.app.openapi.components import Components, resolved
from penstock.app.openapi.schemas import Schemas
from penstock.app.schema.annotations import Unsupported
from penstock.app.schema.validator import compile_validator


class Color(enum.Enum):
    RED = "red"
    GREEN = 2


class Shape(NamedTuple):
    """A type, and values of JSON that fit it or nearly do."""

    annotation: Any
    values: st.SearchStrategy


TEXTS = st.text(alphabet="abcxyz019 -é", max_size=6)
NUMBERS = st.integers(-20, 20) | st.floats(-20, 20).filter(lambda x: not x.is_integer())
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=4,
)
DATES = st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(str)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda one: f"{one.isoformat()}Z")  # noqa: DTZ001


@st.composite
def leaves(draw) -> Shape:
    kind = draw(st.integers(0, 12))
    low, high = draw(st.integers(-5, 5)), draw(st.integers(0, 10))
    size = draw(st.integers(0, 3))
    return [
        lambda: Shape(str, TEXTS),
        lambda: Shape(int, st.integers(-20, 20)),
        lambda: Shape(float, NUMBERS),
        lambda: Shape(bool, st.booleans()),
        lambda: Shape(None, st.none()),
        lambda: Shape(Any, ANYTHING),
        lambda: Shape(UUID, st.uuids().map(str)),
        lambda: Shape(date, DATES),
        lambda: Shape(datetime, MOMENTS),
        lambda: Shape(
            Decimal, NUMBERS | st.sampled_from(["1.50", "-3", ".5", "1e9", "x", "1e9999", "--1", ""])
        ),
        lambda: Shape(Color, st.sampled_from(["red", 2, "GREEN"])),
        lambda: Shape(Literal["a", 1, True], st.sampled_from(["a", 1, True, None, False, 0, "b"])),
        lambda: draw(
            st.sampled_from(
                [
                    Shape(Annotated[int, Field(ge=low, lt=high)], st.integers(-8, 12)),
                    Shape(Annotated[float, Field(gt=low, le=high)], NUMBERS),
                    Shape(Annotated[int, Field(multiple_of=high + 1)], st.integers(-20, 20)),
                    Shape(Annotated[str, Field(min_length=size, max_length=size + 1)], TEXTS),
                    Shape(Annotated[str, Field(pattern="^[a-c]+$")], TEXTS),
                    Shape(Annotated[str, Field(pattern=r"(?P<one>x)(?P=one)|\A1(?#first)")], TEXTS),
                    Shape(
                        Annotated[list[int], Field(min_length=size)], st.lists(st.integers(0, 5), max_size=4)
                    ),
                    Shape(
                        Annotated[dict[str, int], Field(max_length=size)],
                        st.dictionaries(TEXTS, st.integers(0, 5), max_size=4),
                    ),
                ]
            )
        ),
    ][kind]()


def subsets(pairs: dict[str, st.SearchStrategy], required: set[str]) -> st.SearchStrategy:
    """Objects of some of the members, mostly of the required ones, sometimes with one too many."""

    @st.composite
    def make(draw):
        found = {}
        for key, values in pairs.items():
            if draw(st.integers(0, 9)) < (9 if key in required else 5):
                found[key] = draw(values)
        if draw(st.integers(0, 4)) == 0:
            found["other"] = draw(ANYTHING)
        return found

    return make()


@st.composite
def objects(draw, inner) -> Shape:
    """A dataclass, a TypedDict, a NamedTuple, or a part of a dataclass."""
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True))
    shapes = {name: draw(inner) for name in names}
    optional = {name for name in names if draw(st.booleans())}
    unknown = draw(st.sampled_from([{}, {"__unknown_fields__": "forbid"}]))
    values = subsets({name: one.values for name, one in shapes.items()}, set(names) - optional)
    kind = draw(st.integers(0, 3))
    title = draw(st.sampled_from(["Thing", "Item"]))
    if kind == 0:
        members = {
            name: NotRequired[one.annotation] if name in optional else one.annotation
            for name, one in shapes.items()
        }
        return Shape(TypedDict(title, members), values)
    fields = [
        (name, one.annotation, dataclasses.field(default=None, kw_only=True))
        if name in optional
        else (name, one.annotation)
        for name, one in shapes.items()
    ]
    made = dataclasses.make_dataclass(title, sorted(fields, key=len), namespace=unknown)
    if kind == 1:
        return Shape(Partial[made], subsets({name: one.values for name, one in shapes.items()}, set()))
    if kind == 2:
        count = len(names)
        pair = NamedTuple(title, [(name, one.annotation) for name, one in shapes.items()])
        lists = st.tuples(*(one.values for one in shapes.values())).map(list)
        return Shape(pair, lists | lists.map(lambda one: one[: count - 1]))
    return Shape(made, values)


@st.composite
def tagged(draw, inner) -> Shape:
    """A union of objects told apart by a member."""
    members, values = [], []
    for tag in ("x", "y"):
        one = draw(inner)
        kind = dataclasses.make_dataclass("Tag" + tag, [("kind", Literal[tag]), ("value", one.annotation)])
        members.append(kind)
        kinds = st.sampled_from([tag, tag, tag, "z"])
        values.append(subsets({"kind": kinds, "value": one.values}, {"kind", "value"}))
    return Shape(typing.Union[tuple(members)], st.one_of(values))  # noqa: UP007


@st.composite
def containers(draw, inner) -> Shape:
    """Lists, tuples, dicts, unions."""
    one, other = draw(inner), draw(inner)
    few = st.lists(one.values, max_size=3)
    numbers = st.sampled_from(["1", "-2", "x", "+1"])
    pair = st.tuples(one.values, other.values).map(list) | st.lists(ANYTHING, max_size=3)
    return draw(
        st.sampled_from(
            [
                Shape(list[one.annotation], few),
                Shape(tuple[one.annotation, ...], few),
                Shape(dict[str, one.annotation], st.dictionaries(st.sampled_from("abc"), one.values)),
                Shape(dict[int, one.annotation], st.dictionaries(numbers, one.values)),
                Shape(tuple[one.annotation, other.annotation], pair),
                Shape(typing.Union[one.annotation, other.annotation], one.values | other.values),  # noqa: UP007
                Shape(typing.Optional[one.annotation], one.values | st.none()),  # noqa: UP045
            ]
        )
    )


def shapes(depth: int) -> st.SearchStrategy[Shape]:
    if depth == 0:
        return leaves()
    inner = shapes(depth - 1)
    return leaves() | containers(inner) | objects(inner) | tagged(inner)


SHAPES = shapes(3)

_FORMATS = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "date-time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z"),
}


class Formats:
    """Takes the formats for rules, as far as the values here need it."""

    def conforms(self, value, name):
        return (
            not isinstance(value, str) or name not in _FORMATS or _FORMATS[name].fullmatch(value) is not None
        )

    def check(self, value, name):
        if not self.conforms(value, name):
            raise FormatError(f"{value!r} is no {name}")


def schema_of(validator) -> dict[str, Any]:
    components = Components()
    schema = Schemas(components).of(validator.node)
    named, names = components.named()
    whole = resolved({**schema, "components": {"schemas": named}}, names)
    Draft202012Validator.check_schema(whole)
    return whole


SETTINGS = settings(
    max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


@SETTINGS
@given(st.data())
def test_a_value_is_accepted_by_both_or_by_neither(data):
    shape = data.draw(SHAPES)
    try:
        validator = compile_validator(shape.annotation)
    except Unsupported:
        assume(False)
    schema = Draft202012Validator(schema_of(validator), format_checker=Formats())
    for value in data.draw(st.lists(shape.values | ANYTHING, min_size=1, max_size=6)):
        accepts = not validator.faults(value)

        assert schema.is_valid(value) == accepts, (value, schema.schema)


@settings(SETTINGS, max_examples=15)
@given(st.lists(SHAPES, min_size=1, max_size=4))
def test_an_application_of_any_models_has_a_valid_document(shapes):
    app = App()

    for index, shape in enumerate(shapes):

        def handler(body, query): ...

        handler.__annotations__ = {
            "body": Annotated[shape.annotation, Body()],
            "query": str,
            "return": shape.annotation,
        }
        app.post(f"/{index}")(handler)
    try:
        document = app.openapi()
    except Exception as error:
        assume("no type" not in str(error) and "contains itself" not in str(error))
        raise

    validate(document)
