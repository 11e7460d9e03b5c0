"""Fields of an urlencoded form: as parameters, as a model, as `request.form()`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from penstock import App, Form, FormLimits, Request, UploadFile, WebSocket
from penstock.errors import ApplicationError
from tests.app.driver import content, faults
from tests.app.forms.bodies import URLENCODED, post


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Login:
    user: Annotated[str, Form(min_length=2)]
    age: int | None = None
    tags: list[str] = field(default_factory=list)


class Order(TypedDict):
    item: str
    count: int
    day: NotRequired[date]


class Point(msgspec.Struct):
    x: int
    y: float = 0.5
    labels: list[str] = []
    name: str | None = msgspec.field(default=None, name="pointName")


class Account(pydantic.BaseModel):
    email: str
    limit: int = pydantic.Field(ge=0)
    roles: list[str] = []
    second: str | None = pydantic.Field(default=None, alias="second-name")


def app_with(handler, **options) -> App:
    app = App()
    app.post("/", **options)(handler)
    return app


def send(app: App, body: bytes):
    return post(app, body, URLENCODED)


def test_a_field_is_converted_to_what_its_annotation_says():
    def handler(
        user: Annotated[str, Form()],
        age: Annotated[int, Form(ge=0)],
        colour: Annotated[Colour, Form()],
        order: Annotated[Literal["up", "down"], Form()] = "up",
        day: Annotated[date | None, Form(alias="the-day")] = None,
    ) -> list:
        return [user, age, colour, order, day]

    app = app_with(handler)

    assert content(send(app, b"user=J%C3%BCrgen+M&age=7&colour=red")) == ["Jürgen M", 7, "red", "up", None]
    reply = send(app, b"user=a&age=7&colour=blue&order=down&the-day=2024-05-01&more=1")
    assert content(reply) == ["a", 7, "blue", "down", "2024-05-01"]


def test_all_that_is_wrong_is_told_at_once():
    def handler(
        user: Annotated[str, Form()], age: Annotated[int, Form(ge=0)], tags: Annotated[list[int], Form()]
    ) -> None: ...

    reply = send(app_with(handler), b"age=-1&tags=1&tags=x")

    assert faults(reply) == [
        ("form", "user", "missing"),
        ("form", "age", "ge"),
        ("form", "tags", "1", "int"),
    ]


def test_a_list_has_every_value_and_is_empty_without_one():
    def handler(tags: Annotated[list[int], Form()], names: Annotated[list[str], Form()]) -> list:
        return [tags, names]

    app = app_with(handler)

    assert content(send(app, b"tags=1&names=&tags=2&tags=&names=b")) == [[1, 2], ["", "b"]]
    assert content(send(app, b"")) == [[], []]


def test_a_field_left_empty_was_not_sent_unless_it_is_text():
    def handler(
        name: Annotated[str, Form()] = "x",
        age: Annotated[int, Form()] = 3,
        note: Annotated[str | None, Form()] = None,
        when: Annotated[date | None, Form()] = None,
    ) -> list:
        return [name, age, note, when]

    app = app_with(handler)

    assert content(send(app, b"name=&age=&note=&when=")) == ["", 3, "", None]
    assert content(send(app, b"")) == ["x", 3, None, None]


def test_a_default_is_not_shared_between_requests():
    def handler(tags: Annotated[list[str], Form()] = []) -> int:  # noqa: B006
        tags.append("x")
        return len(tags)

    app = app_with(handler)

    assert [content(send(app, b"")) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("run", ["thread", "inline"])
def test_a_dataclass_is_made_of_fields(run):
    def handler(login: Annotated[Login, Form()]) -> Login:
        return login

    app = app_with(handler, run=run)

    assert content(send(app, b"user=ada&age=36&tags=a&tags=b")) == {
        "user": "ada",
        "age": 36,
        "tags": ["a", "b"],
    }
    assert content(send(app, b"user=ada&age=")) == {"user": "ada", "age": None, "tags": []}
    assert faults(send(app, b"user=a&age=x")) == [
        ("form", "user", "min_length"),
        ("form", "age", "int"),
    ]
    assert faults(send(app, b"")) == [("form", "user", "missing")]


def test_a_typed_dict_is_made_of_fields():
    async def handler(order: Annotated[Order, Form()]) -> Order:
        return order

    app = app_with(handler)

    assert content(send(app, b"item=pump&count=2")) == {"item": "pump", "count": 2}
    assert content(send(app, b"item=pump&count=2&day=2024-05-01"))["day"] == "2024-05-01"
    assert faults(send(app, b"count=two&day=x")) == [
        ("form", "item", "missing"),
        ("form", "count", "int"),
        ("form", "day", "date"),
    ]


def test_a_struct_is_made_of_fields():
    def handler(point: Annotated[Point, Form()]) -> list:
        return [point.x, point.y, point.labels, point.name]

    app = app_with(handler)

    assert content(send(app, b"x=1&y=2.5&labels=a&labels=b&pointName=p")) == [1, 2.5, ["a", "b"], "p"]
    assert content(send(app, b"x=1&y=")) == [1, 0.5, [], None]
    assert faults(send(app, b"x=one"))[0][:2] == ("form", "x")
    assert send(app, b"").status == 422


def test_a_pydantic_model_is_made_of_fields():
    def handler(account: Annotated[Account, Form()]) -> dict:
        return account.model_dump()

    app = app_with(handler)

    assert content(send(app, b"email=a&limit=5&roles=x&roles=y&second-name=b")) == {
        "email": "a",
        "limit": 5,
        "roles": ["x", "y"],
        "second": "b",
    }
    assert {fault[:2] for fault in faults(send(app, b"limit=-1"))} == {("form", "email"), ("form", "limit")}


def test_fields_a_model_does_not_name_are_refused_when_asked_for():
    def handler(login: Annotated[Login, Form(unknown="forbid")]) -> str:
        return login.user

    app = app_with(handler)

    assert send(app, b"user=ada").status == 200
    assert faults(send(app, b"user=ada&admin=1")) == [("form", "admin", "unknown")]


def test_request_form_reads_the_whole_body_once():
    def handler(request: Request) -> list:
        assert request.form() is request.form()
        return [*request.form().items(), request.form().get("none"), request.form().file("none")]

    assert content(send(app_with(handler), b"a=1&a=2&b=")) == [["a", "1"], ["a", "2"], ["b", ""], None, None]


def test_no_content_and_no_type_is_a_form_without_fields():
    def handler(name: Annotated[str, Form()] = "nobody") -> str:
        return name

    reply = post(app_with(handler), b"", ("x", "y"))

    assert reply.body == b"nobody"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded", 200),
        ("Application/X-WWW-Form-URLEncoded; charset=UTF-8", 200),
        ("application/x-www-form-urlencoded;charset=iso-8859-1", 415),
        ("application/x-www-form-urlencoded; charset=utf-8; charset=latin1", 400),
        ("application/json", 415),
        ("text/plain", 415),
        ("multipart/mixed; boundary=x", 415),
        ("", 415),
    ],
)
def test_only_forms_in_utf_8_are_taken(content_type, status):
    def handler(name: Annotated[str, Form()]) -> str:
        return name

    reply = post(app_with(handler), b"name=x", ("content-type", content_type))

    assert reply.status == status, reply.body
    assert reply.media_type == ("text/plain; charset=utf-8" if status == 200 else "application/problem+json")


@pytest.mark.parametrize("body", [b"name=%zz", b"name=%", b"name=%ff", b"n\xff=1", b"name=\xe4", b"%c0%af=1"])
def test_what_is_malformed_is_400(body):
    def handler(name: Annotated[str, Form()] = "") -> str:
        return name

    reply = send(app_with(handler), body)

    assert reply.status == 400, reply.body


@pytest.mark.parametrize(
    ("limits", "body", "name"),
    [
        (FormLimits(fields=3), b"a=1&b=2&c=3&d=4", "fields"),
        (FormLimits(fields_bytes=10), b"name=1234567", "fields_bytes"),
        (FormLimits(field_bytes=10), b"a=b&name=12345678", "field_bytes"),
    ],
)
def test_a_form_beyond_a_limit_is_413_and_names_it(limits, body, name):
    def handler(a: Annotated[str, Form()] = "") -> None: ...

    reply = send(app_with(handler, form_limits=limits), body)

    assert reply.status == 413
    assert content(reply)["limit"] == name


def test_the_limits_of_a_route_come_before_those_of_its_application():
    def handler(request: Request) -> int:
        return len(request.form().items())

    app = App(form_limits=FormLimits(fields=1))
    app.post("/")(handler)
    app.post("/more", form_limits=FormLimits(fields=2))(handler)

    assert post(app, b"a=1&b=2", URLENCODED).status == 413
    assert post(app, b"a=1&b=2", URLENCODED, "/more").body == b"2"
    assert post(app, b"a=1&b=2&c=3", URLENCODED, "/more").status == 413


def test_a_limit_that_is_no_number_is_refused():
    with pytest.raises(ApplicationError, match="fields='many'"):
        FormLimits(fields="many")  # type: ignore[arg-type]
    with pytest.raises(ApplicationError, match="form_limits=7"):
        app_with(lambda request: None, form_limits=7).compile()


def nested(form: Annotated[dict[str, int], Form()]) -> None: ...


def both(login: Login, user: Annotated[str, Form()]) -> None: ...


@dataclass
class Nest:
    inner: Login


def nest(form: Annotated[Nest, Form()]) -> None: ...


def with_file(request: Request, upload: UploadFile) -> None: ...


@pytest.mark.parametrize(
    ("handler", "options", "message"),
    [
        (nested, {}, "dict"),
        (both, {}, "login wants the JSON body, user wants the form; keep one"),
        (nest, {}, "do not nest"),
    ],
)
def test_what_cannot_come_from_a_form_is_an_error_at_start_up(handler, options, message):
    with pytest.raises(ApplicationError, match=message):
        app_with(handler, **options).compile()


def test_a_websocket_takes_no_form():
    app = App()

    @app.websocket("/")
    async def handler(socket: WebSocket, name: Annotated[str, Form()]) -> None: ...

    with pytest.raises(ApplicationError, match="'name': a WebSocket has no body"):
        app.compile()
