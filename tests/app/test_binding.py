"""Path and query parameters, by name and annotation; every fault is named."""

import functools
import typing
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType, Optional, Union
from uuid import UUID

import pytest

from penstock.app.application import App
from penstock.app.binding.conversion import name_of
from penstock.app.injection.depends import Depends
from penstock.app.schema.markers import Body, Query
from penstock.errors import ApplicationError
from penstock.http.handler import BodyStream
from penstock.http.request import Request
from penstock.http.response import TextResponse
from tests.app.driver import answer, content, faults, get, send


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


UserId = NewType("UserId", int)


def bind(annotation, target="/", default=..., path="/"):
    """Return the value a handler's parameter `x` has, or the response when there is none."""
    app, seen = App(), []

    if default is ...:

        def handler(x):
            seen.append(x)
    else:

        def handler(x=default):
            seen.append(x)

    if annotation is not ...:
        handler.__annotations__["x"] = annotation
    app.get(path, run="inline")(handler)
    response = get(app, target)
    return seen[0] if seen else response


@pytest.mark.parametrize(
    ("annotation", "spelled", "value"),
    [
        (str, "a%20b", "a b"),
        (..., "7", "7"),
        (Any, "7", "7"),
        (object, "7", "7"),
        (int, "-7", -7),
        (float, "1.5", 1.5),
        (float, "2", 2.0),
        (bool, "on", True),
        (UUID, str(UUID(int=5)), UUID(int=5)),
        (datetime, "2024-05-01T10:00:00", datetime(2024, 5, 1, 10)),  # noqa: DTZ001
        (date, "2024-05-01", date(2024, 5, 1)),
        (time, "10:00", time(10)),
        (Colour, "red", Colour.RED),
        (Size, "2", Size.LARGE),
        (Literal["a", 1, True, None], "a", "a"),  # noqa: PYI061
        (Literal["a", 1, True], "1", 1),
        (Literal["a", True], "true", True),
        (Literal[Colour.RED], "red", Colour.RED),
        (Optional[int], "7", 7),  # noqa: UP045
        (int | None, "7", 7),
        (Union[int, str], "7", 7),  # noqa: UP007
        (str | int, "7", 7),
        (str | int, "x", "x"),
        (Annotated[int, "the id"], "7", 7),
        (Annotated[int | None, "the id"], "7", 7),
        (UserId, "7", 7),
    ],
    ids=lambda one: name_of(one) if one is not ... else "-",
)
def test_text_becomes_what_the_annotation_says(annotation, spelled, value):
    for made in (bind(annotation, f"/?x={spelled}"), bind(annotation, f"/{spelled}", path="/{x}")):
        assert made == value
        assert type(made) is type(value)


@pytest.mark.parametrize(
    ("annotation", "spelled", "kind"),
    [
        (int, "x", "int"),
        (int, "%2B1", "int"),
        (int, "1_0", "int"),
        (int, "%201", "int"),
        (int, "%D9%A3", "int"),
        (int, "1" * 41, "int"),
        (float, "nan", "float"),
        (float, "Infinity", "float"),
        (bool, "maybe", "bool"),
        (UUID, "7", "uuid"),
        (datetime, "2024-05-01", "datetime"),
        (date, "2024-02-30", "date"),
        (Colour, "RED", "enum"),
        (Size, "3", "enum"),
        (Size, "01", "enum"),
        (Literal["a", 1], "b", "literal"),
        (Literal["a", None], "None", "literal"),  # noqa: PYI061
        (int | None, "null", "int"),
        (int | float, "x", "union"),
    ],
    ids=name_of,
)
def test_text_that_is_no_such_value_is_a_fault(annotation, spelled, kind):
    assert faults(bind(annotation, f"/?x={spelled}")) == [("query", "x", kind)]
    assert faults(bind(annotation, f"/{spelled}", path="/{x}")) == [("path", "x", kind)]


@pytest.mark.parametrize(
    ("annotation", "default", "value"),
    [
        (int, 5, 5),
        (bool, False, False),
        (int, None, None),
        (list[int], [1], [1]),
        (int | None, ..., None),
        (list[str], ..., []),
    ],
    ids=str,
)
def test_a_missing_value_takes_the_default(annotation, default, value):
    assert bind(annotation, "/", default) == value
    assert bind(annotation, "/?y=1", default) == value


@pytest.mark.parametrize("target", ["/", "/?y=1", "/?X=1", "/?xx=1&=2"])
def test_a_missing_value_without_default_is_a_fault(target):
    assert faults(bind(int, target)) == [("query", "x", "missing")]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("x=", ""),
        ("x", ""),
        ("x=a=b", "a=b"),
        ("x=1&x=2", "1"),
        ("&&x=1&", "1"),
        ("%78=1", "1"),
        ("x=a+b", "a b"),
    ],
)
def test_queries_are_read_as_http_query_reads_them(query, value):
    assert bind(str, "/?" + query) == value


