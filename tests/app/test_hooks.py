import asyncio

import pytest

from penstock.app.application import App
from penstock.errors import HTTPError
from penstock.http.request import Request
from penstock.http.response import Response
from tests.app.driver import get, send


@pytest.fixture
def app():
    app = App()

    @app.get("/def/{n}")
    def plain(n: int) -> int:
        return 10 // n

    @app.get("/async/{n}")
    async def coroutine(n: int) -> int:
        await asyncio.sleep(0)
        return 10 // n

    return app


EVERY = [
    ("GET", "/def/1", 200),
    ("GET", "/async/1", 200),
    ("GET", "/def/0", 500),
    ("GET", "/async/0", 500),
    ("GET", "/def/x", 422),
    ("GET", "/async/x", 422),
    ("GET", "/nothing", 404),
    ("PUT", "/def/1", 405),
    ("OPTIONS", "/def/1", 204),
    ("GET", "/..", 400),
    ("GET", "/%FF", 400),
]


@pytest.mark.parametrize(("method", "target", "status"), EVERY)
def test_hooks_see_every_request_and_every_answer(app, method, target, status):
    seen = []
    app.before(lambda request: seen.append(request.method))

    @app.after
    def mark(request, response):
        seen.append(response.status)
        response.headers["X-Mark"] = "1"

    response = send(app, method, target)

    assert seen == [method, status]
    assert (response.status, response.headers["x-mark"]) == (status, "1")


def test_hooks_nest(app):
    seen = []
    app.before(lambda request: seen.append("before 1"))
    app.before(lambda request: seen.append("before 2"))
    app.after(lambda request, response: seen.append("after 1"))
    app.after(lambda request, response: seen.append("after 2"))

    get(app, "/def/1")

    assert seen == ["before 1", "before 2", "after 2", "after 1"]


@pytest.mark.parametrize("target", ["/def/1", "/async/1", "/nothing"])
def test_a_before_hook_may_answer(app, target):
    seen = []
    app.before(lambda request: Response(b"closed", 503))
    app.before(lambda request: seen.append("never"))
    app.after(lambda request, response: seen.append(response.status))

    assert (get(app, target).body, seen) == (b"closed", [503])


def test_an_after_hook_may_return_another_response(app):
    app.after(lambda request, response: Response(b"other"))

    assert get(app, "/def/1").body == b"other"


@pytest.mark.parametrize("target", ["/def/1", "/async/1", "/nothing"])
def test_a_before_hook_that_raises_is_answered_like_a_handler(app, target):
    @app.before
    def refuse(request):
        raise HTTPError(401)

    seen = []
    app.after(lambda request, response: seen.append(response.status))

    assert (get(app, target).status, seen) == (401, [401])


@pytest.mark.parametrize("target", ["/def/1", "/async/1", "/nothing"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_async_exception_handlers_answer_under_hooks(app, target, kind):
    async def asynchronous(request, error):
        await asyncio.sleep(0)
        return "async"

    app.exception_handler(KeyError)(asynchronous if kind == "async" else lambda request, error: "sync")
    app.before(lambda request: {}["x"])
    app.after(lambda request, response: response.headers.set("X-After", "1"))

    response = get(app, target)

    assert (response.body.decode(), response.headers["x-after"]) == (kind, "1")


@pytest.mark.parametrize("target", ["/def/1", "/async/1", "/nothing"])
def test_an_after_hook_that_raises_is_a_logged_500_and_the_others_still_run(app, target, caplog):
    app.after(lambda request, response: response.headers.set("X-First", "1"))
    app.after(lambda request, response: 1 / 0)

    response = get(app, target)

    assert (response.status, response.headers["x-first"]) == (500, "1")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("hook", ["before", "after"])
def test_a_hook_that_returns_anything_else_is_a_logged_500(app, hook, caplog):
    getattr(app, hook)(lambda *args: "text")

    assert get(app, "/def/1").status == 500
    assert "hook returns None or a Response, not str" in caplog.text


def test_hooks_see_the_route_the_parameters_and_the_resolved_path(app):
    seen = []
    app.before(lambda request: seen.append((request.route, request.path_params, request.path)))

    get(app, "/x/../def/1")

    assert seen == [("/def/{n}", {"n": "1"}, "/def/1")]


def test_hooks_of_a_mounted_application_are_inside_and_for_its_routes_only(app):
    inner, seen = App(), []
    inner.get("/x")(lambda: "x")
    inner.before(lambda request: seen.append("inner before"))
    inner.after(lambda request, response: seen.append("inner after"))
    app.before(lambda request: seen.append("outer before"))
    app.after(lambda request, response: seen.append("outer after"))
    app.mount("/in", inner)

    get(app, "/in/x")
    get(app, "/in/nothing")

    assert seen == [
        "outer before",
        "inner before",
        "inner after",
        "outer after",
        "outer before",
        "outer after",
    ]


def test_without_hooks_the_plan_stands_alone(app):
    assert app.resolve(Request.build(target="/def/1")).call is app.compile().plans[0][1].call
