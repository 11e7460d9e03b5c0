"""Types become validators: what JSON fits, what it becomes, and where the faults are.

Every case goes both ways, the quick and the thorough; they must agree.
"""

import dataclasses
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import pytest

from penstock.app.application import App
from penstock.app.schema.annotations import Unsupported
from penstock.app.schema.markers import Field
from penstock.app.schema.partial import Partial
from penstock.app.schema.report import INVALID, MAX_FAULTS, Report
from penstock.app.schema.validator import compile_validator
from penstock.errors import ApplicationError, ValidationError

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass
class Item:
    name: str
    price: Annotated[float, Field(ge=0)]
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    items: list[Item]
    by_name: dict[str, Item] = field(default_factory=dict)
    first: Item | None = None


@dataclass
class Tree:
    value: int
    children: list["Tree"] = field(default_factory=list)


@dataclass(kw_only=True, frozen=True, slots=True)
class Strict:
    __unknown_fields__ = "forbid"

    a: int
    b: int = 2


@dataclass
class Keeping:
    __unknown_fields__ = "keep"

    a: int
    unknown_fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Account:
    name: str
    password: InitVar[str]
    shared: typing.ClassVar[int] = 5
    hashed: str = field(init=False, default="")

    def __post_init__(self, password):
        if len(password) < 3:
            raise ValueError("the password is too short")
        self.hashed = password[::-1]


class Point(NamedTuple):
    x: int
    y: int
    label: str = "-"


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Loose(TypedDict, total=False):
    id: Required[int]
    note: Annotated[str, Field(max_length=5)]


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: int | None = None


@dataclass
class Users(Page[T]):
    first: T | None = None


@dataclass
class Cat:
    lives: int
    kind: Literal["cat"] = "cat"


@dataclass
class Dog:
    kind: Literal["dog", "puppy"]
    friend: "Cat | Dog | None" = None


@dataclass
class Empty:
    pass


@dataclass
class Renamed:
    unit_price: Annotated[float, Field(alias="unitPrice")]


UserId = NewType("UserId", int)
Email = Annotated[str, Field(pattern=r"^[^@]+@[^@]+$", max_length=20)]