def test_a_list_takes_every_occurrence():
    assert bind(list[int], "/?x=1&y=5&x=2&%78=3") == [1, 2, 3]
    assert bind(list[Colour] | None, "/?x=red") == [Colour.RED]


def test_each_wrong_element_of_a_list_is_a_fault():
    assert faults(bind(list[int], "/?x=1&x=a&x=2&x=b")) == [
        ("query", "x", "1", "int"),
        ("query", "x", "3", "int"),
    ]


def test_a_mutable_default_is_not_shared_between_requests():
    app = App()

    @app.get("/")
    def collect(x: list[str] = ["first"]) -> list:  # noqa: B006
        x.append("more")
        return x

    assert content(get(app, "/")) == content(get(app, "/")) == ["first", "more"]


def test_every_fault_is_named_at_once():
    app = App()

    @app.get("/{a}/{b:int}")
    def handler(a: int, b: int, c: bool, d: list[float], e: Colour = Colour.RED, f: int = 0) -> None: ...

    response = get(app, "/x/1?d=1&d=x&e=green&f=1.5")

    assert faults(response) == [
        ("path", "a", "int"),
        ("query", "c", "missing"),
        ("query", "d", "1", "float"),
        ("query", "e", "enum"),
        ("query", "f", "int"),
    ]
    assert response.media_type == "application/problem+json"
    assert content(response)["title"] == "Unprocessable Content"
    assert all(set(fault) == {"loc", "msg", "type"} for fault in content(response)["errors"])
    assert "one of red, blue" in response.body.decode()


def test_a_fault_does_not_repeat_the_input():
    assert b"secret" not in bind(int, "/?x=secret").body


@pytest.mark.parametrize("query", ["x=%FF", "y=%FF&x=1", "x=1&%C3%28=1"])
def test_a_query_that_is_not_utf8_is_400(query):
    assert bind(int, "/?" + query).status == 400
    assert bind(list[int], "/?" + query).status == 400


def test_the_template_decides_between_404_and_422():
    app = App()

    @app.get("/strict/{n:int}")
    def strict(n: int) -> int:
        return n

    @app.get("/loose/{n}")
    def loose(n: int) -> int:
        return n

    assert get(app, "/strict/x").status == 404
    assert get(app, "/loose/x").status == 422


def test_parameters_may_be_positional_only_or_keyword_only():
    app = App()

    @app.get("/{a}")
    def handler(a: int, /, b: int = 2, *, c: int, d: int = 4) -> list:
        return [a, b, c, d]

    assert content(get(app, "/1?c=3")) == [1, 2, 3, 4]


def test_names_of_the_plan_and_of_the_user_do_not_collide():
    app = App()

    @app.get("/{params}/{handler}/{failed}")
    def handler(
        params: int,
        handler: str,
        failed: str,
        text: int,
        get: int = 1,
        arg_text: int = 2,
        status: str = "s",
        dumps: bool = True,
    ) -> list:
        return [params, handler, failed, text, get, arg_text, status, dumps]

    assert content(get(app, "/1/h/f?text=5&get=6&arg_text=7&status=x&dumps=0")) == [
        1,
        "h",
        "f",
        5,
        6,
        7,
        "x",
        False,
    ]


def test_the_request_comes_by_annotation_or_by_its_name():
    app = App()

    @app.get("/a")
    def one(anything: Request, x: int = 1) -> str:
        return anything.method

    @app.get("/b")
    async def two(request, x: int) -> str:
        return f"{request.method} {x}"

    @app.get("/{request}")
    def three(request: int) -> int:
        return request

    assert get(app, "/a?x=2").body == b"GET"
    assert get(app, "/b?x=2").body == b"GET 2"
    assert content(get(app, "/7")) == 7


def test_a_body_stream_is_handed_over():
    app, stream = App(), object()

    @app.post("/")
    async def upload(source: BodyStream) -> str:
        return str(source is stream)

    request = Request.build("POST", "/")
    request.stream = stream

    assert app.resolve(request).streams_body
    assert answer(app, request).body == b"True"


def test_methods_partials_and_callable_objects_are_handlers():
    class Shop:
        def item(self, item_id: int) -> int:
            return item_id

        async def __call__(self, q: str) -> str:
            return q

    def add(a: int, b: int) -> int:
        return a + b

    app = App()
    app.get("/items/{item_id}")(Shop().item)
    app.get("/ask", name="ask")(Shop())
    app.get("/add")(functools.partial(add, b=5))

    assert content(get(app, "/items/7")) == 7
    assert get(app, "/ask?q=x").body == b"x"
    assert content(get(app, "/add?a=1")) == 6


