"""Sessions in a store, in memory and in a real Redis, from coroutines and from threads, over sockets."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from http.cookies import SimpleCookie

import pytest
from websockets.sync.client import connect

from penstock import App, MemoryStore, RedisStore, Request, ServerSessions, WebSocket
from penstock.app.sessions import carrier
from penstock.errors import ApplicationError, StoreError
from penstock.server.transport import BUSY
from tests.app.driver import get
from tests.server.harness import serve, wait_until


@pytest.fixture(params=["memory", "redis"])
def store(request):
    if request.param == "memory":
        return MemoryStore()
    server = request.getfixturevalue("shared_redis")
    store = RedisStore(server.url, prefix=request.node.name, timeout_s=20.0)
    request.addfinalizer(store.close)  # noqa: PT021 - only one of the two has it
    return store


def make(store, **options):
    app = App(hooks=[ServerSessions(store, **options)])
    app.on_shutdown(store.aclose)
    app.state.arrived, app.state.go_on = threading.Semaphore(0), threading.Event()

    def change(request):
        session = request.session
        if "clear" in request.query:
            session.clear()
        if "rotate" in request.query:
            session.rotate()
        for key, value in request.query.items():
            if value:
                session[key] = value
        return dict(session)

    @app.get("/async")
    async def on_loop(request: Request) -> dict:
        return change(request)

    @app.get("/thread")
    def in_thread(request: Request) -> dict:
        return change(request)

    @app.get("/thread/late")
    def late(request: Request) -> dict:
        len(request.session)
        app.state.arrived.release()
        assert app.state.go_on.wait(20)
        return change(request)

    @app.get("/async/late")
    async def late_on_loop(request: Request) -> dict:
        len(request.session)
        app.state.arrived.release()
        assert await asyncio.to_thread(app.state.go_on.wait, 20)
        return change(request)

    @app.get("/untouched")
    async def untouched() -> dict:
        return {"hello": 1}

    @app.get("/lost")
    async def lost(request: Request) -> list:
        return [dict(request.session), request.session.is_lost]

    @app.get("/lost/thread")
    def lost_thread(request: Request) -> list:
        return [dict(request.session), request.session.is_lost]

    @app.websocket("/ws")
    async def converse(ws: WebSocket) -> None:
        await ws.send_json(dict(ws.request.session))

    return app


def cookie_of(reply):
    """What a reply sets: None when nothing, "" when it is to be forgotten."""
    fields = reply.fields if hasattr(reply, "fields") else reply.headers.items()
    lines = [value for name, value in fields if name == "set-cookie"]
    if not lines:
        return None
    (line,) = lines
    return SimpleCookie(line)["session"].value


class Browser:
    """One connection that keeps the cookie."""

    def __init__(self, server, cookie=None):
        self.server = server
        self.cookie = cookie

    def ask(self, target):
        fields = [f"Cookie: session={self.cookie}"] if self.cookie else []
        with self.server.connect() as client:
            reply = client.ask(target, "GET", *fields)
        assert reply.status == 200, reply
        given = cookie_of(reply)
        if given is not None:
            self.cookie = given
        self.set = given
        return json.loads(reply.content)


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_a_session_lasts_and_only_its_name_travels(store, path):
    with serve(make(store)) as server:
        browser = Browser(server)
        assert browser.ask(f"{path}?user=ann") == {"user": "ann"}
        assert re.fullmatch(r"[0-9A-Za-z_-]{43}", browser.cookie)
        first = browser.cookie

        assert browser.ask("/async") == browser.ask("/thread") == {"user": "ann"}
        assert browser.set is None
        assert browser.ask(f"{path}?cart=3") == {"user": "ann", "cart": "3"}
        assert browser.cookie == first
        assert Browser(server).ask(path) == {}


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_rotating_takes_the_session_from_whoever_knew_it(store, path):
    with serve(make(store)) as server:
        victim = Browser(server)
        victim.ask(f"{path}?cart=3")
        thief = Browser(server, victim.cookie)

        assert victim.ask(f"{path}?rotate&user=ann") == {"cart": "3", "user": "ann"}

        assert victim.cookie != thief.cookie
        assert victim.ask(path) == {"cart": "3", "user": "ann"}
        assert thief.ask(path) == {}
        assert thief.cookie == ""


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_clearing_ends_the_session_for_everybody(store, path):
    with serve(make(store)) as server:
        browser = Browser(server)
        browser.ask(f"{path}?user=ann")
        thief = Browser(server, browser.cookie)

        assert browser.ask(f"{path}?clear") == {}

        assert browser.cookie == ""
        assert thief.ask(path) == {}
        old = Browser(server)
        old.ask(f"{path}?user=bob")
        before = old.cookie
        assert old.ask(f"{path}?clear&user=eve") == {"user": "eve"}
        assert old.cookie not in ("", before)


def test_the_store_knows_no_name_of_a_session():
    store = MemoryStore()
    name = cookie_of(get(make(store), "/async?user=ann"))

    (key,) = store._entries
    assert name not in key
    assert re.fullmatch("session:[0-9a-f]{64}", key)
    assert store.get("session:" + name) is None


def test_a_name_that_a_client_chose_is_not_taken():
    store = MemoryStore()
    app = make(store)
    for name in ("A" * 43, "A" * 42, "A" * 44, "x", "é" * 43, "A" * 4000):
        reply = get(app, "/async?user=ann", headers=(("cookie", f"session={name}"),))
        assert cookie_of(reply) != name
        assert get(app, "/async", headers=(("cookie", f"session={name}"),)).body == b"{}"


def test_sessions_of_two_names_in_one_store_are_apart():
    store = MemoryStore()
    name = cookie_of(get(make(store), "/async?user=ann"))
    assert get(make(store, name="other"), "/async", headers=(("cookie", f"other={name}"),)).body == b"{}"


def test_nothing_is_kept_of_who_only_reads():
    store = MemoryStore()
    app = make(store)
    for path in ("/async", "/thread", "/untouched"):
        assert cookie_of(get(app, path)) is None
    assert len(store) == 0


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_of_two_requests_at_once_each_writes_what_it_changed(store, path):
    app = make(store)
    with serve(app) as server:
        browser = Browser(server)
        browser.ask("/async?a=1&b=1&gone=1")
        with server.connect() as client:
            client.send(
                f"GET {path}/late?b=2 HTTP/1.1\r\nHost: a\r\nCookie: session={browser.cookie}\r\n\r\n".encode()
            )
            assert app.state.arrived.acquire(timeout=20)
            browser.ask("/thread?a=2&c=2")
            app.state.go_on.set()
            assert client.take().status == 200

        assert browser.ask(path) == {"a": "2", "b": "2", "c": "2", "gone": "1"}


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_a_session_that_was_ended_meanwhile_is_not_begun_again(store, path):
    app = make(store)
    with serve(app) as server:
        browser = Browser(server)
        browser.ask("/async?user=ann")
        name = browser.cookie
        with server.connect() as client:
            client.send(f"GET {path}/late?b=2 HTTP/1.1\r\nHost: a\r\nCookie: session={name}\r\n\r\n".encode())
            assert app.state.arrived.acquire(timeout=20)
            browser.ask("/async?clear")
            app.state.go_on.set()
            assert cookie_of(client.take()) == ""

        assert Browser(server, name).ask(path) == {}


def test_a_session_ends_when_it_is_old_or_idle(monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr(carrier.time, "time", lambda: now[0])
    store = MemoryStore(clock=lambda: now[0])
    app = make(store, max_age_s=1000, idle_s=100)
    name = cookie_of(get(app, "/async?n=1"))
    cookie = (("cookie", f"session={name}"),)

    for step, expected in ((9, None), (1, name), (90, name), (99, name)):
        now[0] += step
        reply = get(app, "/async", headers=cookie)
        assert (reply.body, cookie_of(reply)) == (b'{"n":"1"}', expected)
    now[0] += 100
    assert get(app, "/async", headers=cookie).body == b"{}"
    assert len(store) == 0

    name = cookie_of(get(app, "/async?n=1"))
    for _ in range(11):
        body = get(app, "/thread", headers=(("cookie", f"session={name}"),)).body
        assert body == b'{"n":"1"}'
        now[0] += 90
    now[0] += 10
    assert get(app, "/thread", headers=(("cookie", f"session={name}"),)).body == b"{}"


@pytest.mark.parametrize("path", ["/async", "/thread"])
def test_requests_go_on_without_a_lost_redis_and_with_it_again(own_redis, path):
    store = RedisStore(own_redis.url, timeout_s=20.0)
    with serve(make(store)) as server:
        browser = Browser(server)
        browser.ask(f"{path}?user=ann")
        name = browser.cookie
        own_redis.kill()

        reply = "/lost" if path == "/async" else "/lost/thread"
        assert browser.ask(reply) == [{}, True]
        assert browser.ask(f"{path}?user=eve") == {"user": "eve"}
        assert (browser.cookie, browser.set) == (name, None)
        assert Browser(server).ask(f"{path}?user=eve") == {"user": "eve"}
        assert len(server.log.messages("is lost")) == 1
        assert name not in "".join(server.log.messages())
        out = Browser(server, name)
        out.ask(f"{path}?clear")
        assert out.cookie == ""

        own_redis.start()
        wait_until(
            lambda: Browser(server).ask("/lost") == [{}, False] and _keeps(server, path),
            "Redis is used again",
        )


def _keeps(server, path):
    browser = Browser(server)
    browser.ask(f"{path}?user=bob")
    return bool(browser.cookie)


def test_a_redis_that_hangs_does_not_hold_the_loop(own_redis):
    store = RedisStore(own_redis.url, timeout_s=20.0)
    with serve(make(store)) as server:
        browser = Browser(server)
        browser.ask("/async?user=ann")
        own_redis.hold()
        try:
            with server.connect() as waiting:
                waiting.send(
                    f"GET /async HTTP/1.1\r\nHost: a\r\nCookie: session={browser.cookie}\r\n\r\n".encode()
                )
                wait_until(lambda: any(one.phase == BUSY for one in server.connections), "it waits for Redis")
                assert Browser(server).ask("/untouched") == {"hello": 1}
                own_redis.release()
                assert json.loads(waiting.take().content) == {"user": "ann"}
        finally:
            own_redis.release()


class Failing(MemoryStore):
    """A store that is lost at the n-th operation."""

    def __init__(self, good):
        super().__init__()
        self.good = good

    def _count(self):
        self.good -= 1
        if self.good < 0:
            raise StoreError("lost")

    def get(self, key):
        self._count()
        return super().get(key)

    def set(self, *args):
        self._count()
        super().set(*args)

    def delete(self, *keys):
        self._count()
        return super().delete(*keys)


@pytest.mark.parametrize(
    ("target", "steps"), [("/async?n=2", 3), ("/async?rotate&n=2", 3), ("/async?clear", 2)]
)
def test_a_store_lost_at_any_step_answers_and_gives_no_one_more_than_before(target, steps):
    for good in range(steps + 1):
        store = Failing(100)
        name = cookie_of(get(make(store), "/async?n=1"))
        store.good = good
        app = make(store)
        reply = get(app, target, headers=(("cookie", f"session={name}"),))

        assert reply.status == 200
        given = cookie_of(reply)
        store.good = 100
        left = [super(Failing, store).get(key) for key in store._entries]
        if good == steps:
            assert given is not None
        elif "clear" in target:
            assert given == ""
        else:
            assert given is None
            assert len(left) <= 1


def test_a_websocket_handler_reads_the_session(store):
    with serve(make(store)) as server:
        browser = Browser(server)
        browser.ask("/async?user=ann")
        cookie = {"Cookie": f"session={browser.cookie}"}
        with connect(f"ws://127.0.0.1:{server.port}/ws", additional_headers=cookie) as ws:
            assert json.loads(ws.recv()) == {"user": "ann"}


def test_what_cannot_work_is_refused_at_the_start():
    with pytest.raises(ApplicationError, match="ServerSessions: idle_s=0"):
        ServerSessions(MemoryStore(), idle_s=0)