GOOD = [
    (str, "x", "x"),
    (int, 10**50, 10**50),
    (float, 1, 1.0),
    (float, 1.5, 1.5),
    (bool, True, True),
    (None, None, None),
    (Any, {"a": [1]}, {"a": [1]}),
    (object, None, None),
    (UserId, 7, 7),
    (UUID, str(UUID(int=5)), UUID(int=5)),
    (datetime, "2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
    (date, "2024-05-01", date(2024, 5, 1)),
    (time, "10:00", time(10)),
    (timedelta, "PT1H30M", timedelta(hours=1.5)),
    (timedelta, "-P1DT0.5S", -timedelta(days=1, seconds=0.5)),
    (timedelta, "P2W", timedelta(weeks=2)),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 19.99, Decimal("19.99")),
    (Decimal, 7, Decimal(7)),
    (bytes, "aGk=", b"hi"),
    (bytes, "", b""),
    (Colour, "red", Colour.RED),
    (Size, 2, Size.LARGE),
    (Literal["a", 1, True, None], None, None),  # noqa: PYI061
    (Literal["a", 1], 1, 1),
    (Literal[Colour.RED], "red", Colour.RED),
    (int | None, None, None),
    (int | None, 3, 3),
    (float | int, 3, 3),
    (str | UUID, str(UUID(int=5)), UUID(int=5)),
    (str | UUID, "x", "x"),
    (Colour | str, "red", Colour.RED),
    (date | datetime | str, "2024-05-01T10:00:00", datetime(2024, 5, 1, 10)),  # noqa: DTZ001
    (Any | int, 3, 3),
    (list, [1, "x"], [1, "x"]),
    (list[int], [1, 2], [1, 2]),
    (list[UUID], [str(UUID(int=5))], [UUID(int=5)]),
    (list[int | None], [1, None], [1, None]),
    (list[list[float]], [[1], []], [[1.0], []]),
    (Sequence[int], [1], [1]),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "x"], (1, "x")),
    (tuple[()], [], ()),
    (tuple, [1, "x"], (1, "x")),
    (set[int], [1, 1, 2], {1, 2}),
    (frozenset[date], ["2024-05-01"], frozenset({date(2024, 5, 1)})),
    (set, [1, "a"], {1, "a"}),
    (dict, {"a": 1}, {"a": 1}),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Mapping[str, UUID], {"a": str(UUID(int=5))}, {"a": UUID(int=5)}),
    (dict[int, str], {"7": "x"}, {7: "x"}),
    (dict[Colour, list[int]], {"red": [1]}, {Colour.RED: [1]}),
    (Item, {"name": "x", "price": 1, "more": 0}, Item("x", 1.0, [])),
    (
        Order,
        {"items": [{"name": "x", "price": 1}], "by_name": {"y": {"name": "y", "price": 0, "tags": ["a"]}}},
        Order([Item("x", 1.0)], {"y": Item("y", 0.0, ["a"])}),
    ),
    (Tree, {"value": 1, "children": [{"value": 2}]}, Tree(1, [Tree(2)])),
    (Strict, {"a": 1}, Strict(a=1)),
    (Keeping, {"a": 1, "z": 2, "unknown_fields": 3}, Keeping(1, {"z": 2, "unknown_fields": 3})),
    (Point, [1, 2], Point(1, 2)),
    (Point, [1, 2, "x"], Point(1, 2, "x")),
    (Partial[Empty], {"x": 1}, Partial({})),
    (Partial[Movie], {"year": 1}, Partial({"year": 1})),
    (Movie, {"title": "x", "more": 1}, {"title": "x"}),
    (Movie, {"title": "x", "year": 2}, {"title": "x", "year": 2}),
    (Loose, {"id": 1}, {"id": 1}),
    (Page[int], {"items": [1]}, Page([1])),
    (Page[Item], {"items": [{"name": "x", "price": 1}]}, Page([Item("x", 1.0)])),
    (Users[Colour], {"items": ["red"], "first": "blue"}, Users([Colour.RED], None, Colour.BLUE)),
    (Page, {"items": [1, "x"]}, Page([1, "x"])),
    (Cat | Dog, {"kind": "puppy", "friend": {"kind": "cat", "lives": 9}}, Dog("puppy", Cat(9))),
    (Item | Strict, {"a": 1}, Strict(a=1)),
    (Renamed, {"unitPrice": 2}, Renamed(2.0)),
    (Email, "a@b", "a@b"),
    (Annotated[int, Field(ge=1, le=3, multiple_of=2)], 2, 2),
    (Annotated[float, Field(multiple_of=0.1)], 0.3, 0.3),
    (Annotated[Decimal, Field(gt=Decimal("0.1"))], "0.2", Decimal("0.2")),
    (Annotated[int | None, Field(ge=1)], None, None),
    (Annotated[list[int], Field(min_length=1)], [1], [1]),
    (Annotated[date, Field(ge=date(2024, 1, 1))], "2024-01-01", date(2024, 1, 1)),
]


def both_ways(annotation, value):
    """Return what a value becomes, INVALID when it does not fit; the two ways must agree."""
    validator = compile_validator(annotation)
    report = Report()
    walked = validator.node.walk(value, ("body",), report)
    try:
        made = validator.convert(value)
    except ValueError:
        made = INVALID
    assert made == walked
    assert type(made) is type(walked)
    assert (made is INVALID) == bool(report.faults)
    return made


def faults(annotation, value, **options):
    both_ways(annotation, value)
    found = compile_validator(annotation, **options).faults(value)
    return [(*fault["loc"][1:], fault["type"]) for fault in found]


@pytest.mark.parametrize(("annotation", "value", "made"), GOOD, ids=lambda one: repr(one)[:40])
def test_what_fits_becomes_the_type(annotation, value, made):
    result = both_ways(annotation, value)

    assert result == made
    assert type(result) is type(made)


