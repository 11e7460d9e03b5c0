"""Models of msgspec and pydantic are made by their own packages, with faults in our shape."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Generic, Literal, TypeVar

import pytest

from penstock import App
from penstock.app.schema.validator import compile_validator
from penstock.errors import ValidationError
from tests.app.driver import content, faults, send

if os.environ.get("CI") != "true":  # where they are installed, or the tests are to fail
    pytest.importorskip("msgspec")
    pytest.importorskip("pydantic")
import msgspec
import pydantic

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Line(msgspec.Struct):
    article: str
    amount: Annotated[int, msgspec.Meta(ge=1)] = 1


class Row(msgspec.Struct, array_like=True):
    x: int
    y: int


class Order(msgspec.Struct, forbid_unknown_fields=True):
    lines: list[Line]
    due: date | None = None


class Box(msgspec.Struct, Generic[T]):
    content: T


class User(pydantic.BaseModel):
    name: str = pydantic.Field(min_length=2)
    born: date
    friends: "list[User]" = pydantic.Field(default_factory=list)


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    day: date


@pydantic.dataclasses.dataclass
class Modern:
    a: int


@dataclass
class Both:
    order: Order
    user: User | None = None


def serve(annotation):
    app = App()

    def handler(body):
        return {"type": type(body).__name__, "is": repr(body)}

    handler.__annotations__["body"] = annotation
    app.post("/")(handler)
    return app


@pytest.mark.parametrize(
    ("annotation", "value", "kind"),
    [
        (Order, {"lines": [{"article": "x"}], "due": "2026-01-01"}, Order),
        (Row, [1, 2], Row),
        (Box[int], {"content": 1}, Box),
        (
            User,
            {"name": "Ada", "born": "1815-12-10", "friends": [{"name": "Bob", "born": "1900-01-01"}]},
            User,
        ),
        (Strict, {"day": "2026-01-01"}, Strict),
        (Modern, {"a": 1}, Modern),
        (Both, {"order": {"lines": []}, "user": {"name": "Ada", "born": "1815-12-10"}}, Both),
        (Order | None, None, type(None)),
        (list[User], [], list),
        (Row | Line, [1, 2], Row),
    ],
)
def test_models_are_made_by_their_package(annotation, value, kind):
    assert type(compile_validator(annotation).validate(value)) is kind
    assert content(send(serve(annotation), "POST", "/", value))["type"] == kind.__name__


@pytest.mark.parametrize(
    ("annotation", "value", "found"),
    [
        (Order, {"lines": [{"article": "x"}, {"article": 1}]}, [("body", "lines", "1", "article", "value")]),
        (Order, {"lines": [], "more": 1}, [("body", "more", "unknown")]),
        (
            Order,
            {"lines": 1, "due": "x", "more": 1},
            [("body", "lines", "value"), ("body", "due", "value"), ("body", "more", "unknown")],
        ),
        (Order, {}, [("body", "lines", "missing")]),
        (Order, {"lines": [{"article": "x", "amount": 0}]}, [("body", "lines", "0", "amount", "value")]),
        (Order, [], [("body", "value")]),
        (
            User,
            {"name": "A", "born": "x", "friends": [{}]},
            [
                ("body", "name", "string_too_short"),
                ("body", "born", "date_from_datetime_parsing"),
                ("body", "friends", "0", "name", "missing"),
                ("body", "friends", "0", "born", "missing"),
            ],
        ),
        (Strict, {"day": 1, "more": 1}, [("body", "day", "date_type"), ("body", "more", "extra_forbidden")]),
        (
            Both,
            {"order": {}, "user": {"name": "Ada", "born": 1.5}},
            [("body", "order", "lines", "missing"), ("body", "user", "born", "date_from_datetime_inexact")],
        ),
        (list[Order], [1], [("body", "0", "value")]),
    ],
)
def test_their_faults_have_our_shape(annotation, value, found):
    response = send(serve(annotation), "POST", "/", value)

    assert faults(response) == found
    assert all(set(fault) == {"loc", "msg", "type"} for fault in content(response)["errors"])


def test_a_refused_value_is_not_repeated():
    kind = msgspec.defstruct("Kind", [("kind", Literal["a", "b"]), ("colour", Colour)])
    for model, value in (
        (User, {"name": 1, "born": "secret"}),
        (Order, {"lines": "secret"}),
        (kind, {"kind": "secret", "colour": "red"}),
        (kind, {"kind": "a", "colour": "secret - at `$`"}),
    ):
        with pytest.raises(ValidationError) as caught:
            compile_validator(model).validate(value)

        assert "secret" not in str(caught.value.errors)


@pytest.mark.parametrize("key", ["x - at `$", "x - at `$.a[" + "9" * 5000 + "]`", "a.b", "[0]", ""])
def test_names_a_client_made_up_break_nothing(key):
    assert len(faults(send(serve(Order), "POST", "/", {"lines": [], key: 1}))) == 1
    assert len(faults(send(serve(dict[str, Row]), "POST", "/", {key: [1, "x"]}))) == 1


def test_neither_package_is_imported_for_those_who_have_no_model_of_it():
    code = (
        "import sys; from dataclasses import make_dataclass; from penstock.app.schema.validator import *\n"
        "compile_validator(make_dataclass('A', [('a', list[int])])).validate({'a': []})\n"
        "print({'msgspec', 'pydantic', 'annotated_types'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(sys.modules["penstock"].__path__[0]) + "/.."},
    )

    assert done.stdout == "set()\n"
