"""What a handler depends on is called for it: nested, once for each request, bound like a handler."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from typing import Annotated

import pytest

from penstock import (
    App,
    Body,
    Cookie,
    Depends,
    Header,
    HTTPError,
    JSONResponse,
    Request,
    Router,
    TestClient,
    WebSocket,
)
from penstock.errors import WebSocketRefused
from tests.app.driver import content, faults, get, send


def settings() -> dict[str, str]:
    return {"url": "db://"}


async def database(found: dict[str, str] = Depends(settings)) -> str:
    return found["url"] + "x"


@pytest.mark.parametrize("run", [None, "inline", "async"])
def test_a_parameter_gets_what_the_function_returns(run):
    app = App()

    def plain(value: dict = Depends(settings)) -> dict:
        return value

    async def waiting(value: dict = Depends(settings)) -> dict:
        return value

    if run == "async":
        app.get("/")(waiting)
    else:
        app.get("/", run=run)(plain)

    assert content(get(app, "/")) == {"url": "db://"}


def test_an_annotation_says_it_too():
    app = App()

    @app.get("/")
    def handler(
        value: Annotated[str, Depends(database)], *, other: Annotated[dict, Depends(settings)]
    ) -> list:
        return [value, other]

    assert content(get(app, "/")) == ["db://x", {"url": "db://"}]


def test_one_function_is_called_once_for_all_that_depend_on_it():
    app = App()
    calls = []

    def base() -> int:
        calls.append("base")
        return len(calls)

    def left(number: int = Depends(base)) -> int:
        return number

    def right(number: int = Depends(base)) -> int:
        return number

    @app.get("/", dependencies=[Depends(base)])
    def handler(a: int = Depends(left), b: int = Depends(right), c: int = Depends(base)) -> list:
        return [a, b, c]

    assert content(get(app, "/")) == [1, 1, 1]
    assert content(get(app, "/")) == [2, 2, 2]


def test_it_is_called_anew_where_that_is_said():
    app = App()
    calls = []

    def base() -> int:
        calls.append("base")
        return len(calls)

    def left(number: int = Depends(base, use_cache=False)) -> int:
        return number

    @app.get("/")
    def handler(
        a: int = Depends(left), b: int = Depends(base), c: int = Depends(base), d: int = Depends(left)
    ) -> list:
        return [a, b, c, d]

    assert content(get(app, "/")) == [1, 2, 2, 1]


def test_parameters_of_dependencies_are_bound_like_those_of_handlers():
    app = App()

    def parts(
        request: Request,
        item_id: int,
        page: int = 1,
        tags: list[str] = [],  # noqa: B006 - what is under test copies it
        x_token: Annotated[str, Header()] = "none",
        theme: Annotated[str, Cookie()] = "light",
    ) -> list:
        return [request.method, item_id, page, tags, x_token, theme]

    @app.get("/{item_id}")
    async def handler(item_id: str, page: int = 7, found: list = Depends(parts)) -> list:
        return [item_id, page, *found]

    headers = (("x-token", "t"), ("cookie", "theme=dark"))

    assert content(get(app, "/3")) == ["3", 7, "GET", 3, 1, [], "none", "light"]
    assert content(get(app, "/3?page=4&tags=a&tags=b", headers=headers)) == [
        *("3", 4, "GET", 3, 4, ["a", "b"], "t", "dark")
    ]


def test_several_functions_may_ask_for_the_query_or_not():
    app = App()

    def first(a: int = 1) -> int:
        return a

    def second(b: int) -> int:
        return b

    @app.get("/")
    def handler(x: int = Depends(first), y: int = Depends(second), c: str = "c") -> list:
        return [x, y, c]

    assert content(get(app, "/?b=2")) == [1, 2, "c"]
    assert content(get(app, "/?c=%61&a=3&b=2")) == [3, 2, "a"]
    assert faults(get(app, "/")) == [("query", "b", "missing")]


@dataclass
class User:
    name: str


def test_a_dependency_may_take_the_body():
    app = App()

    def author(user: User) -> str:
        return user.name

    @app.post("/")
    def handler(name: str = Depends(author)) -> str:
        return name

    assert send(app, "POST", "/", {"name": "Ada"}).body == b"Ada"
    assert faults(send(app, "POST", "/", {})) == [("body", "name", "missing")]


def test_handler_and_dependency_share_a_body_of_members():
    app = App()

    def author(user: Annotated[User, Body(embed=True)]) -> str:
        return user.name

    def count(number: Annotated[int, Body(embed=True)] = 1) -> int:
        return number

    @app.post("/")
    def handler(
        user: Annotated[User, Body(embed=True)],
        title: Annotated[str, Body(embed=True)],
        name: str = Depends(author),
        number: int = Depends(count),
    ) -> list:
        return [user.name, title, name, number]

    body = {"user": {"name": "Ada"}, "title": "t"}

    assert content(send(app, "POST", "/", body)) == ["Ada", "t", "Ada", 1]
    assert content(send(app, "POST", "/", {**body, "number": 5})) == ["Ada", "t", "Ada", 5]
    assert faults(send(app, "POST", "/", {"number": "x"})) == [
        ("body", "user", "missing"),
        ("body", "title", "missing"),
        ("body", "number", "int"),
    ]


def test_the_faults_of_all_parameters_are_told_at_once():
    app = App()
    called = []

    def paging(page: int, limit: int = 10) -> None:
        called.append("paging")

    def token(x_token: Annotated[int, Header()], page: int, _: None = Depends(paging)) -> None:
        called.append("token")

    @app.get("/{item_id}")
    async def handler(item_id: int, verbose: bool = False, _: None = Depends(token)) -> None: ...

    response = get(app, "/x?limit=y&verbose=z", headers=(("x-token", "t"),))

    assert faults(response) == [
        ("query", "page", "missing"),
        ("query", "limit", "int"),
        ("header", "x-token", "int"),
        ("path", "item_id", "int"),
        ("query", "verbose", "bool"),
    ]
    assert called == []


def test_one_that_refuses_comes_before_the_faults_of_those_behind_it():
    app = App(dependencies=[Depends(_refuse)])

    @app.get("/")
    def handler(page: int) -> None: ...

    assert get(app, "/?page=x").status == 401
    assert get(app, "/?page=x", headers=(("authorization", "yes"),)).status == 422


def _refuse(request: Request) -> None:
    if "authorization" not in request.headers:
        raise HTTPError(401)


@pytest.mark.parametrize("is_async", [False, True])
def test_those_of_application_router_and_route_come_first_in_that_order(is_async):
    calls = []

    def noting(name):
        async def note_async() -> None:
            calls.append(name)

        def note() -> None:
            calls.append(name)

        return Depends(note_async if is_async else note)

    outer = App(dependencies=[noting("outer")])
    app = App(dependencies=[noting("app"), noting("app 2")])
    router = Router("/r", dependencies=[noting("router")])
    inner = Router("/i", dependencies=[noting("inner")])

    @inner.get("/x", dependencies=[noting("route")])
    def handler(a: None = noting("own")) -> None:
        calls.append("handler")

    router.include(inner)
    app.include(router)
    outer.mount("/app", app)

    assert get(outer, "/app/r/i/x").status == 204
    assert calls == ["outer", "app", "app 2", "router", "inner", "route", "own", "handler"]


class Paging:
    def __init__(self, page: int = 1, limit: int = 10) -> None:
        self.first = (page - 1) * limit


@dataclass
class Filter:
    name: str
    paging: Paging = Depends()


class Limit:
    """Not hashable."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __eq__(self, other):
        return isinstance(other, Limit) and other.most == self.most

    __hash__ = None

    def __call__(self, size: int = 1) -> int:
        if size > self.most:
            raise HTTPError(413)
        return size

    async def later(self, size: int = 1) -> int:
        return self(size)