BAD = [
    (str, 1, [("str",)]),
    (str, None, [("str",)]),
    (int, True, [("int",)]),
    (int, 1.0, [("int",)]),
    (int, "1", [("int",)]),
    (float, "1", [("float",)]),
    (float, True, [("float",)]),
    (float, 10**400, [("float",)]),
    (bool, 1, [("bool",)]),
    (bool, "true", [("bool",)]),
    (None, 0, [("null",)]),
    (UUID, "{00000000-0000-0000-0000-000000000005}", [("uuid",)]),
    (datetime, 1714557600, [("datetime",)]),
    (datetime, "2024-05-01", [("datetime",)]),
    (date, "2024-02-30", [("date",)]),
    (timedelta, "P1Y", [("timedelta",)]),
    (timedelta, "P", [("timedelta",)]),
    (timedelta, "PT", [("timedelta",)]),
    (timedelta, "P999999999D", []),
    (timedelta, "P999999999DT99999H", [("timedelta",)]),
    (timedelta, 3600, [("timedelta",)]),
    (Decimal, "NaN", [("decimal",)]),
    (Decimal, "1e9999", [("decimal",)]),
    (Decimal, float("inf"), [("decimal",)]),
    (Decimal, True, [("decimal",)]),
    (bytes, "aGk", [("bytes",)]),
    (bytes, "aG k=", [("bytes",)]),
    (bytes, "\u00e9", [("bytes",)]),
    (Colour, "green", [("enum",)]),
    (Colour, ["red"], [("enum",)]),
    (Size, True, [("enum",)]),
    (Literal["a", 1], True, [("literal",)]),
    (Literal["a"], {"a": 1}, [("literal",)]),
    (int | None, "x", [("int",)]),
    (int | str, 1.5, [("union",)]),
    (date | int, "x", [("union",)]),
    (list[int], {}, [("list",)]),
    (list[int], [1, "x", None], [(1, "int"), (2, "int")]),
    (list[int] | None, [1, "x"], [(1, "int")]),
    (list[int] | list[str], [1, "x"], [("union",)]),
    (list[int | str], [1, "x", 1.5], [(2, "union")]),
    (list[Literal["a", 1]], ["a", None], [(1, "literal")]),
    (dict[str, Literal["a", 1]], {"x": 2}, [("x", "literal")]),
    (dict[str, int | str | None], {"x": 1.5}, [("x", "union")]),
    (list[list[int | str]], [[], [[]]], [(1, 0, "union")]),
    (tuple[int, str], [1], [("tuple",)]),
    (tuple[int, str], ["x", 1], [(0, "int"), (1, "str")]),
    (set[Any], [[]], [("set",)]),
    (set[int], ["x"], [(0, "int")]),
    (dict[str, int], {"a": "x", "b": None}, [("a", "int"), ("b", "int")]),
    (dict[int, int], {"x": 1}, [("x", "int")]),
    (dict[int, int], {"1": 1, "01": 2}, [("01", "key")]),
    (dict[str, int], [], [("dict",)]),
    (Item, [], [("dict",)]),
    (Item, {"price": -1, "tags": [1]}, [("name", "missing"), ("price", "ge"), ("tags", 0, "str")]),
    (
        Order,
        {"items": [{}, {"name": 1, "price": 1}], "first": {"name": "x"}},
        [
            ("items", 0, "name", "missing"),
            ("items", 0, "price", "missing"),
            ("items", 1, "name", "str"),
            ("first", "price", "missing"),
        ],
    ),
    (
        Tree,
        {"value": 1, "children": [{"value": 1, "children": [{}]}]},
        [("children", 0, "children", 0, "value", "missing")],
    ),
    (Strict, {"a": 1, "c": 1}, [("c", "unknown")]),
    (Keeping, {"z": 1}, [("a", "missing")]),
    (Account, {"name": "x", "password": "x"}, [("value",)]),
    (Point, [1], [("tuple",)]),
    (Point, {"x": 1, "y": 2}, [("tuple",)]),
    (Point, [1, "x", 2], [(1, "int"), (2, "str")]),
    (Movie, {"year": "x"}, [("title", "missing"), ("year", "int")]),
    (Loose, {"note": "123456"}, [("id", "missing"), ("note", "max_length")]),
    (Page[int], {"items": ["x"]}, [("items", 0, "int")]),
    (Cat | Dog, {"lives": 9}, [("kind", "missing")]),
    (Cat | Dog, {"kind": "cow"}, [("kind", "literal")]),
    (Cat | Dog, {"kind": ["cow"]}, [("kind", "literal")]),
    (Cat | Dog, {"kind": "cat"}, [("lives", "missing")]),
    (Cat | Dog, {"kind": "dog", "friend": {"kind": "cat"}}, [("friend", "lives", "missing")]),
    (Cat | Dog, 1, [("dict",)]),
    (Cat | Dog | int, "x", [("union",)]),
    (Item | Strict, {}, [("union",)]),
    (Renamed, {"unit_price": 2}, [("unitPrice", "missing")]),
    (Email, "a", [("pattern",)]),
    (Email, "a" * 30, [("max_length",)]),
    (Annotated[int, Field(gt=1, lt=3, multiple_of=2)], 5, [("lt",), ("multiple_of",)]),
    (Annotated[float, Field(multiple_of=0.1)], 0.35, [("multiple_of",)]),
    (Annotated[float, Field(ge=0)], float("nan"), [("ge",)]),
    (Annotated[int | str, Field(le=3)], 5, None),
    (Annotated[int | None, Field(ge=1)], 0, [("ge",)]),
    (Annotated[datetime, Field(ge=datetime(2024, 1, 1, tzinfo=UTC))], "2024-05-01T10:00:00", [("ge",)]),
    (Annotated[list[int], Field(max_length=1)], [1, 2], [("max_length",)]),
    (Annotated[set[int], Field(min_length=2)], [1, 1], [("min_length",)]),
    (Annotated[dict[str, int], Field(max_length=0)], {"a": 1}, [("max_length",)]),
    (list[Annotated[int, Field(ge=0)]], [1, -1], [(1, "ge")]),
]


