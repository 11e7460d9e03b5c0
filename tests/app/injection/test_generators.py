"""Dependencies with `yield`: they see what the handler raises, and go on once the reply is out."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock import App, AsyncTestClient, Depends, HTTPError, Request, StreamResponse, TestClient, WebSocket
from penstock.errors import ApplicationError, WebSocketDisconnect, WebSocketRefused

KINDS = ["thread", "inline", "task", "mixed", "hop", "wrapped"]


class Scene:
    """An application with one handler of some kind, and what has happened."""

    def __init__(self, kind: str) -> None:
        self.events: list[object] = []
        self.app = App()
        self.kind = kind

    def depends(self, name: str = "dep", change=None):
        """A dependency that tells what it sees; `change(error)` makes another exception, None swallows it."""
        events, kind = self.events, self.kind

        def plain():
            events.append(f"open {name}")
            try:
                yield name
            except BaseException as error:
                events.append((name, type(error).__name__))
                if change is None:
                    raise
                other = change(error)
                if other is not None:
                    raise other from None
            finally:
                events.append(f"close {name}")

        async def waiting():
            await asyncio.sleep(0)
            inner = plain()
            events.append("async")
            value = next(inner)
            try:
                yield value
            except BaseException as error:
                try:
                    inner.throw(error)
                except StopIteration:
                    return
            else:
                await asyncio.sleep(0)
                next(inner, None)

        if kind in ("thread", "inline"):
            return Depends(plain)
        if kind == "hop":
            return Depends(plain, run="thread")
        if kind == "wrapped":
            return Depends(contextmanager(plain))
        return Depends(waiting)

    def handle(self, result, *dependencies, path: str = "/"):
        """Declare a handler that returns, or raises, `result`."""
        events = self.events

        def make():
            events.append("handler")
            if isinstance(result, BaseException):
                raise result
            return result() if callable(result) else result

        def plain():
            return make()

        async def waiting():
            return make()

        handler = waiting if self.kind in ("task", "hop") else plain
        run = "inline" if self.kind == "inline" else None
        options = {"run": run} if run else {}
        self.app.get(path, dependencies=dependencies, **options)(handler)

    def get(self, path: str = "/", **options):
        with TestClient(self.app, **options) as client:
            reply = client.get(path)
        self.events[:] = [event for event in self.events if event != "async"]
        return reply


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_behind_the_yield_runs_after_the_handler_in_reverse(kind):
    scene = Scene(kind)
    scene.handle("x", scene.depends("a"), scene.depends("b"))

    assert scene.get().text == "x"
    assert scene.events == ["open a", "open b", "handler", "close b", "close a"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("error", "status"),
    [(HTTPError(404), 404), (KeyError("k"), 500), (StopIteration(), 500), (SystemExit(), 500)],
)
def test_what_the_handler_raises_goes_through_every_dependency(kind, error, status):
    scene = Scene(kind)
    scene.handle(error, scene.depends("a"), scene.depends("b"))

    assert scene.get(raise_server_exceptions=False).status == status
    name = type(error).__name__
    if isinstance(error, StopIteration) and kind in ("task", "mixed", "hop"):
        name = "RuntimeError"  # PEP 479: no coroutine lets it through
    assert scene.events[3:] == [("b", name), "close b", ("a", name), "close a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_dependency_makes_another_error_of_it(kind):
    scene = Scene(kind)

    def change(error):
        return HTTPError(404, "no such thing") if isinstance(error, KeyError) else error

    scene.handle(KeyError("k"), scene.depends("a"), scene.depends("b", change))

    assert scene.get().status == 404
    assert scene.events[3:] == [("b", "KeyError"), "close b", ("a", "HTTPError"), "close a"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("error", "status"), [(HTTPError(404), 404), (KeyError("k"), 500)])
def test_an_error_that_is_swallowed_is_answered_all_the_same(kind, error, status):
    scene = Scene(kind)
    scene.handle(error, scene.depends("a"), scene.depends("b", lambda error: None))

    assert scene.get(raise_server_exceptions=False).status == status
    assert scene.events[3:] == [
        ("b", type(error).__name__),
        "close b",
        ("a", type(error).__name__),
        "close a",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_later_dependency_raises_closes_those_before(kind):
    scene = Scene(kind)

    def failing():
        raise HTTPError(401)

    scene.handle("never", scene.depends("a"), Depends(failing), scene.depends("b"))

    assert scene.get().status == 401
    assert scene.events == ["open a", ("a", "HTTPError"), "close a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_is_no_response_is_seen_as_an_error(kind):
    scene = Scene(kind)
    scene.handle(lambda: {"x": object()}, scene.depends("a"))

    assert scene.get(raise_server_exceptions=False).status == 500
    assert scene.events == ["open a", "handler", ("a", "TypeError"), "close a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_sent_before(kind):
    scene = Scene(kind)

    def pieces():
        for number in range(3):
            scene.events.append(number)
            yield b"x"

    scene.handle(lambda: StreamResponse(pieces()), scene.depends("a"))

    assert scene.get().content == b"xxx"
    assert scene.events == ["open a", "handler", 0, 1, 2, "close a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_fails_is_seen(kind):
    scene = Scene(kind)

    def pieces():
        yield b"x"
        raise KeyError("in the stream")

    scene.handle(lambda: StreamResponse(pieces()), scene.depends("a"))

    with pytest.raises(KeyError, match="in the stream"):
        scene.get()
    scene.events[:] = [event for event in scene.events if event != "async"]
    assert scene.events == ["open a", "handler", ("a", "KeyError"), "close a"]


def test_a_fault_behind_the_reply_is_logged_with_the_trace_id(caplog):
    app = App()

    def failing():
        yield
        raise KeyError("secret")

    async def failing_async():
        yield
        raise KeyError("secret")

    def yields_twice():
        yield
        yield

    async def yields_twice_async():
        yield
        yield

    several = (failing, failing_async, yields_twice, yields_twice_async)

    @app.get("/", dependencies=[Depends(one) for one in several])
    async def handler(request: Request) -> str:
        return request.trace_id

    with caplog.at_level(logging.ERROR), TestClient(app) as client:
        trace_id = client.get("/").text

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert all(trace_id in message for message in told)
    assert [
        name in message for message, name in zip(told, [one.__name__ for one in several[::-1]], strict=True)
    ]
    assert ["KeyError" in message for message in told] == [False, False, True, True]
    assert not any("secret" in message for message in told)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_dependency_has_to_get_to_its_yield(is_async):
    app = App()

    def never():
        if app is None:
            yield

    async def never_async():
        if app is None:
            yield

    @app.get("/", dependencies=[Depends(never_async if is_async else never)])
    def handler() -> None: ...

    with pytest.raises(RuntimeError, match=r"never.* a dependency with `yield` has to get there"):
        TestClient(app).get("/")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_dependency_that_yields_again_instead_of_ending_is_an_error(is_async):
    app = App()

    def again():
        try:
            yield
        except KeyError:
            yield

    async def again_async():
        try:
            yield
        except KeyError:
            yield

    @app.get("/", dependencies=[Depends(again_async if is_async else again)])
    def handler() -> None:
        raise KeyError

    with pytest.raises(RuntimeError, match="a dependency yields twice"):
        TestClient(app).get("/")


def test_one_generator_serves_all_that_depend_on_it():
    events = []

    def session():
        events.append("open")
        yield len(events)
        events.append("close")

    def left(number: int = Depends(session)) -> int:
        return number

    async def right(number: int = Depends(session)):
        yield number
        events.append("right")

    app = App()

    @app.get("/")
    def handler(a: int = Depends(left), b: int = Depends(right), c: int = Depends(session)) -> list:
        events.append("handler")
        return [a, b, c]

    with TestClient(app) as client:
        assert client.get("/").json() == [1, 1, 1]
    assert events == ["open", "handler", "right", "close"]


variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.mark.parametrize("kind", KINDS)
def test_a_context_variable_is_set_for_the_handler_and_reset_behind_it(kind, caplog):
    app = App()

    def plain():
        token = variable.set("set")
        yield
        variable.reset(token)

    async def waiting():
        token = variable.set("set")
        await asyncio.sleep(0)
        yield
        await asyncio.sleep(0)
        variable.reset(token)

    dependencies = {
        "thread": [Depends(plain)],
        "inline": [Depends(plain)],
        "wrapped": [Depends(contextmanager(plain))],
        "task": [Depends(waiting)],
        "hop": [Depends(plain, run="thread")],
        "mixed": [Depends(plain), Depends(waiting)],
    }[kind]

    def handler() -> str:
        return variable.get()

    async def handler_async() -> str:
        return variable.get()

    if kind in ("task", "hop"):
        app.get("/", dependencies=dependencies)(handler_async)
    else:
        app.get("/", dependencies=dependencies, run="inline" if kind == "inline" else "thread")(handler)

    with TestClient(app) as client:
        assert client.get("/").text == "set"
    assert caplog.records == []


def test_a_task_group_may_stay_open_until_the_reply_is_out():
    app = App()
    done = []

    async def group():
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(20):
            yield tasks

    async def later() -> None:
        await asyncio.sleep(0)
        done.append("later")

    @app.get("/")
    async def handler(tasks: asyncio.TaskGroup = Depends(group)) -> str:
        tasks.create_task(later())
        return "x"

    with TestClient(app) as client:
        assert client.get("/").text == "x"
        assert done == ["later"]


def test_context_managers_of_contextlib_are_dependencies():
    app = App()
    events = []

    @asynccontextmanager
    async def waiting():
        events.append("open")
        yield "value"
        events.append("close")

    @app.get("/")
    async def handler(value: str = Depends(waiting)) -> str:
        return value

    with TestClient(app) as client:
        assert client.get("/").text == "value"
    assert events == ["open", "close"]


def test_the_error_of_a_decorated_async_handler_is_seen():
    from functools import wraps

    app = App()
    seen = []

    def watching():
        try:
            yield
        except KeyError:
            seen.append("KeyError")
            raise HTTPError(404) from None

    def passing_on(function):
        @wraps(function)
        def inner(*args):
            return function(*args)

        return inner

    @app.get("/", dependencies=[Depends(watching)])
    @passing_on
    async def handler() -> None:
        raise KeyError

    with TestClient(app) as client:
        assert client.get("/").status == 404
    assert seen == ["KeyError"]


def test_an_async_generator_runs_nowhere_else():
    app = App()

    async def waiting():
        yield

    app.get("/", dependencies=[Depends(waiting, run="thread")])(lambda: None)

    with pytest.raises(ApplicationError, match="always runs on the loop; remove run='thread'"):
        app.compile()


def test_overrides_replace_generators_by_functions_and_back():
    scene = Scene("thread")
    dependency = scene.depends("a")
    scene.handle("x", dependency)

    scene.app.overrides[dependency.function] = lambda: scene.events.append("other")
    assert scene.get().text == "x"
    assert scene.events == ["other", "handler"]
    scene.app.overrides.clear()
    assert scene.get().text == "x"
    assert scene.events[2:] == ["open a", "handler", "close a"]


@pytest.mark.parametrize("kind", ["thread", "task", "mixed"])
def test_a_websocket_closes_what_it_depends_on_after_the_conversation(kind):
    scene = Scene(kind)
    app, events = scene.app, scene.events

    @app.websocket("/", dependencies=[scene.depends("a")])
    async def talk(websocket: WebSocket, value: str = scene.depends("b")) -> None:
        await websocket.accept()
        async for message in websocket:
            events.append((message, value))
            if message == "fail":
                raise KeyError

    with TestClient(app) as client, client.websocket("/") as connection:
        connection.send("hello")
    assert _without(events, "async") == ["open a", "open b", ("hello", "b"), "close b", "close a"]

    events.clear()
    with TestClient(app, raise_server_exceptions=False) as client, client.websocket("/") as connection:
        connection.send("fail")
        with pytest.raises(WebSocketDisconnect):
            connection.receive()
    assert _without(events, "async")[3:] == [("b", "KeyError"), "close b", ("a", "KeyError"), "close a"]


def test_a_websocket_that_is_refused_closes_them_too():
    scene = Scene("task")

    def change(error):
        return HTTPError(404)

    @scene.app.websocket("/", dependencies=[scene.depends("a", change)])
    async def talk(websocket: WebSocket) -> None:
        raise KeyError

    with TestClient(scene.app) as client, pytest.raises(WebSocketRefused) as caught, client.websocket("/"):
        pass
    assert caught.value.reply.status == 404
    assert _without(scene.events, "async") == ["open a", ("a", "KeyError"), "close a"]


def _without(events, name):
    return [event for event in events if event != name]


def test_it_is_all_over_when_the_client_has_its_reply():
    scene = Scene("task")
    scene.handle("x", scene.depends("a"))

    async def run() -> None:
        async with AsyncTestClient(scene.app) as client:
            await client.get("/")
            assert scene.events[-1] == "close a"

    asyncio.run(run())


trees = st.recursive(
    st.tuples(st.sampled_from("fg"), st.booleans(), st.just(())),
    lambda children: st.tuples(
        st.sampled_from("fg"), st.booleans(), st.lists(children, max_size=3).map(tuple)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(roots=st.lists(trees, min_size=1, max_size=3), is_async=st.booleans(), fails=st.booleans())
def test_whatever_is_opened_is_closed_in_reverse(roots, is_async, fails):
    events: list[tuple[str, object]] = []
    app = App()

    def build(tree):
        kind, waits, children = tree
        name = object()
        inner = [Depends(build(child)) for child in children]

        def enter(*values):
            assert all(value is not None for value in values)
            events.append(("open", name))
            return name

        if kind == "f":

            def made(*values):
                return enter(*values)

            async def made_async(*values):
                await asyncio.sleep(0)
                return enter(*values)
        else:

            async def made_async(*values):
                await asyncio.sleep(0)
                try:
                    yield enter(*values)
                finally:
                    events.append(("close", name))

            def made(*values):
                try:
                    yield enter(*values)
                finally:
                    events.append(("close", name))

        function = made_async if waits else made
        return _with_parameters(function, inner)

    dependencies = [Depends(build(root)) for root in roots]

    async def handler_async() -> str:
        if fails:
            raise HTTPError(418)
        return "x"

    def handler() -> str:
        if fails:
            raise HTTPError(418)
        return "x"

    app.get("/", dependencies=dependencies)(handler_async if is_async else handler)

    with TestClient(app) as client:
        assert client.get("/").status == (418 if fails else 200)

    opened = [name for what, name in events if what == "open"]
    closed = [name for what, name in events if what == "close"]
    assert len(opened) == len(set(opened))
    assert closed == [name for name in reversed(opened) if name in closed]
    generators = sum(_count_generators(root) for root in roots)
    assert len(closed) == generators


def _count_generators(tree) -> int:
    kind, _, children = tree
    return (kind == "g") + sum(map(_count_generators, children))


def _with_parameters(function, defaults):
    """The function with a signature of so many parameters, each a Depends."""
    import inspect

    function.__signature__ = inspect.Signature(
        [
            inspect.Parameter(f"p{number}", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for number, default in enumerate(defaults)
        ]
    )
    return function