def test_classes_are_dependencies():
    app = App()

    @app.get("/")
    def handler(paging: Paging = Depends(), other: Filter = Depends(Filter)) -> list:
        return [paging.first, other.name, other.paging is paging]

    assert content(get(app, "/?page=3&limit=5&name=n")) == [10, "n", True]
    assert faults(get(app, "/?page=x")) == [("query", "page", "int"), ("query", "name", "missing")]


def test_objects_methods_and_partials_are_dependencies():
    app = App()
    limit = Limit(3)

    @app.get("/")
    def handler(
        a: int = Depends(limit), b: int = Depends(limit.later), c: int = Depends(partial(max, 5, 7))
    ) -> list:
        return [a, b]

    with pytest.raises(Exception, match="signature"):
        app.compile()

    app = App()

    @app.get("/")
    def fine(
        a: int = Depends(limit), b: int = Depends(limit.later), c: int = Depends(partial(limit, 2))
    ) -> list:
        return [a, b, c]

    assert content(get(app, "/?size=3")) == [3, 3, 2]
    assert get(app, "/?size=4").status == 413


def test_decorated_functions_are_dependencies():
    app = App()

    def passing_on(function):
        @wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)

        return inner

    @passing_on
    async def waiting(page: int) -> int:
        await asyncio.sleep(0)
        return page

    @passing_on
    def plain(page: int) -> int:
        return page + 1

    @app.get("/")
    def handler(a: int = Depends(waiting), b: int = Depends(plain)) -> list:
        return [a, b]

    assert content(get(app, "/?page=3")) == [3, 4]


variable: ContextVar[str] = ContextVar("variable", default="unset")


