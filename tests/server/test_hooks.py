"""Hooks over sockets: where they and the handler run, streams, uploads, WebSocket handshakes."""

from __future__ import annotations

import asyncio
import select
import threading
from contextvars import ContextVar

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from penstock import (
    App,
    BodyLimit,
    BodyStream,
    Compression,
    Depends,
    ETags,
    EventStream,
    HTTPError,
    MethodOverride,
    Response,
    StaticFiles,
    StreamResponse,
    Timeout,
    WebSocket,
)
from tests.server.harness import serve

seen = ContextVar("seen", default="nothing")


class Loop:
    """Async hooks of each kind, which note the thread they run in."""

    def __init__(self):
        self.threads = set()
        self.values = []

    async def before(self, request):
        await asyncio.sleep(0)
        self.threads.add(threading.current_thread())
        seen.set("hook")
        if "x-refuse" in request.headers:
            raise HTTPError(403, "refused")

    async def around(self, request, call_next):
        response = await call_next(request)
        self.values.append(seen.get())
        if response.status != 101:
            response.headers["X-Around"] = "1"
        return response

    async def after(self, request, response):
        self.threads.add(threading.current_thread())
        response.headers["X-After"] = "1"


def make_app(hook, folder):
    app = App(hooks=[hook])

    @app.get("/thread")
    def thread() -> str:
        found = seen.get()
        seen.set("handler")
        return f"{found} {threading.current_thread() in hook.threads}"

    @app.get("/inline", run="inline")
    def inline() -> str:
        return f"{seen.get()} {threading.current_thread() in hook.threads}"

    @app.get("/async")
    async def later() -> str:
        return f"{seen.get()} {threading.current_thread() in hook.threads}"

    @app.get("/stream")
    def stream() -> Response:
        return StreamResponse(iter(["a", "b", seen.get()]))

    @app.get("/events")
    async def events() -> Response:
        async def source():
            yield "one"

        return EventStream(source())

    @app.post("/upload")
    def upload(content: BodyStream) -> int:
        return sum(map(len, content))

    @app.post("/aupload")
    async def aupload(content: BodyStream) -> int:
        return sum([len(piece) async for piece in content])

    @app.websocket("/ws")
    async def converse(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send(seen.get())

    app.mount("/files", StaticFiles(folder))
    return app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    (path / "a.txt").write_text("file")
    return path


def test_async_hooks_run_on_the_loop_and_the_handler_where_it_wants_to(folder):
    hook = Loop()
    with serve(make_app(hook, folder)) as server, server.connect() as client:
        for target, body in [
            ("/thread", b"hook False"),
            ("/inline", b"hook True"),
            ("/async", b"hook True"),
            ("/stream", b"abhook"),
            ("/files/a.txt", b"file"),
            ("/files/a.txt", b"file"),
        ]:
            hook.values.clear()
            reply = client.ask(target)
            assert (reply.status, reply.content) == (200, body), target
            assert (reply.get("x-around"), reply.get("x-after")) == ("1", "1")
            assert hook.values == ["handler" if target == "/thread" else "hook"]
        assert b"data: one" in client.ask("/events").content
        assert client.ask("/thread", "GET", "X-Refuse: 1").status == 403
        assert client.ask("/nothing").get("x-after") == "1"
    assert len(hook.threads) == 1


@pytest.mark.parametrize("target", ["/upload", "/aupload"])
def test_a_body_streams_to_a_handler_under_async_hooks(folder, target):
    with serve(make_app(Loop(), folder)) as server, server.connect() as client:
        for _ in range(2):
            head = f"POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 300000\r\n\r\n"
            client.send(head.encode())
            for _ in range(3):
                client.send(b"x" * 100_000)
            reply = client.take("POST")
            assert (reply.status, reply.content) == (200, b"300000")


def test_a_before_hook_guards_a_websocket_handshake(folder):
    with serve(make_app(Loop(), folder)) as server:
        url = f"ws://127.0.0.1:{server.port}/ws"
        with connect(url) as socket:
            assert socket.recv() == "hook"
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers={"X-Refuse": "1"})
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_route_hooks_guard_a_websocket_handshake(kind):
    app = App()

    class Guard:
        if kind == "plain":

            def before(self, request):
                raise HTTPError(401)
        else:

            async def before(self, request):
                await asyncio.sleep(0)
                raise HTTPError(401)

    @app.websocket("/ws", hooks=[Guard()])
    async def converse(websocket: WebSocket) -> None:
        await websocket.accept()

    with serve(app) as server:
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{server.port}/ws")
        assert refused.value.response.status_code == 401


