"""A dataclass parameter is the JSON body, checked field by field."""

import dataclasses
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest

from penstock.app.application import App
from penstock.errors import ApplicationError
from penstock.http.handler import BodyStream
from tests.app.driver import JSON, content, faults, send


class Colour(Enum):
    RED = "red"
    ONE = 1


@dataclass
class Everything:
    text: str
    count: int
    ratio: float
    flag: bool
    key: UUID
    at: datetime
    day: date
    colour: Colour
    kind: Literal["a", 2, True]
    maybe: int | None
    either: int | str
    tags: list[str]
    grid: list[list[int]]
    anything: Any
    extra: dict = field(default_factory=dict)
    more: list[int | None] = field(default_factory=list)


GOOD = {
    "text": "x",
    "count": 1,
    "ratio": 2,
    "flag": True,
    "key": str(UUID(int=1)),
    "at": "2024-05-01T10:00:00Z",
    "day": "2024-05-01",
    "colour": "red",
    "kind": 2,
    "maybe": None,
    "either": "x",
    "tags": ["a"],
    "grid": [[1], []],
    "anything": [{}],
}


@pytest.fixture(scope="module")
def app():
    app = App()

    @app.post("/")
    def handler(body: Everything) -> Everything:
        return body

    @app.post("/types")
    def types(body: Everything) -> dict:
        return {one.name: type(getattr(body, one.name)).__name__ for one in dataclasses.fields(body)}

    return app


def test_a_good_body_makes_the_dataclass(app):
    response = send(app, "POST", "/", {**GOOD, "unknown": 1})

    assert response.status == 200
    assert content(response) == {
        **GOOD,
        "ratio": 2.0,
        "at": "2024-05-01T10:00:00+00:00",
        "extra": {},
        "more": [],
    }


def test_values_have_the_annotated_types(app):
    made = content(send(app, "POST", "/types", GOOD))

    assert (made["ratio"], made["key"], made["at"], made["day"], made["colour"]) == (
        "float",
        "UUID",
        "datetime",
        "date",
        "Colour",
    )


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("text", 1, "str"),
        ("text", None, "str"),
        ("count", True, "int"),
        ("count", 1.0, "int"),
        ("count", "1", "int"),
        ("ratio", "1", "float"),
        ("ratio", True, "float"),
        ("ratio", 10**400, "float"),
        ("flag", 1, "bool"),
        ("flag", "true", "bool"),
        ("key", "x", "uuid"),
        ("key", 1, "uuid"),
        ("at", 1714557600, "datetime"),
        ("day", "2024-05-01T10:00:00", "date"),
        ("colour", "blue", "enum"),
        ("colour", True, "enum"),
        ("colour", 1.0, "enum"),
        ("colour", ["red"], "enum"),
        ("colour", {"red": 1}, "enum"),
        ("kind", 1, "literal"),
        ("kind", "2", "literal"),
        ("kind", False, "literal"),
        ("maybe", "x", "int"),
        ("either", 1.5, "union"),
        ("tags", "a", "list"),
        ("tags", {"a": 1}, "list"),
        ("grid", [1], "list"),
        ("extra", [], "dict"),
        ("extra", None, "dict"),
    ],
)
def test_a_wrong_field_is_a_fault(app, name, value, kind):
    where = ("body", name, "0", kind) if name == "grid" else ("body", name, kind)

    assert faults(send(app, "POST", "/", {**GOOD, name: value})) == [where]


def test_each_wrong_element_is_a_fault(app):
    response = send(
        app, "POST", "/", {**GOOD, "tags": ["a", 1, None], "grid": [[1, "x"], 2], "more": [None, "x"]}
    )

    assert faults(response) == [
        ("body", "tags", "1", "str"),
        ("body", "tags", "2", "str"),
        ("body", "grid", "0", "1", "int"),
        ("body", "grid", "1", "list"),
        ("body", "more", "1", "int"),
    ]


def test_every_missing_field_is_a_fault(app):
    assert faults(send(app, "POST", "/", {})) == [("body", name, "missing") for name in GOOD]


