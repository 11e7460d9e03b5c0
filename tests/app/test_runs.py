"""Where handlers run: what contradicts is refused, run="process" calls through the server."""

import functools

import pytest

from penstock.app.application import App
from penstock.errors import ApplicationError, HTTPError
from penstock.http.handler import TASK
from penstock.http.request import Request
from tests.app.driver import answer, content, faults


def square(n: int, *, plus: int = 0) -> int:
    return n * n + plus


def refuse(n: int) -> None:
    raise HTTPError(409, "no")


def generate():
    yield b"x"


def takes_request(request): ...


def twice(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@twice
def decorated(n: int) -> int:
    return n


hidden = twice(square)


class Shop:
    @staticmethod
    def item(n: int) -> int:
        return n

    def method(self, n: int) -> int:
        return n


async def coroutine(): ...
async def agenerator():
    yield b"x"


class FakeServer:
    """Runs in this process what a server would run in another."""

    def __init__(self):
        self.calls = []

    async def run_in_process(self, function, *args):
        self.calls.append((function, args))
        return function(*args)


class FakeConnection:
    scheme, client = "http", None

    def __init__(self, server):
        self.server = server


def through_server(app, target):
    request = Request.build(target=target)
    request.connection = FakeConnection(server := FakeServer())
    return answer(app, request), server


def test_a_process_handler_gets_its_arguments_through_the_server():
    app = App()
    app.get("/{n}", run="process", status=203)(square)

    response, server = through_server(app, "/7?plus=1")

    assert (response.status, content(response)) == (203, 50)
    ((function, args),) = server.calls
    assert (function.func, function.keywords, args) == (square, {"plus": 1}, (7,))
    assert app.resolve(Request.build(target="/7")).run == TASK


def test_a_process_handler_is_bound_before_it_leaves():
    app = App()
    app.get("/{n}", run="process")(square)

    response, server = through_server(app, "/x?plus=y")

    assert faults(response) == [("path", "n", "int"), ("query", "plus", "int")]
    assert not server.calls


def test_what_a_process_handler_raises_is_answered():
    app = App()
    app.get("/{n}", run="process")(refuse)

    assert through_server(app, "/7")[0].status == 409


def test_a_process_handler_without_server_is_a_500_that_says_so(caplog):
    app = App()
    app.get("/{n}", run="process")(square)

    assert answer(app, Request.build(target="/7")).status == 500
    assert "came through no server" in caplog.text


@pytest.mark.parametrize("handler", [decorated, Shop.item])
def test_functions_another_process_can_find_are_accepted(handler):
    app = App()
    app.get("/{n}", run="process")(handler)

    app.compile()


def _local():
    def inner(n: int) -> int:
        return n

    return inner


def _in_main():
    def square(n: int): ...

    square.__module__, square.__qualname__ = "__main__", "square"
    return square


@pytest.mark.parametrize(
    ("handler", "part"),
    [
        (lambda n: n, "defined with def at module level"),
        (_local(), "defined inside another"),
        (_in_main(), "cannot import __main__"),
        (Shop().method, "defined with def at module level"),
        (functools.partial(square, n=1), "defined with def at module level"),
        (print, "cannot be read|defined with def|name each one"),
        (hidden, "is something else"),
        (generate, "cannot send a generator back"),
        (takes_request, "parameter 'request': a connection cannot go to another process"),
    ],
)
def test_what_another_process_cannot_find_is_refused(handler, part):
    app = App()
    app.get("/", run="process", name="x")(handler)

    with pytest.raises(ApplicationError, match=part):
        app.compile()


@pytest.mark.parametrize("handler", [coroutine, agenerator, functools.partial(coroutine), twice])
@pytest.mark.parametrize("run", ["inline", "thread", "process"])
def test_async_def_runs_nowhere_else(handler, run):
    if handler is twice:
        handler = type("C", (), {"__call__": coroutine})()
    app = App()
    app.get("/", run=run)(handler)

    with pytest.raises(ApplicationError, match=f"remove run='{run}'"):
        app.compile()


@pytest.mark.parametrize(
    ("options", "handler", "part"),
    [
        ({"run": "fork"}, square, "expected 'inline', 'thread' or 'process'"),
        ({"cancel_on_disconnect": True}, square, "needs an async def"),
        ({"cancel_on_disconnect": True}, agenerator, "needs an async def"),
        ({"status": 99}, square, "expected 200 to 599"),
        ({"status": "201"}, square, "expected 200 to 599"),
        ({"status": True}, square, "expected 200 to 599"),
        ({"body_limit": -1}, square, "a number of octets"),
        ({"body_limit": "1M"}, square, "a number of octets"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, handler, part):
    app = App()
    app.get("/", **options)(handler)

    with pytest.raises(ApplicationError, match=f"{handler.__name__}.*{part}"):
        app.compile()