@pytest.mark.parametrize(("annotation", "value", "found"), BAD, ids=lambda one: repr(one)[:40])
def test_what_does_not_fit_is_a_fault_where_it_is(annotation, value, found):
    if found is None:
        with pytest.raises(Unsupported, match="le= does not fit str"):
            compile_validator(annotation)
        return
    assert sorted(map(str, faults(annotation, value))) == sorted(map(str, found))


def test_init_vars_reach_post_init():
    made = compile_validator(Account).validate({"name": "x", "password": "abc"})

    assert (made.name, made.hashed) == ("x", "cba")


def test_what_post_init_says_is_told():
    with pytest.raises(ValidationError) as caught:
        compile_validator(list[Account]).validate([{"name": "x", "password": "x"}])

    assert caught.value.errors == [{"loc": ["body", 0], "msg": "the password is too short", "type": "value"}]


def test_an_init_of_ones_own_is_called():
    @dataclass(init=False)
    class Own:
        a: int
        b: int

        def __init__(self, *, b, a):
            self.a, self.b = a * 10, b

    made = compile_validator(Own).validate({"a": 1, "b": 2})

    assert (made.a, made.b) == (10, 2)


def test_a_default_factory_makes_a_new_value_each_time():
    validate = compile_validator(Item).validate

    one, two = (validate({"name": "x", "price": 1}) for _ in range(2))

    assert one.tags is not two.tags


def test_unknown_members_are_ignored_forbidden_or_kept_by_choice():
    value = {"title": "x", "more": 1}

    assert compile_validator(Movie).validate(value) == {"title": "x"}
    assert compile_validator(Movie, unknown="keep").validate(value) == value
    assert faults(Movie, value, unknown="forbid") == [("more", "unknown")]
    assert faults(list[Item], [{"name": "x", "price": 1, "z": 1}], unknown="forbid") == [(0, "z", "unknown")]


def test_faults_are_bounded_and_never_repeat_the_value():
    found = compile_validator(list[int]).faults(["secret"] * 1000)
    names = compile_validator(Strict).faults({"a": 1, "n" * 10_000: 1})

    assert len(found) == MAX_FAULTS
    assert found[-1]["loc"] == ["body", MAX_FAULTS - 1]
    assert "secret" not in str(found)
    assert len(str(names)) < 300


def test_faults_inside_unions_are_bounded():
    assert len(compile_validator(list[list[int] | None]).faults([["x"] * 70] * 5)) == MAX_FAULTS
    assert len(compile_validator(list[int] | None).faults(["x"] * 500)) == MAX_FAULTS


def test_nesting_without_end_is_a_fault():
    value: dict = {"value": 1}
    for _ in range(10_000):
        value = {"value": 1, "children": [value]}

    with pytest.raises(ValidationError, match="422"):
        compile_validator(Tree).validate(value)


@dataclass
class Left:
    a: int
    more: "Left | Right | None" = None


@dataclass
class Right:
    b: int
    more: "Left | Right | None" = None


@dataclass
class Bad:
    thing: "Nowhere"  # noqa: F821


@dataclass
class Twice:
    a: Annotated[int, Field(alias="x")]
    b: Annotated[int, Field(alias="x")]


@dataclass
class Homeless:
    __unknown_fields__ = "keep"

    a: int


@dataclass
class Misspelt:
    __unknown_fields__ = "refuse"

    a: int


class Shape:
    pass


@dataclass
class Outer:
    shapes: list[Shape]