@pytest.mark.parametrize("body", [[], [GOOD], "x", 1, None, True])
def test_a_body_that_is_no_object_is_422(app, body):
    assert faults(send(app, "POST", "/", body)) == [("body", "dict")]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{} {}", b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000]
)
def test_malformed_json_is_400(app, body):
    response = send(app, "POST", "/", body, (JSON,))

    assert response.status == 400
    assert content(response)["detail"].startswith("the body is not JSON: ")


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/jsonp",
        "+json",
        "json",
        "application/json5",
    ],
)
def test_another_media_type_is_415(app, media_type):
    response = send(app, "POST", "/", b"{}", (("content-type", media_type),) if media_type else ())

    assert response.status == 415
    assert response.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON;charset=utf-8",
        "application/vnd.api+json",
        "application/json ; a=b",
    ],
)
def test_json_is_json_whatever_its_parameters(app, media_type):
    assert send(app, "POST", "/", b"[]", (("content-type", media_type),)).status == 422


def test_faults_of_path_query_and_body_come_together():
    app = App()

    @dataclass
    class Body:
        n: int

    def handler(a, body, b): ...

    handler.__annotations__.update(a=int, body=Body, b=bool)
    app.post("/{a}")(handler)

    assert faults(send(app, "POST", "/x?b=x", {"n": "x"})) == [
        ("path", "a", "int"),
        ("body", "n", "int"),
        ("query", "b", "bool"),
    ]
    assert send(app, "POST", "/x?b=x", b"{", (JSON,)).status == 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    shared: ClassVar[int] = 5
    name: str
    active: bool = True
    made: int = field(init=False, default=3)

    def __post_init__(self):
        if not self.name:
            raise ValueError("the name must not be empty")
        if self.name == "boom":
            raise RuntimeError("secret")


def _accounts(handler):
    app = App()
    app.post("/", status=201)(handler)
    return app


def test_defaults_class_variables_and_fields_outside_init_are_respected():
    def handler(account: Account) -> Account:
        return account

    response = send(_accounts(handler), "POST", "/", {"name": "x", "made": 9, "shared": 9})

    assert (response.status, content(response)) == (201, {"name": "x", "active": True, "made": 3})


def test_value_error_in_post_init_is_a_fault_of_the_body():
    def handler(account: Account): ...

    response = send(_accounts(handler), "POST", "/", {"name": ""})

    assert faults(response) == [("body", "value")]
    assert content(response)["errors"][0]["msg"] == "the name must not be empty"


def test_another_error_in_post_init_is_a_500(caplog):
    def handler(account: Account): ...

    response = send(_accounts(handler), "POST", "/", {"name": "boom"})

    assert response.status == 500
    assert b"secret" not in response.body
    assert "secret" in caplog.text


def test_an_optional_body_may_be_left_out():
    def handler(account: Account | None = None) -> str:
        return "none" if account is None else account.name

    app = _accounts(handler)

    assert send(app, "POST", "/").body == b"none"
    assert send(app, "POST", "/", {"name": "x"}).body == b"x"
    assert send(app, "POST", "/", b"x").status == 415
    assert faults(send(app, "POST", "/", {"name": 1})) == [("body", "name", "str")]


@dataclass
class Outer:
    inner: Account


@dataclass
class Impossible:
    inner: App


@dataclass
class Unknown:
    thing: "Nowhere"  # noqa: F821


def test_models_nest():
    def handler(a: Outer) -> str:
        return a.inner.name

    app = _accounts(handler)

    assert send(app, "POST", "/", {"inner": {"name": "x"}}).body == b"x"
    assert faults(send(app, "POST", "/", {"inner": {"name": 1}})) == [("body", "inner", "name", "str")]
    assert faults(send(app, "POST", "/", {"inner": {"name": ""}})) == [("body", "inner", "value")]


def one_body_and_stream(a: Account, s: BodyStream): ...
def two_bodies(a: Account, b: Account): ...
def two_streams(s: BodyStream, t: BodyStream): ...
def nested(a: Impossible): ...
def unresolved(a: Unknown): ...


@pytest.mark.parametrize(
    ("handler", "part"),
    [
        (one_body_and_stream, "s streams the body that a needs whole"),
        (two_bodies, "a and b both want the whole body"),
        (two_streams, "s and t both want the whole body"),
        (nested, "field 'inner' of Impossible: App is no type"),
        (unresolved, "the annotations of Unknown cannot be resolved"),
    ],
)
def test_a_body_that_cannot_be_bound_is_reported_at_start_up(handler, part):
    app = App()
    app.post("/")(handler)

    with pytest.raises(ApplicationError, match=part):
        app.compile()
