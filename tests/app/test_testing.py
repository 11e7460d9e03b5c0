"""`TestClient`: life, cookies, redirects, failures, streams, events, WebSockets."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest

from penstock import (
    App,
    BodyStream,
    Event,
    EventStream,
    HTTPError,
    Request,
    Response,
    StreamResponse,
    TestClient,
    WebSocket,
    WebSocketDisconnect,
)
from penstock.errors import LocalProtocolError, WebSocketRefused
from tests.apps.kinds import app as kinds
from tests.server.harness import Gate, wait_until

context = ContextVar("context", default="untouched")


class Living:
    """An application that says what happens to it."""

    def __init__(self):
        self.events = []
        self.app = App(lifespan=self.lifespan)
        self.app.get("/")(self.home)

    @asynccontextmanager
    async def lifespan(self, app):
        task = asyncio.current_task()
        self.events.append("start")
        yield {"loop": asyncio.get_running_loop()}
        assert asyncio.current_task() is task
        self.events.append("stop")

    async def home(self):
        return {"same": self.app.state.get("loop") is asyncio.get_running_loop()}


@pytest.fixture(scope="module")
def client():
    with TestClient(kinds) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_cookies(client):
    yield
    client.cookies.clear()


# Life.


def test_the_lifespan_runs_in_the_block_on_the_loop_of_the_handlers():
    living = Living()

    with TestClient(living.app) as client:
        assert client.get("/").json() == {"same": True}
        assert living.events == ["start"]

    assert living.events == ["start", "stop"]


def test_without_a_block_requests_are_answered_and_the_lifespan_does_not_run():
    living = Living()

    assert TestClient(living.app).get("/").json() == {"same": False}

    assert living.events == []


def test_a_client_can_be_entered_again_but_not_twice_at_once():
    living = Living()
    client = TestClient(living.app)

    for _ in range(2):
        with client:
            assert client.get("/").status == 200
            with pytest.raises(RuntimeError, match="already"):
                client.__enter__()

    assert living.events == ["start", "stop"] * 2


def test_what_start_up_raises_is_raised_and_no_thread_is_left():
    app = App()
    before = threading.active_count()

    @app.on_startup
    def fail():
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"), TestClient(app):
        pytest.fail("it has started")

    assert threading.active_count() == before


def test_what_shutdown_raises_is_raised():
    app = App()

    @app.on_shutdown
    async def fail():
        raise OSError("still busy")

    with pytest.raises(OSError, match="still busy"), TestClient(app):
        pass


def test_handlers_see_none_of_the_context_of_the_test_nor_of_each_other():
    app = App()

    def touch():
        seen = context.get()
        context.set("touched")
        return seen

    async def touch_async():
        return touch()

    app.get("/thread")(touch)
    app.get("/inline", run="inline")(touch)
    app.get("/task")(touch_async)
    token = context.set("of the test")
    try:
        with TestClient(app) as client:
            seen = [client.get(path).text for path in ("/thread", "/inline", "/task") * 2]
    finally:
        context.reset(token)

    assert set(seen) == {"untouched"}


def test_coroutines_and_threads_run_elsewhere_than_the_test():
    app = App()

    @app.get("/thread")
    def in_thread():
        return threading.current_thread().name

    @app.get("/task")
    async def in_task():
        return threading.current_thread().name

    with TestClient(app) as client:
        assert client.get("/thread").text.startswith("penstock")
        assert client.get("/task").text == "test-client"


def test_a_process_handler_runs_in_another_process(client):
    import os

    assert client.get("/pid").json() != os.getpid()


# What is sent.


def test_parameters_json_forms_fields_and_cookies_are_sent(client):
    assert client.get("/thread/1", params={"q": "a&b ü"}).text == "1 a&b ü"
    assert client.get("/inline?a=1", params={"b": [1, 2]}).json()["target"] == "/inline?a=1&b=1&b=2"
    assert client.post("/items", json={"name": "x"}).json() == {"name": "x", "count": 1}
    form = client.post("/echo", data={"a": "1 2", "b": ["x", "y"]})
    assert (form.text, form.headers["content-type"]) == (
        "a=1+2&b=x&b=y",
        "application/x-www-form-urlencoded",
    )
    reply = client.get("/inline", headers={"User-Agent": "me"}, cookies={"a": "1"})
    assert reply.json()["cookies"] == {"a": "1"} and reply.json()["agent"] == "me"
    assert client.get("/inline").json()["cookies"] == {}


def test_content_from_iterators_is_streamed():
    app = App()
    seen = []

    @app.post("/")
    async def take(request: Request, body: BodyStream):
        seen.append(request.headers.get("transfer-encoding"))
        return [len(piece) async for piece in body]

    async def pieces():
        yield b"x" * 5

    with TestClient(app) as client:
        assert client.post("/", content=iter([b"a", b"bc"])).json() == [1, 2]
        assert client.post("/", content=pieces()).json() == [5]
        assert client.post("/", content="ü").json() == [2]

    assert seen == ["chunked", "chunked", None]


def test_fields_that_cannot_be_sent_are_refused_before_anything_is_sent(client):
    with pytest.raises(LocalProtocolError):
        client.get("/", headers={"X": "a\r\nb: c"})
    with pytest.raises(ValueError, match="content-length"):
        client.post("/echo", content=b"a", headers={"Content-Length": "2"})
    with pytest.raises(ValueError, match="json and data"):
        client.post("/echo", json=1, data={})


def test_the_base_url_says_host_and_scheme():
    app = App()

    @app.get("/api/url")
    def url(request: Request):
        return request.url

    client = TestClient(app, "https://shop.example/api/")

    assert client.get("url?a=1").text == "https://shop.example/api/url?a=1"
    assert client.get("/api/url").url == "https://shop.example/api/url"


# Cookies.


def test_cookies_are_kept_by_path_and_expiry(client):
    client.cookies["old"] = "x"

    reply = client.get("/cookies")

    assert reply.cookies["a"] == "1"
    assert dict(client.cookies) == {"a": "1", "b": "2"}
    assert client.get("/inline").json()["cookies"] == {"a": "1"}
    del client.cookies["a"]
    assert client.get("/inline").json()["cookies"] == {}


def test_a_secure_cookie_goes_back_over_https_only():
    app = App()

    @app.get("/set")
    def set_cookie():
        return Response(b"", headers={"Set-Cookie": "s=1; Secure; HttpOnly; SameSite=Lax"})

    @app.get("/")
    def get(request: Request):
        return request.cookies

    client = TestClient(app, "https://testserver")
    client.get("/set")

    assert client.get("/").json() == {"s": "1"}
    assert client.get("http://testserver/").json() == {}


# Redirects.


@pytest.mark.parametrize(
    ("method", "status", "then", "content"),
    [
        ("POST", 301, "GET", ""),
        ("POST", 302, "GET", ""),
        ("POST", 303, "GET", ""),
        ("PUT", 303, "GET", ""),
        ("PUT", 301, "PUT", "x"),
        ("POST", 307, "POST", "x"),
        ("POST", 308, "POST", "x"),
        ("GET", 302, "GET", ""),
    ],
)
def test_redirects_are_followed_as_the_rfc_says(client, method, status, then, content):
    options = {"content": b"x", "headers": {"Content-Type": "text/x"}} if method != "GET" else {}

    reply = client.request(method, f"/redirect/{status}", **options)

    assert reply.json() == {"method": then, "content": content, "type": "text/x" if content else None}
    assert [one.status for one in reply.history] == [status]
    assert reply.url == "http://testserver/target"


def test_redirects_are_not_followed_on_request_nor_to_other_hosts_nor_for_ever():
    app = App()

    @app.get("/away")
    def away():
        return Response(b"", 302, {"Location": "https://other.example/"})

    @app.get("/round")
    def round_():
        return Response(b"", 302, {"Location": "/round"})

    with TestClient(app) as client:
        assert client.get("/away").status == 302
        assert client.get("/round", follow_redirects=False).status == 302
        with pytest.raises(RuntimeError, match="20 redirects"):
            client.get("/round")


# Failures.


def test_a_failure_nobody_handles_is_raised_and_is_a_500_when_asked_for(client):
    with pytest.raises(ValueError, match="secret"):
        client.get("/boom")

    with TestClient(kinds, raise_server_exceptions=False) as quiet:
        reply = quiet.get("/boom")
        assert reply.status == 500 and "secret" not in reply.text


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_what_would_end_the_loop_or_the_test_is_wrapped(kind):
    app = App()

    @app.get("/task")
    async def fail():
        raise kind

    @app.get("/thread")
    def fail_in_thread():
        raise kind

    @app.get("/stream")
    async def stream():
        async def pieces():
            yield b"x"
            raise kind

        return StreamResponse(pieces())

    with TestClient(app) as client:
        for path in ("/task", "/thread", "/stream"):
            with pytest.raises((RuntimeError, ConnectionError)) as caught:
                client.get(path, timeout=30)
            assert path == "/stream" or isinstance(caught.value.__cause__, kind)


def test_what_an_exception_handler_answers_is_a_reply():
    app = App()

    @app.exception_handler(KeyError)
    def handle(request, error):
        return Response(b"handled", 409)

    @app.get("/")
    def fail():
        raise KeyError("x")

    @app.get("/http")
    def fail_too():
        raise HTTPError(418)

    client = TestClient(app)

    assert client.get("/").status == 409
    assert client.get("/http").status == 418


@pytest.mark.parametrize("path", ["/bad-field", "/own-framing", "/wrong-length"])
def test_a_response_that_could_not_be_sent_is_raised(client, path):
    with pytest.raises(LocalProtocolError):
        client.get(path)


def test_a_handler_that_takes_too_long_is_a_timeout_and_is_cancelled():
    app = App()
    left = threading.Event()

    @app.get("/", cancel_on_disconnect=True)
    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    with TestClient(app) as client:
        with pytest.raises(TimeoutError, match=r"0\.5 s"):
            client.get("/", timeout=0.5)
        assert left.wait(20)


# Streams.


def test_pieces_come_as_they_are_made_and_leaving_ends_the_stream():
    app = App()
    gate, closed = Gate(), threading.Event()

    @app.get("/")
    async def stream():
        async def pieces():
            try:
                yield b"first"
                await gate.wait_async()
                yield b"second"
                await asyncio.Event().wait()
            finally:
                closed.set()

        return StreamResponse(pieces())

    with TestClient(app) as client:
        with client.stream("GET", "/") as reply:
            pieces = reply.iter_bytes()
            assert reply.status == 200
            assert next(pieces) == b"first"
            gate.open()
            assert next(pieces) == b"second"
            assert not closed.is_set()
        assert closed.wait(20)


def test_an_endless_stream_of_a_thread_ends_when_the_client_leaves():
    app = App()
    closed = threading.Event()

    @app.get("/")
    def stream():
        def pieces():
            try:
                while True:
                    yield b"x"
            finally:
                closed.set()

        return StreamResponse(pieces())

    with TestClient(app) as client:
        with client.stream("GET", "/") as reply:
            assert next(reply.iter_bytes()) == b"x"
        wait_until(closed.is_set, "the iterator is closed")


@pytest.mark.parametrize("raises", [True, False])
def test_a_stream_that_fails_is_the_failure_or_a_broken_connection(raises):
    app = App()

    @app.get("/")
    async def stream():
        async def pieces():
            yield b"first"
            raise ValueError("half way")

        return StreamResponse(pieces())

    @app.get("/short")
    async def short():
        async def pieces():
            yield b"abc"

        return StreamResponse(pieces(), headers={"Content-Length": "7"})

    client = TestClient(app, raise_server_exceptions=raises)

    with client.stream("GET", "/") as reply:
        pieces = reply.iter_bytes()
        assert next(pieces) == b"first"
        with pytest.raises(ValueError if raises else ConnectionError):
            next(pieces)
    with pytest.raises(ConnectionError, match="4 octets"):
        client.get("/short")


def test_events_are_read_whole_and_as_they_come(client):
    expected = [Event('{"n":1}', "count", "7"), Event("two\nlines")]

    assert client.get("/events").events() == expected
    with client.stream("GET", "/events") as reply:
        assert list(reply.events()) == expected


def test_an_endless_event_stream_can_be_left():
    app = App()

    @app.get("/")
    async def ticks() -> EventStream:
        async def source():
            number = 0
            while True:
                yield {"n": number}
                number += 1
                await asyncio.sleep(0)

        return EventStream(source())

    with TestClient(app) as client, client.stream("GET", "/") as reply:
        events = reply.events()
        assert [next(events).data for _ in range(3)] == ['{"n":0}', '{"n":1}', '{"n":2}']


def test_the_end_of_the_block_tells_streams_that_the_server_stops():
    app = App()
    told = threading.Event()

    @app.get("/")
    async def wait(request: Request):
        asyncio.get_running_loop().call_soon(tasks.append, asyncio.ensure_future(watch(request)))
        return "ok"

    async def watch(request):
        await request.draining
        told.set()

    tasks = []
    with TestClient(app) as client:
        client.get("/")

    assert told.is_set()


# WebSocket.


@pytest.fixture(scope="module")
def sockets():
    app = App()
    app.state.closes = []

    @app.websocket("/echo/{room}", subprotocols=["chat"])
    async def echo(websocket: WebSocket, room: str, q: str = ""):
        try:
            async for message in websocket:
                is_asked = isinstance(message, str) and message == "where"
                await websocket.send(room + q if is_asked else message)
        finally:
            app.state.closes.append(room)

    @app.websocket("/closes")
    async def closes(websocket: WebSocket):
        await websocket.send("bye")
        await websocket.close(4000, "enough")

    @app.websocket("/refuses")
    async def refuses(websocket: WebSocket):
        raise HTTPError(401, "who are you?")

    @app.websocket("/fails")
    async def fails(websocket: WebSocket):
        raise ValueError("at once")

    @app.websocket("/fails-later")
    async def fails_later(websocket: WebSocket):
        await websocket.receive()
        raise ValueError("later")

    @app.websocket("/cookies")
    async def cookies(websocket: WebSocket):
        await websocket.send(websocket.request.cookies.get("a", "none"))

    with TestClient(app) as client:
        yield client


def test_messages_go_both_ways(sockets):
    with sockets.websocket("/echo/7", subprotocols=["x", "chat"], params={"q": "?"}) as socket:
        socket.send("text")
        socket.send(b"octets")
        socket.send("where")
        socket.send_json({"a": 1})

        assert socket.subprotocol == "chat"
        assert [socket.receive() for _ in range(3)] == ["text", b"octets", "7?"]
        assert socket.receive_json() == {"a": 1}

    assert sockets.app.state.closes[-1] == "7"


def test_a_close_of_the_route_is_an_exception_and_the_end_of_iteration(sockets):
    with sockets.websocket("/closes") as socket:
        assert list(socket) == ["bye"]
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive()
        assert (caught.value.code, caught.value.reason) == (4000, "enough")
        with pytest.raises(WebSocketDisconnect):
            socket.send("more")


def test_a_refusal_has_the_reply(sockets):
    with pytest.raises(WebSocketRefused) as caught, sockets.websocket("/refuses"):
        pytest.fail("it was accepted")

    assert caught.value.reply.status == 401
    assert caught.value.reply.json()["detail"] == "who are you?"

    with pytest.raises(WebSocketRefused) as caught:
        sockets.websocket("/echo/1", headers={"Origin": "https://evil.example"}).__enter__()

    assert caught.value.reply.status == 403


def test_a_failure_is_raised_before_the_accept_and_after_it(sockets):
    with pytest.raises(ValueError, match="at once"):
        sockets.websocket("/fails").__enter__()

    with sockets.websocket("/fails-later") as socket:
        socket.send("x")
        with pytest.raises(ValueError, match="later"):
            socket.receive()
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive()
        assert caught.value.code == 1011
    with pytest.raises(ValueError, match="later"), sockets.websocket("/fails-later") as socket:
        socket.send("x")


def test_a_failure_is_an_answer_or_a_code_when_asked_for(sockets):
    client = TestClient(sockets.app, raise_server_exceptions=False)

    with pytest.raises(WebSocketRefused) as refused:
        client.websocket("/fails").__enter__()
    assert refused.value.reply.status == 500
    with client.websocket("/fails-later") as socket:
        socket.send("x")
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive()
        assert caught.value.code == 1011


def test_no_message_is_a_timeout(sockets):
    with sockets.websocket("/echo/8", timeout=0.05) as socket, pytest.raises(TimeoutError):
        socket.receive()


def test_cookies_go_with_the_handshake(sockets):
    with sockets.websocket("/cookies", cookies={"a": "sent"}) as socket:
        assert socket.receive() == "sent"


def test_an_option_there_is_none_of_is_told_and_nothing_is_sent():
    app = App()
    app.post("/")(lambda: pytest.fail("it was sent"))

    with pytest.raises(
        TypeError, match=r"POST /: unknown option 'jsn'; did you mean json\? there are params"
    ):
        TestClient(app).post("/", jsn=1)