def test_a_def_handler_may_depend_on_async_def_and_stays_in_its_thread():
    app = App()
    loop_thread = []

    async def waiting() -> str:
        await asyncio.sleep(0)
        loop_thread.append(threading.current_thread())
        variable.set("waiting")
        return variable.get()

    def blocking(value: str = Depends(waiting)) -> tuple:
        before = variable.get()
        variable.set("blocking")
        return threading.current_thread(), before

    async def last(value: tuple = Depends(blocking)) -> str:
        assert threading.current_thread() is loop_thread[0]
        return variable.get()

    @app.get("/")
    def handler(
        first: tuple = Depends(blocking), value: str = Depends(last), same: tuple = Depends(blocking)
    ) -> list:
        here = threading.current_thread()
        return [first is same, first[1], value, variable.get(), here is not loop_thread[0]]

    with TestClient(app) as client:
        assert client.get("/").json() == [True, "waiting", "blocking", "blocking", True]
        assert loop_thread[0].name == "test-client"


def test_run_says_where_a_def_dependency_runs():
    app = App()

    def where() -> str:
        return threading.current_thread().name.partition("-")[0].partition("_")[0]

    other = partial(where)
    third = partial(where)

    @app.get("/async")
    async def waiting(a: str = Depends(where), b: str = Depends(other, run="thread")) -> list:
        return [a, b]

    @app.get("/inline", run="inline")
    def inline(a: str = Depends(where), b: str = Depends(other, run="thread")) -> list:
        return [a, b, where()]

    @app.get("/thread")
    def thread(
        a: str = Depends(where),
        b: str = Depends(other, run="inline"),
        c: str = Depends(third, run="thread"),
        d: str = Depends(database),
    ) -> list:
        return [a, b, c, where()]

    with TestClient(app) as client:
        assert client.get("/async").json() == ["test", "penstock"]
        assert client.get("/inline").json() == ["test", "penstock", "test"]
        assert client.get("/thread").json() == ["penstock", "test", "penstock", "penstock"]


@pytest.mark.parametrize("error", [HTTPError(409), StopIteration(), KeyError("x"), SystemExit()])
@pytest.mark.parametrize("kind", ["plain", "async", "hop"])
def test_what_a_dependency_raises_is_answered(error, kind):
    app = App()

    def failing() -> None:
        raise error

    async def failing_async() -> None:
        raise error

    app.get("/")(
        {
            "plain": _handler_of(Depends(failing)),
            "async": _handler_of(Depends(failing_async)),
            "hop": _handler_of(Depends(failing), Depends(database)),
        }[kind]
    )
    expected = 409 if isinstance(error, HTTPError) else 500

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/").status == expected


def _handler_of(first, second=None):
    def handler(a: object = first, b: object = second or Depends(settings)) -> None:
        raise AssertionError("never called")

    return handler


def test_an_async_generator_handler_may_depend_on_async_def():
    app = App()

    @app.get("/")
    async def stream(value: str = Depends(database)):
        yield value
        yield "!"

    with TestClient(app) as client:
        assert client.get("/").text == "db://x!"


def test_a_handler_in_another_process_gets_the_values():
    app = App()
    app.get("/", run="process")(in_process)

    with TestClient(app) as client:
        assert client.get("/?number=2").json() == [2, "db://x", True]


def number_of(number: int) -> tuple:
    return number, threading.current_thread() is threading.main_thread()


def in_process(found: tuple = Depends(number_of), value: str = Depends(database)) -> list:
    return [found[0], value, threading.current_thread() is threading.main_thread()]


def test_a_websocket_may_depend_on_anything():
    app = App()

    async def user(token: str) -> str:
        await asyncio.sleep(0)
        if token != "right":
            raise HTTPError(401)
        return "Ada"

    def where(websocket: WebSocket) -> str:
        return threading.current_thread().name.partition("_")[0]

    other = partial(where)

    @app.websocket("/ws", dependencies=[Depends(user)])
    async def talk(
        websocket: WebSocket,
        room: int = 1,
        name: str = Depends(user),
        a: str = Depends(where),
        b: str = Depends(other, run="thread"),
    ) -> None:
        await websocket.accept()
        await websocket.send_json([name, room, a, b])

    with TestClient(app) as client:
        with client.websocket("/ws?token=right&room=2") as connection:
            assert connection.receive_json() == ["Ada", 2, "test-client", "penstock"]
        for target, status in (("/ws?token=wrong", 401), ("/ws?token=right&room=x", 422)):
            with pytest.raises(WebSocketRefused) as caught, client.websocket(target):
                pass
            assert caught.value.reply.status == status


def test_a_dependency_may_answer_by_an_error_handler():
    app = App()

    class NoUser(Exception):
        pass

    @app.exception_handler(NoUser)
    def login(request: Request, error: NoUser) -> JSONResponse:
        return JSONResponse({"login": "/login"}, 401)

    def user() -> None:
        raise NoUser

    @app.get("/", dependencies=[Depends(user)])
    async def handler() -> None: ...

    assert get(app, "/").status == 401
