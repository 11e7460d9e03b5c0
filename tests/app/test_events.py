import asyncio
import threading
from dataclasses import dataclass

import pytest

from penstock import App, TestClient
from penstock.errors import ApplicationError


class Happened:
    """A base of events."""


@dataclass
class UserCreated(Happened):
    user_id: int


def test_listeners_of_a_class_and_of_its_bases_are_told_in_order():
    app, told = App(), []

    @app.events.on(UserCreated)
    async def welcome(event: UserCreated) -> None:
        told.append(("welcome", event.user_id))

    @app.events.on(Happened)
    def note(event: Happened) -> None:
        told.append(("note", event))

    @app.events.on(int)
    def other(event: int) -> None:
        told.append(("other", event))

    event = UserCreated(7)
    asyncio.run(app.events.aemit(event))

    assert told == [("welcome", 7), ("note", event)]


def test_listeners_of_a_name_get_the_values():
    app, told = App(), []

    @app.events.on("user.created")
    async def welcome(user_id: int, name: str) -> None:
        told.append((user_id, name))

    @app.events.on("user.deleted")
    def other() -> None:
        told.append("other")

    asyncio.run(app.events.aemit("user.created", 7, "ada"))

    assert told == [(7, "ada")]


def test_an_event_nobody_wants_is_nothing():
    app = App()

    asyncio.run(app.events.aemit("user.created", 7))
    app.events.emit(UserCreated(7))


def test_what_a_listener_raises_reaches_neither_the_others_nor_the_emitter(caplog):
    app, told = App(), []

    @app.events.on("x")
    async def failing() -> None:
        raise LookupError("on purpose")

    @app.events.on("x")
    def failing_too() -> None:
        raise LookupError("on purpose")

    @app.events.on("x")
    def last() -> None:
        told.append(True)

    asyncio.run(app.events.aemit("x"))

    assert told == [True]
    assert "failing failed" in caplog.text
    assert "failing_too failed" in caplog.text


def test_routes_of_both_kinds_tell_listeners_of_both_kinds():
    app, told = App(), []

    @app.events.on("x")
    async def on_loop(source: str) -> None:
        told.append((source, "async", threading.get_ident()))

    @app.events.on("x")
    def in_thread(source: str) -> None:
        told.append((source, "def", threading.get_ident()))

    @app.get("/thread")
    def from_thread() -> int:
        app.events.emit("x", "thread")
        return threading.get_ident()

    @app.get("/loop")
    async def from_loop() -> int:
        await app.events.aemit("x", "loop")
        return threading.get_ident()

    with TestClient(app) as client:
        thread, loop = client.get("/thread").json(), client.get("/loop").json()

    assert [(source, kind) for source, kind, _ in told] == [
        ("thread", "async"),
        ("thread", "def"),
        ("loop", "async"),
        ("loop", "def"),
    ]
    assert told[0][2] == told[2][2] == loop
    assert told[1][2] == thread
    assert told[3][2] != loop


def test_events_reach_listeners_at_start_up_and_shutdown():
    told = []

    async def lifespan(app):
        await app.events.aemit("x", "start")
        yield
        await app.events.aemit("x", "stop")

    app = App(lifespan=lifespan)
    app.events.on("x")(told.append)

    with TestClient(app):
        pass

    assert told == ["start", "stop"]


def test_emit_says_what_to_write_where_it_cannot_wait():
    app, told = App(), []

    @app.events.on("x")
    def first() -> None:
        told.append(True)

    @app.events.on("x")
    async def waits() -> None:
        """Nothing."""

    @app.get("/")
    async def handler() -> str:
        with pytest.raises(RuntimeError, match=r"await events\.aemit"):
            app.events.emit("x")
        return "refused"

    with TestClient(app) as client:
        assert client.get("/").text == "refused"
    with pytest.raises(RuntimeError, match="does not run"):
        app.events.emit("x")
    assert told == []


def test_what_is_no_key_and_no_listener_is_refused():
    events = App().events

    for key in (7, "", None):
        with pytest.raises(ApplicationError, match="a class or a name"):
            events.on(key)
    with pytest.raises(ApplicationError, match="no function"):
        events.on("x")(7)
    with pytest.raises(TypeError, match="values go with the name"):
        events.emit(UserCreated(7), 8)
