"""Hooks by scope and by kind: order, async ones, `around`, `on_error`, and whose response is changed."""

import asyncio
from contextvars import ContextVar

import pytest

from penstock import App, HTTPError, Request, Response, Router, StreamResponse, TestClient
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, THREAD
from penstock.http.response_copy import own_copy
from tests.app.driver import get, send

seen = ContextVar("seen", default="nothing")


class Both:
    """Notes when it is passed, and in which form."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def before(self, request):
        self.log.append(f"{self.name} before")

    def after(self, request, response):
        self.log.append(f"{self.name} after {response.status}")


class Async(Both):
    async def before(self, request):
        await asyncio.sleep(0)
        self.log.append(f"{self.name} before")

    async def after(self, request, response):
        await asyncio.sleep(0)
        self.log.append(f"{self.name} after {response.status}")


class Around(Both):
    def around(self, request, call_next):
        self.log.append(f"{self.name} in")
        response = call_next(request)
        self.log.append(f"{self.name} out {response.status}")
        return response

    async def aaround(self, request, call_next):
        self.log.append(f"{self.name} in")
        response = await call_next(request)
        self.log.append(f"{self.name} out {response.status}")
        return response


class Asks:
    """Both forms of everything, noting which one ran."""

    def __init__(self, log):
        self.log = log

    def before(self, request):
        self.log.append("plain")

    async def abefore(self, request):
        self.log.append("async")

    def after(self, request, response):
        self.log.append("plain")

    async def aafter(self, request, response):
        self.log.append("async")

    def around(self, request, call_next):
        self.log.append("plain")
        return call_next(request)

    async def aaround(self, request, call_next):
        self.log.append("async")
        return await call_next(request)

    def on_error(self, request, error):
        self.log.append("plain")

    async def aon_error(self, request, error):
        self.log.append("async")


def make_app(make_hooks, places=("def", "inline", "async")):
    """Handlers under hooks; `make_hooks(scope)` for each of three scopes."""
    app, router = App(hooks=make_hooks("app")), Router("/r", hooks=make_hooks("router"))
    route = make_hooks("route")

    def plain(n: int) -> int:
        return 10 // n

    async def coroutine(n: int) -> int:
        await asyncio.sleep(0)
        return 10 // n

    if "def" in places:
        router.get("/def/{n}", hooks=route)(plain)
    if "inline" in places:
        router.get("/inline/{n}", hooks=route, run="inline")(plain)
    if "async" in places:
        router.get("/async/{n}", hooks=route)(coroutine)
    app.include(router)
    return app


PLACES = ["def", "inline", "async"]
STATUS = {"1": 200, "0": 500, "x": 422}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", ["1", "0", "x"])
@pytest.mark.parametrize("kind", [Both, Async])
def test_the_application_is_outermost_then_routers_then_the_route(place, number, kind):
    log = []
    app = make_app(lambda scope: [kind(f"{scope} 1", log), kind(f"{scope} 2", log)])
    app.before(lambda request: log.append("decorator before"))

    assert get(app, f"/r/{place}/{number}").status == STATUS[number]

    names = ["app 1", "app 2", "router 1", "router 2", "route 1", "route 2"]
    before = [f"{name} before" for name in names]
    before.insert(2, "decorator before")
    assert log == before + [f"{name} after {STATUS[number]}" for name in reversed(names)]


@pytest.mark.parametrize("place", PLACES)
def test_an_around_has_what_is_declared_after_it_inside(place):
    log = []
    app = make_app(
        lambda scope: [Both("first", log), Around("wrap", log), Async("last", log)] if scope == "app" else []
    )

    assert get(app, f"/r/{place}/1").status == 200

    assert log == [
        *("first before", "wrap before", "wrap in", "last before"),
        *("last after 200", "wrap out 200", "wrap after 200", "first after 200"),
    ]


@pytest.mark.parametrize("place", PLACES)
def test_what_answers_ahead_of_an_around_spares_it(place):
    log = []

    class Closed:
        def before(self, request):
            return Response(b"closed", 503)

    app = make_app(lambda scope: [Both("first", log), Closed(), Both("beside", log), Around("wrap", log)])

    assert get(app, f"/r/{place}/1").body == b"closed"
    assert log == ["first before", "wrap after 503", "beside after 503", "first after 503"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", ["1", "0"])
def test_an_around_may_answer_itself_or_change_the_answer(place, number):
    log = []

    class Refuses:
        async def around(self, request, call_next):
            return Response(b"refused", 403)

    class Changes:
        async def around(self, request, call_next):
            response = await call_next(request)
            return Response(response.body, 418)

    for hooks, status in [([Refuses(), Both("in", log)], 403), ([Changes()], 418)]:
        app = make_app(lambda scope, hooks=hooks: hooks if scope == "router" else [])
        assert get(app, f"/r/{place}/{number}").status == status
    assert log == []


@pytest.mark.parametrize("place", PLACES)
def test_a_form_is_chosen_by_where_the_route_runs(place):
    log = []
    app = make_app(lambda scope: [Asks(log)] if scope == "route" else [])

    get(app, f"/r/{place}/0")

    assert log == ["plain" if place == "def" else "async"] * 4


def test_without_async_hooks_no_route_becomes_a_task():
    log = []
    app = make_app(lambda scope: [Both(scope, log)])
    app.on_error(lambda request, error: None)
    runs = [app.resolve(Request.build(target=f"/r/{place}/1")).run for place in PLACES]
    assert runs == [THREAD, INLINE, TASK]

    app = make_app(lambda scope: [Async(scope, log)] if scope == "app" else [])
    runs = [app.resolve(Request.build(target=f"/r/{place}/1")).run for place in PLACES]
    assert runs == [TASK, TASK, TASK]
    assert app.resolve(Request.build(target="/nothing")).run == TASK


def test_a_form_that_is_none_is_none():
    class InMemory(Asks):
        abefore = aafter = aaround = aon_error = None

    app = make_app(lambda scope: [InMemory([])] if scope == "route" else [], ["inline"])

    assert app.resolve(Request.build(target="/r/inline/1")).run == INLINE


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["before", "after", "around"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_what_a_hook_raises_is_answered_by_the_exception_handlers(place, name, kind):
    log, places = [], PLACES
    if (name, kind) == ("around", "plain"):  # refused at the start for others
        places = ["def", "inline"]
        place = "def" if place == "async" else place

    def plain(request, *others):
        raise HTTPError(409, "busy")

    async def later(request, *others):
        await asyncio.sleep(0)
        raise HTTPError(409, "busy")

    class Raises:
        pass

    setattr(Raises, name, staticmethod(plain if kind == "plain" else later))
    app = make_app(lambda scope: {"route": [Raises()], "app": [Both("app", log)]}.get(scope, []), places)
    app.exception_handler(409)(later_answer if kind == "async" else plain_answer)

    response = get(app, f"/r/{place}/1")

    assert (response.status, response.body, log) == (409, b"handled busy", ["app before", "app after 409"])


def plain_answer(request, error):
    return f"handled {error.detail}"


async def later_answer(request, error):
    await asyncio.sleep(0)
    return f"handled {error.detail}"


@pytest.mark.parametrize("place", PLACES)
def test_async_handlers_of_what_a_plain_after_raises_let_the_others_run(place):
    app = make_app(lambda scope: [])
    app.after(lambda request, response: response.headers.set("X-Outer", str(response.status)))

    @app.after
    def fail(request, response):
        raise HTTPError(409, "busy")

    app.exception_handler(409)(later_answer)

    response = get(app, f"/r/{place}/1")

    assert (response.body, response.headers["x-outer"]) == (b"handled busy", "409")


@pytest.mark.parametrize("place", [*PLACES, "nothing"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_on_error_sees_what_nobody_expected_and_may_answer(place, kind, caplog):
    app, errors = make_app(lambda scope: []), []

    def plain(request, error):
        errors.append(type(error))
        return Response(b"sorry", 503)

    async def later(request, error):
        await asyncio.sleep(0)
        return plain(request, error)

    app.on_error(lambda request, error: errors.append("never"))
    app.on_error(plain if kind == "plain" else later)
    seen_last = []
    app.on_error(lambda request, error: seen_last.append(type(error)))
    if place == "nothing":
        app.exception_handler(404)(lambda request, error: {}["x"])  # not the handlers' own failures

    assert get(app, f"/r/{place}/x").status in (422, 404, 500)
    assert errors == []
    if place == "nothing":
        return
    response = get(app, f"/r/{place}/0")
    assert (response.status, response.body) == (503, b"sorry")
    assert errors == seen_last == [ZeroDivisionError]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("place", PLACES)
def test_on_error_that_answers_nothing_leaves_it_to_the_handler_for_500(place, caplog):
    app, log = make_app(lambda scope: []), []

    async def later(request, error):
        log.append("async")

    app.on_error(later)
    app.on_error(lambda request, error: log.append("plain"))
    app.exception_handler(500)(lambda request, error: "the last resort")

    assert get(app, f"/r/{place}/0").body == b"the last resort"
    assert log == ["plain", "async"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_on_error_that_fails_is_a_logged_500(kind, caplog):
    app = make_app(lambda scope: [])

    async def later(request, error):
        raise KeyError

    app.on_error((lambda request, error: {}["x"]) if kind == "plain" else later)

    assert get(app, "/r/def/0").status == 500
    assert [record.args[3] for record in caplog.records] == ["ZeroDivisionError", "KeyError"]


def test_on_error_of_scopes_is_asked_innermost_first():
    log = []

    class Notes:
        def __init__(self, name):
            self.name = name

        def on_error(self, request, error):
            log.append(self.name)

    app = make_app(lambda scope: [Notes(f"{scope} 1"), Notes(f"{scope} 2")])
    get(app, "/r/def/0")

    assert log == ["route 2", "route 1", "router 2", "router 1", "app 2", "app 1"]


@pytest.mark.parametrize("place", ["def", "inline", "async"])
def test_context_variables_are_seen_both_ways(place):
    values = []

    class Sets:
        async def before(self, request):
            seen.set("hook")

        async def after(self, request, response):
            values.append(seen.get())

    class Wraps:
        async def around(self, request, call_next):
            response = await call_next(request)
            values.append(seen.get())
            return response

    app = App(hooks=[Sets(), Wraps()])

    def plain() -> str:
        found = seen.get()
        seen.set("handler")
        return found

    async def later() -> str:
        return plain()

    options = {"run": "inline"} if place == "inline" else {}
    app.get("/", **options)(later if place == "async" else plain)

    with TestClient(app) as client:
        assert client.get("/").text == "hook"
    assert values == ["handler", "handler"]


def test_a_stream_passes_an_around_piece_by_piece():
    made = []

    class Wraps:
        async def around(self, request, call_next):
            response = await call_next(request)
            response.headers["X-Wrapped"] = "1"
            made.append("answered")
            return response

    app = App(hooks=[Wraps()])

    @app.get("/")
    async def stream() -> Response:
        async def pieces():
            for number in range(3):
                made.append(number)
                yield str(number)

        return StreamResponse(pieces())

    with TestClient(app) as client:
        reply = client.get("/")
        assert (reply.text, reply.headers["x-wrapped"]) == ("012", "1")
    assert made == ["answered", 0, 1, 2]


# Whose response it is.


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["after", "around"])
def test_a_response_that_is_kept_stays_as_it_was(place, name):
    kept = Response(b"kept", 200, {"X-Own": "1"})

    class Marks:
        def after(self, request, response):
            response.headers.append("X-Mark", "1")

    class Wraps:
        async def around(self, request, call_next):
            response = await call_next(request)
            response.headers.append("X-Mark", "1")
            return response

    hook = Marks() if name == "after" else Wraps()
    app = App(hooks=[hook])

    def plain() -> Response:
        return kept

    async def later() -> Response:
        return kept

    options = {"run": "inline"} if place == "inline" else {}
    app.get("/", **options)(later if place == "async" else plain)

    for _ in range(2):
        assert get(app, "/").headers.get_all("x-mark") == ["1"]
    assert kept.headers.lines() == [("X-Own", "1")]


def test_hooks_that_keep_nothing_share_one_copy():
    copies, kept = [], Response(b"kept")

    class Adds:
        copies = True

        def __init__(self, name):
            self.name = name

        def after(self, request, response):
            response = own_copy(response, request)
            copies.append(response)
            response.headers[self.name] = "1"
            return response

    app = App(hooks=[Adds("a"), Adds("b")])
    app.get("/", hooks=[Adds("c"), Adds("d")])(lambda: kept)

    response = get(app, "/")

    assert len({id(one) for one in copies}) == 1
    assert list(response.headers.keys()) == ["d", "c", "b", "a"]
    assert kept.own_headers is None


@pytest.mark.parametrize("kind", ["after", "around"])
def test_what_a_hook_keeps_is_not_changed_any_more(kind):
    """A hook that keeps answers for others must not keep what hooks further out add for one client."""
    kept = {}

    class Keeps:
        def before(self, request):
            return kept.get(request.raw_path)

    if kind == "after":
        Keeps.after = lambda self, request, response: kept.setdefault(request.raw_path, response) and None
    else:

        def around(self, request, call_next):
            response = kept[request.raw_path] = call_next(request)
            return response

        Keeps.around = around

    class Tells:
        copies = True

        def after(self, request, response):
            response = own_copy(response, request)
            response.set_cookie("who", request.headers["x-who"])
            return response

    app = App(hooks=[Tells(), Keeps(), Tells()])
    app.get("/")(lambda: "hello")

    first = send(app, "GET", "/", headers=(("x-who", "a"),))
    inside = len(kept[b"/"].headers.get_all("set-cookie"))
    second = send(app, "GET", "/", headers=(("x-who", "b"),))

    assert len(first.headers.get_all("set-cookie")) == 2
    assert inside == len(kept[b"/"].headers.get_all("set-cookie")) == 1
    assert second.headers.get_all("set-cookie")[-1].startswith("who=b")


# What is wrong is told at the start.


def test_a_plain_around_on_the_loop_is_told_at_the_start():
    app = make_app(lambda scope: [])

    @app.around
    def wrap(request, call_next):
        return call_next(request)

    with pytest.raises(ApplicationError, match=r"GET /r/async/\{n\}.*wrap \(.*plain.*aaround"):
        app.compile()


def test_a_plain_around_with_an_async_exception_handler_is_told_at_the_start():
    app = App()
    app.get("/")(lambda: "x")
    app.around(lambda request, call_next: call_next(request))
    app.exception_handler(KeyError)(later_answer)

    with pytest.raises(ApplicationError, match="an exception handler or `on_error` of this route is async"):
        app.compile()


class _TwoAsync:
    async def before(self, request): ...

    async def abefore(self, request): ...


class _PlainForm:
    def abefore(self, request): ...


@pytest.mark.parametrize(
    ("hook", "message"),
    [(_TwoAsync(), "and so is `abefore`; keep one"), (_PlainForm(), "`abefore` must be async def")],
)
def test_wrong_forms_are_told_at_the_start(hook, message):
    app = App(hooks=[hook])

    with pytest.raises(ApplicationError, match=message):
        app.compile()


@pytest.mark.parametrize("hooks", [[object()], [Both], "text", 7, [type("X", (), {"before": 7})()]])
def test_what_is_no_hook_is_refused_where_it_is_declared(hooks):
    for declare in (App, Router, lambda hooks: App().get("/", hooks=hooks)(lambda: "")):
        with pytest.raises(ApplicationError, match="hooks"):
            declare(hooks=hooks)


def test_a_decorator_takes_a_function_before_the_start():
    app = App()
    with pytest.raises(ApplicationError, match="before takes a function, not int"):
        app.before(7)
    app.compile()
    with pytest.raises(ApplicationError, match="started"):
        app.on_error(lambda request, error: None)


def test_a_router_has_the_decorators_too():
    app, router, log = App(), Router("/r"), []
    router.before(lambda request: log.append(request.route))
    router.get("/x")(lambda: "x")
    app.include(router)

    get(app, "/r/x")
    get(app, "/r/nothing")

    assert log == ["/r/x"]


@pytest.mark.parametrize("place", PLACES)
def test_a_plain_before_that_returns_a_coroutine_is_a_logged_500(place, caplog):
    async def later():
        return None

    coroutine = later()
    app = make_app(lambda scope: [])
    app.before(lambda request: coroutine)

    response = get(app, f"/r/{place}/1")

    if place == "async":
        assert response.status == 200  # it is awaited where everything is
    else:
        assert response.status == 500
        assert "hook returns None or a Response, not coroutine" in caplog.text
        coroutine.close()
