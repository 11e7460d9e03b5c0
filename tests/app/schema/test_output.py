"""What of a value goes into a response: the promised fields, and what happens when a promise is broken."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from penstock import App, Field, HTMLResponse, Partial, Request, TestClient
from penstock.app.schema.output import compile_output
from penstock.errors import ApplicationError, BrokenPromise
from penstock.http.json import dumps, loads


@dataclass
class Address:
    street: str


@dataclass
class User:
    id: int
    name: Annotated[str, Field(alias="fullName")]
    address: Address | None = None
    since: date = date(2024, 2, 29)


@dataclass
class StoredAddress(Address):
    geo_secret: str = "g3o"


@dataclass
class StoredUser(User):
    password: str = "hunter2"


class Row(TypedDict):
    id: int
    note: NotRequired[str]


class Pair(NamedTuple):
    first: Address
    second: int


@dataclass
class Node:
    value: int
    children: list[Node] = field(default_factory=list)


@dataclass
class Counted:
    name: str
    length: int = field(init=False)

    def __post_init__(self) -> None:
        self.length = len(self.name)


@dataclass
class Cat:
    kind: Literal["cat"]
    lives: int


@dataclass
class Dog:
    kind: Literal["dog"]
    name: str


class Item(msgspec.Struct):
    id: int
    at: date | None = None


class StoredItem(Item):
    secret: str = "s"


class Crate(msgspec.Struct):
    items: list[Item]
    first: Item | None = None


class Model(pydantic.BaseModel):
    id: int
    shown_as: str = pydantic.Field("x", alias="shownAs")


class StoredModel(Model):
    secret: str = "s"


STORED = StoredUser(7, "Ada", StoredAddress("Main St"))
SHOWN = {"id": 7, "fullName": "Ada", "address": {"street": "Main St"}, "since": "2024-02-29"}


def shown(annotation: object, value: object) -> object:
    show = compile_output(annotation)
    return loads(dumps(value if show is None else show(value)))


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (User, STORED, SHOWN),
        (User, {"id": 7, "name": "Ada", "password": "p"}, {"id": 7, "fullName": "Ada"}),
        (User, {"id": 7, "fullName": "Ada", "password": "p"}, {"id": 7, "fullName": "Ada"}),
        (
            User,
            SimpleNamespace(id=7, name="Ada", address=None, since=None, password="p"),
            {"id": 7, "fullName": "Ada", "address": None, "since": None},
        ),
        (list[User], (one for one in [STORED]), [SHOWN]),
        (dict[str, User], {"a": STORED}, {"a": SHOWN}),
        (tuple[User, int], (STORED, 1), [SHOWN, 1]),
        (User | None, None, None),
        (User | str, "text", "text"),
        (User | list[User], [STORED], [SHOWN]),
        (Row, {"id": 1, "secret": 2}, {"id": 1}),
        (Row, {"id": 1, "note": "n", "secret": 2}, {"id": 1, "note": "n"}),
        (Pair, Pair(StoredAddress("s"), 2), [{"street": "s"}, 2]),
        (Partial[User], Partial[User]({"name": "Ada"}), {"fullName": "Ada"}),
        (Node, Node(1, [Node(2)]), {"value": 1, "children": [{"value": 2, "children": []}]}),
        (Counted, Counted("abc"), {"name": "abc", "length": 3}),
        (Cat | Dog, Dog("dog", "Rex"), {"kind": "dog", "name": "Rex"}),
        (Cat | Dog, {"kind": "cat", "lives": 9, "secret": 1}, {"kind": "cat", "lives": 9}),
        (Item, StoredItem(1), {"id": 1, "at": None}),
        (list[Item], [StoredItem(1, date(2024, 2, 29))], [{"id": 1, "at": "2024-02-29"}]),
        (
            Crate,
            Crate([StoredItem(1)], StoredItem(2)),
            {"items": [{"id": 1, "at": None}], "first": {"id": 2, "at": None}},
        ),
        (
            list[Crate],
            [SimpleNamespace(items=[StoredItem(1)], first=None)],
            [{"items": [{"id": 1, "at": None}], "first": None}],
        ),
        (Model, StoredModel(id=1), {"id": 1, "shownAs": "x"}),
        (list[Model], [{"id": 1, "secret": 2}], [{"id": 1, "shownAs": "x"}]),
        (dict[str, Any], {"everything": 1}, {"everything": 1}),
        (list[int], [1], [1]),
    ],
)
def test_a_response_has_the_promised_fields_and_no_others(annotation, value, expected):
    assert shown(annotation, value) == expected


def test_a_mapping_without_what_was_promised_says_what_it_lacks():
    show = compile_output(list[User])
    assert show is not None

    with pytest.raises(BrokenPromise, match="the response is no User: it lacks id, fullName"):
        show([{"address": {"street": "x"}}])


def test_a_failure_of_the_mapping_itself_stays_what_it_is():
    class Failing(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            raise KeyError("connection")

    show = compile_output(Address)
    assert show is not None

    with pytest.raises(KeyError, match="connection"):
        show(Failing(street="x"))


def test_an_object_that_may_be_any_of_several_is_not_guessed():
    with pytest.raises(TypeError, match="several types of the union"):
        shown(Address | User, {"street": "s"})


@dataclass
class Base:
    id: int


def make(run: str) -> App:
    app = App()
    options: Any = {} if run == "task" else {"run": run}

    def declare(path: str, handler: Any, **more: Any) -> None:
        if run == "task":
            inner = handler

            async def handler() -> Any:
                return inner()

            handler.__annotations__ = inner.__annotations__
        app.get(path, **options, **more)(handler)

    def user() -> User:
        return STORED

    def users() -> list[User]:
        return [STORED]

    def as_model() -> dict[str, Any]:
        return {"id": 1, "password": "p"}

    def whole() -> User:
        return STORED

    def page() -> User:
        return HTMLResponse("<p>")  # type: ignore[return-value]

    def nothing() -> User | None:
        return None

    def struct() -> Item:
        return StoredItem(1)

    def not_a_number() -> Item:
        return Item(float("nan"))  # type: ignore[arg-type]

    def wrong() -> Base:
        return Base("seven")  # type: ignore[arg-type]

    declare("/user", user)
    declare("/users", users)
    declare("/model", as_model, response_model=Base)
    declare("/whole", whole, response_model=None)
    declare("/page", page)
    declare("/nothing", nothing)
    declare("/struct", struct)
    declare("/nan", not_a_number)
    declare("/unchecked", wrong)
    declare("/checked", wrong, validate_response=True)
    return app


@pytest.mark.parametrize("run", ["inline", "thread", "task"])
def test_routes_send_what_they_promise(run):
    with TestClient(make(run), raise_server_exceptions=False) as client:
        assert client.get("/user").json() == SHOWN
        assert client.get("/users").json() == [SHOWN]
        assert client.get("/model").json() == {"id": 1}
        assert client.get("/whole").json()["password"] == "hunter2"
        assert client.get("/page").text == "<p>"
        assert client.get("/nothing").status == 204
        assert client.get("/struct").json() == {"id": 1, "at": None}
        assert client.get("/nan").status == 500
        assert client.get("/unchecked").json() == {"id": "seven"}


@pytest.mark.parametrize("run", ["inline", "thread", "task"])
def test_a_broken_promise_is_a_500_and_told_in_the_log_alone(run, caplog):
    with TestClient(make(run), raise_server_exceptions=False) as client, caplog.at_level(logging.ERROR):
        reply = client.get("/checked")

    assert reply.status == 500
    assert "seven" not in reply.text
    assert "expected" not in reply.text
    assert "['response', 'id'] expected an integer" in caplog.text


def test_an_application_may_check_every_response():
    app = App(validate_responses=True)

    @app.get("/")
    def wrong() -> list[Base]:
        return [Base(1), Base(None)]  # type: ignore[arg-type]

    @app.get("/unchecked", validate_response=False)
    def unchecked() -> list[Base]:
        return [Base(None)]  # type: ignore[arg-type]

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/").status == 500
        assert client.get("/unchecked").status == 200


def test_a_response_model_that_cannot_be_read_is_an_error_at_start():
    app = App()

    @app.get("/", response_model=list[Request])
    def home() -> list[Any]:
        return []

    with pytest.raises(ApplicationError, match="response model"):
        app.compile()


@pytest.mark.parametrize("validates", [False, True])
def test_values_of_a_generator_are_lines_as_they_come(validates):
    app = App(validate_responses=validates)

    @app.get("/users")
    def users() -> Iterator[User]:
        yield STORED
        yield STORED

    @app.get("/numbers")
    async def numbers() -> AsyncIterator[dict[str, int]]:
        for number in range(3):
            yield {"n": number}

    @app.get("/list")
    def plain() -> Iterable[User]:
        return [STORED]

    with TestClient(app) as client:
        reply = client.get("/users")
        assert reply.headers["content-type"] == "application/jsonl"
        assert [loads(line) for line in reply.content.splitlines()] == [SHOWN, SHOWN]
        assert client.get("/numbers").content == b'{"n":0}\n{"n":1}\n{"n":2}\n'
        assert client.get("/list").json() == [SHOWN]
    assert "application/jsonl" in str(app.openapi())


def test_a_broken_promise_in_a_stream_cuts_it_short():
    app = App(validate_responses=True)

    @app.get("/")
    def wrong() -> Iterator[Base]:
        yield Base(1)
        yield Base("two")  # type: ignore[arg-type]

    with (
        TestClient(app, raise_server_exceptions=False) as client,
        client.stream("GET", "/") as reply,
        pytest.raises(ConnectionError, match="cut short: BrokenPromise") as caught,
    ):
        reply.read()

    assert "expected an integer" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("promise", "right", "wrong"),
    [
        (Item, Item(1), Item("one")),  # type: ignore[arg-type]
        (Crate, Crate([StoredItem(1)]), Crate([Item("one")])),  # type: ignore[arg-type]
        (dict[str, int], {"a": 1}, {"a": "one"}),
        (list[int], [1], ["one"]),
        (int, 1, None),
    ],
)
def test_whatever_is_promised_is_checked_when_that_is_asked_for(promise, right, wrong):
    app = App(validate_responses=True)
    for path, value in (("/right", right), ("/wrong", wrong)):
        app.get(path)(_without_parameters(value, promise))

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/right").status == 200
        assert client.get("/wrong").status == (204 if wrong is None else 500)


def _without_parameters(value, promise):
    def handler():
        return value

    handler.__annotations__["return"] = promise
    return handler


def test_streams_of_text_octets_and_nothing_are_left_alone_by_a_check():
    app = App(validate_responses=True)

    @app.get("/text")
    def text() -> Iterable[str]:
        yield "a"

    @app.get("/octets")
    def octets() -> Iterator[bytes]:
        yield b"b"

    @app.get("/page")
    def page() -> HTMLResponse:
        return HTMLResponse("c")

    @app.get("/unsaid")
    def unsaid():
        return {"d": 1}

    with TestClient(app) as client:
        assert [client.get(f"/{name}").text for name in ("text", "octets", "page")] == ["a", "b", "c"]
        assert client.get("/unsaid").json() == {"d": 1}


def test_a_struct_with_objects_inside_keeps_its_promise_over_a_route():
    app = App()

    @app.get("/")
    def crate() -> Crate:
        return Crate([StoredItem(1)])

    with TestClient(app) as client:
        assert client.get("/").json() == {"items": [{"id": 1, "at": None}], "first": None}