def test_a_wrapped_handler_is_bound_by_its_inner_signature():
    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    app = App()

    @app.get("/{n}")
    @logged
    def handler(n: int, q: bool = False) -> list:
        return [n, q]

    @app.get("/async/{n}")
    @logged
    async def coroutine(n: int) -> int:
        return n

    assert content(get(app, "/7?q=1")) == [7, True]
    assert content(get(app, "/async/7")) == 7


class Shape:
    pass


@dataclass
class Point:
    x: int


def one_more(x: int) -> int:
    return x + 1


@pytest.mark.parametrize(
    ("annotation", "path", "part"),
    [
        (Shape, "/", "Shape is no type a request can be converted to; it can be str, int"),
        (
            Annotated[Shape, Body()],
            "/",
            "Shape is no type JSON can be converted to; in a body it can be a dataclass",
        ),
        (
            Annotated[Point, Query()],
            "/",
            "one made of values of the query, of fields or cookies is Annotated[..., Depends()]",
        ),
        (TextResponse, "/", "a handler returns its response, and is given none"),
        (Annotated[int, one_more], "/", "one_more marks nothing by itself; write Depends(one_more)"),
        (Annotated[int, Depends], "/", "Depends marks nothing by itself; write Depends(...)"),
        (Annotated[int, Query], "/", "Query marks it when it is called: Query()"),
        (dict, "/", "dict is no type"),
        (bytes, "/", "bytes is no type"),
        (list[Shape], "/", "Shape is no type"),
        (list[list[int]], "/", "list"),
        (tuple[int, ...], "/", "tuple"),
        (Literal[b"x"], "/", "neither text nor an integer nor a bool"),
        (list[int], "/{x}", "is one value"),
        (list[int] | None, "/{x}", "is one value"),
        (str, "/{x:int}", "makes int, the annotation says str; write {x} or the annotation int"),
        (UUID, "/{x:float}", "makes float"),
        ("Undefined", "/", "cannot be resolved"),
        ("list[Undefined]", "/", "cannot be resolved"),
        ("1 +", "/", "cannot be resolved"),
    ],
)
def test_what_cannot_be_bound_is_reported_at_start_up(annotation, path, part):
    app = App()

    def handler(x): ...

    handler.__annotations__["x"] = annotation
    app.get(path)(handler)

    with pytest.raises(ApplicationError) as caught:
        app.compile()

    message = str(caught.value)
    assert part in message
    assert "parameter 'x'" in message
    assert "test_binding:test_what_cannot_be_bound_is_reported_at_start_up.<locals>.handler" in message
    assert "test_binding.py:" in message


def test_a_fault_that_is_not_the_type_s_lists_no_types():
    app = App()

    @app.get("/")
    def handler(x: Annotated[str, Query(ge=1)]): ...

    with pytest.raises(ApplicationError, match=r"ge= does not fit str$"):
        app.compile()


def test_a_marker_is_no_default():
    app = App()

    @app.get("/")
    def handler(x: str = Query(min_length=2)): ...

    with pytest.raises(ApplicationError, match=r"parameter 'x': Query\(...\) is no default; write Annotated"):
        app.compile()


@pytest.mark.parametrize("handler", [lambda *args: None, lambda **kwargs: None])
def test_any_number_of_arguments_cannot_be_bound(handler):
    app = App()
    app.get("/")(handler)

    with pytest.raises(ApplicationError, match="name each one"):
        app.compile()


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        (int, "/{x:int}"),
        (float, "/{x:int}"),
        (int | None, "/{x:int}"),
        (Any, "/{x:int}"),
        (Colour, "/{x:path}"),
    ],
)
def test_annotations_that_agree_with_the_template_are_accepted(annotation, path):
    app = App()

    def handler(x): ...

    handler.__annotations__["x"] = annotation
    app.get(path)(handler)

    app.compile()


def test_an_unresolvable_return_annotation_does_not_matter():
    app = App()

    @app.get("/")
    def handler() -> "Undefined":  # noqa: F821
        return {"a": 1}

    assert content(get(app, "/")) == {"a": 1}


def test_unions_read_str_last():
    assert typing.get_args(str | int) == (str, int)
    assert bind(str | bool | int, "/?x=5") == 5
    assert bind(str | int | None, "/", ...) is None


def test_post_parameters_come_from_the_query_too():
    app = App()

    @app.post("/")
    def handler(page: int) -> int:
        return page

    assert content(send(app, "POST", "/?page=3", {"page": 5})) == 3