def test_no_thread_free_under_async_hooks_is_503():
    app, gate = App(), threading.Event()

    @app.before
    async def later(request):
        await asyncio.sleep(0)

    entered = threading.Semaphore(0)

    @app.get("/")
    def wait() -> str:
        entered.release()
        assert gate.wait(30)
        return "done"

    with serve(app, threads=1, queue_limit=1) as server:
        clients = [server.connect() for _ in range(3)]
        try:
            clients[0].send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            assert entered.acquire(timeout=30)
            for client in clients[1:]:
                client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            # One of the two waits in the queue, the other finds it full.
            ready, _, _ = select.select([client.socket for client in clients[1:]], [], [], 30)
            full = next(client for client in clients[1:] if client.socket in ready)
            assert full.take().status == 503
            gate.set()
            others = [client for client in clients if client is not full]
            assert [client.take().content for client in others] == [b"done", b"done"]
        finally:
            gate.set()
            for client in clients:
                client.close()


def test_a_body_limit_refuses_before_content_is_sent():
    app = App(hooks=[BodyLimit(10)])
    app.post("/")(lambda: "never")

    with serve(app) as server, server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\n")
        assert client.take("POST").status == 413
    with serve(app) as server, server.connect() as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n"
        )
        assert client.take("POST").status == 413


@pytest.mark.parametrize("kind", ["def", "async"])
def test_a_timeout_of_an_application_is_504(kind):
    app, gate = App(hooks=[Timeout(0.05)]), threading.Event()

    def wait() -> str:
        gate.wait(30)
        return "late"

    async def await_() -> str:
        await asyncio.sleep(30)
        return "late"

    app.get("/")(wait if kind == "def" else await_)
    try:
        with serve(app, faults=True) as server:
            assert server.ask("/").status == 504
            gate.set()
    finally:
        gate.set()


def test_a_method_in_a_form_and_a_slash_too_many_over_a_socket():
    app = App(hooks=[MethodOverride()], trailing_slash="redirect")

    @app.delete("/items/{item}")
    def delete(item: str) -> str:
        return f"deleted {item}"

    with serve(app) as server, server.connect() as client:
        form = "Content-Type: application/x-www-form-urlencoded"
        reply = client.ask("/items/7", "POST", form, body=b"_method=DELETE")
        assert (reply.status, reply.content) == (200, b"deleted 7")
        reply = client.ask("/items/7/?a=1", "POST", form, body=b"_method=DELETE")
        assert (reply.status, reply.get("location")) == (308, "/items/7?a=1")
        assert client.ask("/items/7", "POST", "X-HTTP-Method-Override: delete").content == b"deleted 7"


def test_entity_tags_over_a_socket_with_and_without_compression():
    for compression in (None, Compression()):
        app = App(hooks=[ETags()], compression=compression)
        app.get("/")(lambda: "hello " * 1000)

        with serve(app) as server, server.connect() as client:
            first = client.ask("/", "GET", "Accept-Encoding: gzip")
            tag = first.get("etag")
            assert tag.startswith('W/"' if compression else '"')
            again = client.ask("/", "GET", "Accept-Encoding: gzip", f"If-None-Match: {tag}")
            assert (again.status, again.get("etag"), again.content) == (304, tag, b"")


def test_what_a_method_in_a_form_opens_is_closed_behind_the_reply():
    app, closed = App(hooks=[MethodOverride()]), threading.Event()

    def resource():
        yield 7
        closed.set()

    @app.put("/")
    def put(one: int = Depends(resource)) -> int:
        return one

    with serve(app) as server, server.connect() as client:
        form = "Content-Type: application/x-www-form-urlencoded"
        assert client.ask("/", "POST", form, body=b"_method=PUT").content == b"7"
        assert closed.wait(30)
