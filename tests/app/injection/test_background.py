"""Work behind the reply, and work that belongs to no request."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextvars import ContextVar
from functools import wraps

import pytest

from penstock import App, BackgroundTasks, Depends, HTTPError, Request, TestClient, WebSocket
from penstock.errors import ApplicationError
from tests.server.harness import Gate, serve, wait_until

KINDS = ["thread", "inline", "task"]

variable: ContextVar[str] = ContextVar("variable", default="unset")


def declare(app: App, kind: str, work, path: str = "/", **options) -> None:
    """A handler of this kind that calls `work(tasks)`."""

    def plain(tasks: BackgroundTasks) -> str:
        return work(tasks) or "x"

    async def waiting(tasks: BackgroundTasks) -> str:
        return work(tasks) or "x"

    if kind == "task":
        app.get(path, **options)(waiting)
    else:
        app.get(path, run=kind, **options)(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_run_one_after_the_other_where_they_belong(kind):
    app = App()
    done = []

    def blocking(number, *, name):
        done.append((number, name, threading.current_thread().name.partition("_")[0]))

    async def waiting(number):
        await asyncio.sleep(0)
        done.append((number, threading.current_thread().name))

    def work(tasks):
        tasks.add(blocking, 1, name="n")
        tasks.add(waiting, 2)
        tasks.add(lambda: done.append(3))
        assert len(tasks) == 3
        assert done == []

    declare(app, kind, work)

    with TestClient(app) as client:
        assert client.get("/").text == "x"
    assert done == [(1, "n", "penstock"), (2, "test-client"), 3]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_task_raises_is_logged_and_the_next_runs(kind, caplog):
    app = App()
    done = []

    def failing():
        raise StopIteration

    async def failing_async():
        raise KeyError

    @wraps(failing_async)
    def decorated():
        return failing_async()

    def work(tasks):
        for one in (failing, failing_async, decorated):
            tasks.add(one)
        tasks.add(done.append, 1)

    declare(app, kind, work)

    with caplog.at_level(logging.ERROR), TestClient(app) as client:
        assert client.get("/", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}).text == "x"
    assert done == [1]
    messages = [record.getMessage() for record in caplog.records]
    assert [message.partition("failed: ")[2].partition(",")[0] for message in messages] == [
        *("RuntimeError", "KeyError", "KeyError")
    ]
    assert all("the background task tests.app" in message and "ab" * 16 in message for message in messages)


@pytest.mark.parametrize("kind", KINDS)
def test_handler_and_dependencies_share_them_and_generators_stay_open(kind):
    app = App()
    done = []

    def session(tasks: BackgroundTasks):
        tasks.add(done.append, "of the dependency")
        yield done
        done.append("closed")

    def work(tasks):
        tasks.add(done.append, "of the handler")

    declare(app, kind, work, dependencies=[Depends(session)])

    with TestClient(app) as client:
        assert client.get("/").text == "x"
    assert done == ["of the dependency", "of the handler", "closed"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_run_for_a_request_that_fails(kind):
    app = App()
    done = []

    def work(tasks):
        tasks.add(done.append, 1)
        raise HTTPError(409)

    declare(app, kind, work)

    with TestClient(app) as client:
        assert client.get("/").status == 409
    assert done == []


def test_tasks_see_the_context_and_may_add_more():
    app = App()
    done = []

    async def more(tasks):
        done.append(variable.get())
        tasks.add(done.append, "more")

    def work(tasks):
        variable.set("set")
        tasks.add(more, tasks)
        variable.set("later")

    declare(app, "task", work)

    with TestClient(app) as client:
        client.get("/")
    assert done == ["set", "more"]


def test_only_functions_are_added():
    with pytest.raises(TypeError, match="takes a function and its arguments, not 3"):
        BackgroundTasks().add(3)


def test_tasks_do_not_go_to_another_process():
    app = App()
    app.get("/", run="process")(takes_tasks)

    with pytest.raises(ApplicationError, match="parameter 'tasks'"):
        app.compile()


def takes_tasks(tasks: BackgroundTasks) -> None: ...


def test_a_websocket_runs_them_after_the_conversation():
    app = App()
    done = []

    @app.websocket("/")
    async def talk(websocket: WebSocket, tasks: BackgroundTasks) -> None:
        await websocket.accept()
        tasks.add(done.append, "task")
        done.append(await anext(aiter(websocket)))

    with TestClient(app) as client, client.websocket("/") as connection:
        connection.send("hello")
    assert done == ["hello", "task"]


@pytest.mark.parametrize("kind", KINDS)
def test_over_a_socket_the_reply_does_not_wait_and_the_stop_does(kind):
    events = []

    async def live():
        yield
        events.append("shutdown")

    app = App(lifespan=live)
    gate = Gate()

    def blocking():
        gate.wait()
        events.append("task")

    declare(app, kind, lambda tasks: tasks.add(blocking))

    with serve(app) as running:
        with running.connect() as client:
            assert client.ask("/").content == b"x"
            gate.wait_reached()
            assert client.ask("/").content == b"x"
        running.begin_stop()
        wait_until(lambda: running.server.draining, "the stop has begun")
        gate.open()
        running.join()
    assert events == ["task", "task", "shutdown"]


def test_what_is_spawned_runs_by_itself_and_is_waited_for():
    events = []
    gate = Gate()

    async def live(app):
        app.spawn(note, "from the lifespan")
        yield
        events.append("shutdown")

    app = App(lifespan=live)

    def note(what, *, more=""):
        events.append(what + more)

    async def note_async(what):
        await gate.wait_async()
        events.append(what)

    def note_blocking(what):
        gate.wait()
        events.append(what)

    @app.get("/loop")
    async def on_loop() -> int:
        app.spawn(note_async("a coroutine"))
        app.spawn(note_async, "a coroutine function")
        return app.spawner.pending

    @app.get("/thread")
    def in_thread() -> None:
        app.spawn(note_blocking, "from a thread")
        app.spawn(note, "with ", more="names")

    with serve(app) as running:
        wait_until(lambda: events == ["from the lifespan"] and not app.spawner.pending, "the first is done")
        assert running.ask("/loop").content == b"2"
        assert running.ask("/thread").status == 204
        wait_until(lambda: "with names" in events, "the quick one is done")
        gate.wait_reached()
        wait_until(lambda: app.spawner.pending == 3, "three wait")
        running.begin_stop()
        wait_until(lambda: running.server.draining, "the stop has begun")
        gate.open()
        running.join()
    assert events[:2] == ["from the lifespan", "with names"]
    assert set(events[2:5]) == {"a coroutine", "a coroutine function", "from a thread"}
    assert events[5:] == ["shutdown"]
    assert app.spawner.pending == 0


def test_what_takes_too_long_is_cancelled_at_the_drain_deadline():
    app = App()
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    @app.get("/")
    async def handler() -> None:
        app.spawn(forever)

    with serve(app, drain_timeout_s=0.1) as running:
        running.ask("/")
        running.stop()
        assert ended == [True]
        assert running.log.messages("1 requests were not done with")
        assert running.log.messages("forever was cancelled before its end")


def test_what_is_spawned_and_fails_is_logged(caplog):
    app = App()

    async def failing() -> None:
        raise KeyError("x")

    @app.get("/")
    async def handler() -> None:
        app.spawn(failing)

    with caplog.at_level(logging.ERROR), TestClient(app) as client:
        client.get("/")
        wait_until(lambda: not app.spawner.pending, "it has ended")
    assert ["failing failed: KeyError" in record.getMessage() for record in caplog.records] == [True]


def test_spawn_needs_work_and_an_application_that_runs():
    app = App()

    async def work() -> None: ...

    with pytest.raises(ApplicationError, match="the application does not run"):
        app.spawn(work)
    with pytest.raises(ApplicationError, match="the application does not run"):
        app.spawn(work())
    with pytest.raises(TypeError, match="has its arguments already"):
        app.spawn(work(), 1)
    with pytest.raises(TypeError, match="takes a function"):
        app.spawn(3)


def test_the_state_of_a_request_has_types():
    class Marks(list):
        pass

    app = App()

    def mark(request: Request) -> None:
        request.state_of(Marks).append(1)

    @app.get("/", dependencies=[Depends(mark)])
    async def handler(request: Request) -> list:
        return [*request.state_of(Marks), request.state_of(dict)]

    with TestClient(app) as client:
        assert client.get("/").json() == [1, {}]
        assert client.get("/").json() == [1, {}]


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit, KeyboardInterrupt])
def test_a_task_that_ends_by_no_common_exception_is_logged_and_the_next_is_run(error):
    app, noted = App(), []

    async def fails() -> None:
        raise error

    def generator():
        yield
        noted.append("closed")

    @app.get("/", dependencies=[Depends(generator)])
    async def handler(tasks: BackgroundTasks) -> str:
        tasks.add(fails)
        tasks.add(noted.append, "next")
        return "x"

    with serve(app, faults=True) as running, running.connect() as client:
        for _ in range(2):
            assert client.ask("/").content == b"x"
            wait_until(lambda: noted == ["next", "closed"], "the rest is done")
            noted.clear()
        assert running.log.messages("fails failed")
