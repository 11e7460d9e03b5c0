import asyncio
import socket
import threading

import pytest

from penstock import App, AsyncTestClient, MemoryStore, Request, TestClient
from penstock.errors import ApplicationError, StoreError
from tests.server.harness import serve, wait_until


def test_plain_and_async_functions_run_again_and_again():
    app, ran = App(), []

    @app.every(0.005)
    async def on_loop():
        ran.append(("loop", threading.get_ident()))

    @app.every(0.005, jitter=0.005)
    def in_thread():
        ran.append(("thread", threading.get_ident()))

    with TestClient(app):
        wait_until(lambda: {kind for kind, _ in ran} == {"loop", "thread"} and len(ran) > 10)

    loops = {thread for kind, thread in ran if kind == "loop"}
    assert len(loops) == 1
    assert not loops & {thread for kind, thread in ran if kind == "thread"}


def test_the_decorator_returns_the_function():
    def function():
        """Nothing."""

    assert App().every(1)(function) is function


def test_the_first_run_is_after_the_interval_unless_at_once():
    app, ran = App(), []
    app.every(1_000)(lambda: ran.append("late"))
    app.every(1_000, at_once=True)(lambda: ran.append("at once"))

    with TestClient(app):
        wait_until(lambda: ran)

    assert ran == ["at once"]


def test_it_never_overlaps_itself():
    async def run():
        app, at_work, most, runs = App(), 0, 0, 0
        enough = asyncio.Event()

        @app.every(0.001)
        async def slow():
            nonlocal at_work, most, runs
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0.01)
            at_work -= 1
            runs += 1
            if runs == 5:
                enough.set()

        async with AsyncTestClient(app), asyncio.timeout(30):
            await enough.wait()
        return most

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("error", [LookupError, SystemExit, asyncio.CancelledError])
def test_what_it_raises_is_logged_and_ends_nothing(caplog, error):
    app, ran, others = App(), [], []

    @app.every(0.001)
    async def failing():
        ran.append(True)
        raise error("on purpose")

    app.every(0.001)(lambda: others.append(True))

    with TestClient(app) as client:
        wait_until(lambda: len(ran) > 3 and len(others) > 3)
        assert client.get("/").status == 404

    assert "failing failed" in caplog.text


def test_none_begins_once_the_server_drains():
    app, ran = App(), []

    @app.every(0.001)
    async def tick():
        ran.append(True)

    @app.get("/")
    async def wait(request: Request) -> int:
        await request.draining
        for _ in range(10):  # whoever waits for it has been told
            await asyncio.sleep(0)
        before = len(ran)
        await asyncio.sleep(0.05)
        return len(ran) - before

    with serve(app) as server, socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: ran and any(one.request for one in server.connections))
        server.begin_stop()
        reply = b""
        while piece := client.recv(1_000):
            reply += piece

    assert reply.endswith(b"\r\n\r\n0")


def test_what_is_under_way_may_finish():
    app, begun, finished = App(), threading.Event(), []

    @app.every(0.001)
    async def slow():
        begun.set()
        await asyncio.sleep(0.05)
        finished.append(True)

    with TestClient(app):
        begun.wait(30)

    assert finished == [True]


def test_what_does_not_finish_is_cancelled(monkeypatch, caplog):
    monkeypatch.setattr("penstock.app.periodic._GRACE_S", 0.01)
    app, begun, cancelled = App(), threading.Event(), []

    @app.every(0.001)
    async def endless():
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with TestClient(app):
        begun.wait(30)

    assert cancelled == [True]
    assert "endless is cancelled: the server stops" in caplog.text


def test_of_those_with_one_lock_file_one_runs_and_the_next_takes_over(tmp_path):
    ran = []

    def make(name):
        app = App()
        app.every(0.005, lock=tmp_path / "lock")(lambda: ran.append(name))
        return TestClient(app)

    with make("second") as second:
        with make("first"):
            wait_until(lambda: len(ran) > 5)
        assert len(set(ran)) == 1
        assert second.get("/").status == 404
    winner = ran[0]
    ran.clear()
    with make("other"):
        wait_until(lambda: "other" in ran)

    assert winner in {"first", "second"}


def test_of_those_that_ask_a_store_one_runs_in_an_interval():
    store, ran = MemoryStore(), []

    def tick():
        ran.append(True)

    def make():
        app = App()
        app.every(1_000, at_once=True, lock=store)(tick)
        return TestClient(app)

    with make(), make(), make():
        wait_until(lambda: ran)

    assert ran == [True]


def test_a_store_that_is_lost_leaves_a_run_out(caplog):
    class Lost:
        asked = 0

        async def aadd(self, *args, **kwargs):
            self.asked += 1
            raise StoreError("no store")

    app, ran, lost = App(), [], Lost()
    app.every(0.001, lock=lost)(lambda: ran.append(True))

    with TestClient(app):
        wait_until(lambda: lost.asked > 1)

    assert ran == []
    assert "left out: no store" in caplog.text


def test_those_of_mounted_applications_run_too():
    app, inner, ran = App(), App(), []
    inner.every(0.001)(lambda: ran.append(True))
    app.mount("/inner", inner)

    with TestClient(app):
        wait_until(lambda: ran)


@pytest.mark.parametrize(
    "declare",
    [
        lambda app: app.every(0)(print),
        lambda app: app.every(-1)(print),
        lambda app: app.every("60")(print),
        lambda app: app.every(True)(print),
        lambda app: app.every(float("inf"))(print),
        lambda app: app.every(1, jitter=-1)(print),
        lambda app: app.every(1)(lambda request: None),
        lambda app: app.every(1)(7),
        lambda app: app.every(1, lock=7)(lambda: None),
    ],
)
def test_what_cannot_be_run_is_refused(declare):
    with pytest.raises(ApplicationError):
        declare(App())


def test_none_can_be_declared_after_the_start():
    app = App()
    app.compile()

    with pytest.raises(ApplicationError, match="has started"):
        app.every(1)(lambda: None)