@pytest.mark.parametrize(
    ("annotation", "part"),
    [
        (Shape, "Shape is no type JSON can be converted to"),
        (Outer, "field 'shapes' of Outer: Shape is no type"),
        (Left, "a union of Left and Right contains itself"),
        (Bad, "the annotations of Bad cannot be resolved"),
        (Twice, "the same alias"),
        (Homeless, "has no field `unknown_fields"),
        (Misspelt, "expected 'ignore', 'forbid' or 'keep'"),
        (Literal[b"x"], "neither text nor an integer nor a bool"),
        (dict[list[int], int], "no type of names"),
        (Annotated[str, Field(ge=1)], "ge= does not fit str"),
        (Annotated[int, Field(ge="x")], "cannot be compared with int"),
        (Annotated[int, Field(ge=date(2024, 1, 1))], "cannot be compared with int"),
        (Annotated[int, Field(multiple_of=0)], "no number above 0"),
        (Annotated[str, Field(pattern="(")], "no regular expression"),
        (Annotated[str, Field(min_length=-1)], "is no length"),
        (Annotated[Item, Field(min_length=1)], "min_length= does not fit Item"),
        (Annotated[Any, Field(ge=1)], "ge= does not fit any"),
        (Partial[Account], "Account has an InitVar"),
        (set[list[int]], "list[int] cannot be in a set"),
        (frozenset[Item], "Item cannot be in a set"),
        (Partial[int], "Partial is of a dataclass or TypedDict"),
    ],
    ids=lambda one: repr(one)[:50],
)
def test_a_type_that_cannot_be_read_is_refused_with_the_reason(annotation, part):
    with pytest.raises(Unsupported) as caught:
        compile_validator(annotation)

    assert part in str(caught.value)


def test_constraints_of_other_packages_are_understood():
    annotated_types = pytest.importorskip("annotated_types")

    assert faults(Annotated[int, annotated_types.Ge(3)], 1) == [("ge",)]
    assert faults(Annotated[list[int], annotated_types.Len(1, 2)], []) == [("min_length",)]
    assert faults(Annotated[int, "only words"], 1) == []


def test_the_source_is_shown_in_tracebacks():
    import linecache

    compile_validator(Strict).validate({"a": 1})

    assert any("convert_" in line for line in linecache.getlines("<validator Strict>"))


def test_dataclasses_of_three_fields_are_made_by_place():
    node = compile_validator(Item).node

    assert node.in_order
    assert not compile_validator(Strict).node.in_order
    assert dataclasses.is_dataclass(node.make)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with 3.12")
def test_a_type_statement_may_name_a_type_that_contains_itself():
    scope: dict[str, Any] = {"Field": Field, "Annotated": Annotated}
    exec(
        "type Json = dict[str, Json] | list[Json] | str | Annotated[int, Field(ge=0)] | None\n"
        "type Nested = list[Nested]\n"
        "type Endless = Endless | int\n"
        "type Name = str\n"
        "type Holes = list[Holes | None]\n",
        scope,
    )
    nested, name = scope["Nested"], scope["Name"]

    assert both_ways(scope["Json"], {"a": [1, {"b": None}], "c": "x"}) == {"a": [1, {"b": None}], "c": "x"}
    assert faults(scope["Json"], {"a": [1, {"b": 1.5}], "c": -1}) == [("a", 1, "b", "union"), ("c", "ge")]
    assert faults(list[nested], [[[], [1]]]) == [(0, 1, 0, "list")]
    assert both_ways(dict[str, name | None], {"a": "x", "b": None}) == {"a": "x", "b": None}
    assert faults(scope["Holes"], [None, [None, []], [1]]) == [(2, 0, "list")]
    with pytest.raises(Unsupported, match="contains itself"):
        compile_validator(scope["Endless"])

    app = App()

    def handler(x): ...

    handler.__annotations__["x"] = nested
    app.get("/")(handler)
    with pytest.raises(ApplicationError, match="text does not nest"):
        app.compile()


@dataclass
class DefaultMarker:
    title: str = Field(min_length=3)


@dataclass
class UncalledMarker:
    title: Annotated[str, Field]


class DefaultPlace(NamedTuple):
    title: str = Field(min_length=3)


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (DefaultMarker, r"field 'title' of DefaultMarker: Field\(...\) is no default; write Annotated"),
        (DefaultPlace, r"field 'title' of DefaultPlace: Field\(...\) is no default; write Annotated"),
        (UncalledMarker, r"field 'title' of UncalledMarker: Field marks it when it is called: Field\(\)"),
    ],
)
def test_a_marker_whose_constraints_would_be_passed_over_is_refused(kind, part):
    with pytest.raises(Unsupported, match=part):
        compile_validator(kind)
