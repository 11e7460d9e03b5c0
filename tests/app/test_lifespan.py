import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from penstock.app.application import App
from penstock.app.testing.client import TestClient
from penstock.errors import ApplicationError


def run(app, between=lambda: None):
    async def main():
        await app.startup(None)
        between()
        await app.shutdown()

    asyncio.run(main())


def test_the_lifespan_gives_state_and_closes():
    seen = []

    @asynccontextmanager
    async def lifespan(app):
        seen.append("open")
        yield {"db": 7}
        seen.append("closed")

    app = App(lifespan=lifespan)

    run(app, lambda: seen.append((app.state.db, app.state["db"])))

    assert seen == ["open", (7, 7), "closed"]


def test_an_async_generator_without_parameters_will_do():
    seen = []

    async def lifespan():
        yield None
        seen.append("closed")

    run(App(lifespan=lifespan))

    assert seen == ["closed"]


def test_what_opens_first_closes_last():
    seen, inner = [], App()

    @asynccontextmanager
    async def lifespan():
        seen.append("lifespan")
        yield
        seen.append("end of lifespan")

    app = App(lifespan=lifespan)
    app.mount("/inner", inner)

    @app.on_startup
    def first():
        seen.append("start 1")

    @app.on_startup
    async def second():
        seen.append("start 2")

    @app.on_shutdown
    async def third():
        seen.append("stop 1")

    @app.on_shutdown
    def fourth():
        seen.append("stop 2")

    inner.on_startup(lambda: seen.append("inner start"))
    inner.on_shutdown(lambda: seen.append("inner stop"))

    run(app)

    assert seen == [
        "lifespan",
        "start 1",
        "start 2",
        "inner start",
        "inner stop",
        "stop 2",
        "stop 1",
        "end of lifespan",
    ]


def test_a_failing_start_closes_what_was_open_and_raises():
    seen = []

    async def lifespan():
        try:
            yield
        finally:
            seen.append("closed")

    app = App(lifespan=lifespan)
    app.on_startup(lambda: 1 / 0)
    app.on_startup(lambda: seen.append("never"))

    with pytest.raises(ZeroDivisionError):
        run(app)
    assert seen == ["closed"]


def test_a_failing_shutdown_lets_the_others_run_and_raises():
    app, seen = App(), []
    app.on_shutdown(lambda: seen.append("last"))
    app.on_shutdown(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run(app)
    assert seen == ["last"]


def test_open_and_close_happen_in_one_task():
    async def lifespan():
        async with asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            group.create_task(stop.wait())
            yield
            stop.set()

    app = App(lifespan=lifespan)

    async def main():
        await asyncio.create_task(app.startup(None))
        await asyncio.create_task(app.shutdown())

    asyncio.run(main())


def test_a_start_that_is_given_up_closes_what_was_open():
    seen = []

    async def lifespan():
        try:
            yield
        finally:
            seen.append("closed")

    app = App(lifespan=lifespan)

    @app.on_startup
    async def forever():
        seen.append("waits")
        await asyncio.Event().wait()

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app.startup(None), 0.01)

    asyncio.run(main())

    assert seen == ["waits", "closed"]


@pytest.mark.parametrize("lifespan", [lambda: None, lambda app: 5])
def test_something_else_as_lifespan_is_refused(lifespan):
    with pytest.raises(ApplicationError, match="must be an async generator"):
        run(App(lifespan=lifespan))


def test_a_lifespan_yields_a_dict_or_none():
    async def lifespan():
        yield [1]

    with pytest.raises(ApplicationError, match="yields a dict or None, not list"):
        run(App(lifespan=lifespan))


def test_mistakes_are_reported_before_anything_opens():
    seen = []

    async def lifespan():
        seen.append("open")
        yield

    app = App(lifespan=lifespan)
    app.get("/")(lambda **anything: None)

    with pytest.raises(ApplicationError):
        run(app)
    assert not seen


def test_state_says_what_is_missing():
    with pytest.raises(AttributeError, match=r"app\.state has no 'db'"):
        App().state.db  # noqa: B018


def test_shutdown_without_startup_does_nothing():
    asyncio.run(App().shutdown())


class Parts:
    database: str
    size = 1


def test_the_state_may_be_of_a_class_of_ones_own():
    async def lifespan():
        yield {"database": "db", "size": 2}

    app = App(state=Parts, lifespan=lifespan)
    run(app)

    assert isinstance(app.state, Parts)
    assert (app.state.database, app.state.size) == ("db", 2)


def test_a_state_of_a_class_gets_only_what_that_names():
    async def lifespan():
        yield {"databse": "db"}

    app = App(state=Parts(), lifespan=lifespan)

    with pytest.raises(ApplicationError, match="yields 'databse', which Parts does not have"):
        run(app)


@pytest.mark.parametrize("last_first", [True, False])
def test_two_clients_at_once_have_a_lifespan_each(last_first):
    seen = []

    async def lifespan():
        seen.append("open")
        yield
        seen.append("closed")

    app, done = App(lifespan=lifespan), threading.Event()

    @app.get("/")
    async def handle() -> str:
        app.spawn(done.set)
        return "x"

    clients = [TestClient(app), TestClient(app)]
    for client in clients:
        client.__enter__()
    closed, left = reversed(clients) if last_first else clients
    assert [client.get("/").text for client in clients] == ["x", "x"]
    assert done.wait(20)
    done.clear()
    closed.__exit__(None, None, None)
    assert seen == ["open", "open", "closed"]
    assert left.get("/").text == "x"
    assert done.wait(20)
    left.__exit__(None, None, None)

    assert seen == ["open", "open", "closed", "closed"]
