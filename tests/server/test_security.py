"""The ready-made hooks over sockets: every kind of reply, schemes a proxy tells, WebSocket handshakes."""

from __future__ import annotations

import asyncio
import re

import pytest
from websockets.sync.client import connect

from penstock import (
    CORS,
    CSRF,
    App,
    BodyStream,
    Compression,
    EventStream,
    FetchMetadata,
    FileResponse,
    HTTPSRedirect,
    RequestID,
    Response,
    Router,
    SecurityHeaders,
    StaticFiles,
    StreamResponse,
    TrustedHosts,
    UploadFile,
    WebSocket,
    csrf_token,
)
from tests.server.harness import serve

PAGE = "https://page.example"
ORIGIN = f"Origin: {PAGE}"
PREFLIGHT = (ORIGIN, "Access-Control-Request-Method: PUT")
HOOKS = [
    RequestID(trust=True),
    CORS([PAGE], credentials=True),
    SecurityHeaders(csp="script-src 'nonce-{nonce}'"),
    TrustedHosts(["test"]),
    FetchMetadata(origins=[PAGE]),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    (path / "small.txt").write_text("small " * 10)
    (path / "large.bin").write_bytes(b"x" * 300_000)
    return path


def make_app(folder, **options):
    app = App(hooks=HOOKS, **options)
    router = Router()

    @app.get("/inline", run="inline")
    def inline(request) -> str:
        return request.state.csp_nonce

    @app.get("/thread")
    def thread() -> str:
        return "x" * 2000

    @app.get("/async")
    async def later() -> str:
        await asyncio.sleep(0)
        return "x"

    @router.get("/crash")
    async def crash() -> str:
        raise KeyError

    @router.get("/stream")
    def stream() -> Response:
        return StreamResponse([b"a", b"b"])

    @router.get("/events")
    async def events() -> Response:
        async def source():
            yield "one"

        return EventStream(source())

    @router.get("/file")
    def file() -> Response:
        return FileResponse(folder / "large.bin")

    app.include(router)
    app.mount("/files", StaticFiles(folder))
    return app


KINDS = [
    ("/inline", 200),
    ("/thread", 200),
    ("/async", 200),
    ("/crash", 500),
    ("/stream", 200),
    ("/events", 200),
    ("/file", 200),
    ("/files/small.txt", 200),
    ("/files/large.bin", 200),
    ("/nothing", 404),
]


@pytest.mark.parametrize("compression", [None, Compression()], ids=["plain", "compressed"])
def test_every_kind_of_reply_has_the_fields_each_time(folder, compression):
    with serve(make_app(folder, compression=compression), faults=True) as server, server.connect() as client:
        for target, status in [*KINDS, *KINDS]:
            reply = client.ask(target, "GET", ORIGIN, "X-Request-ID: a1", "Accept-Encoding: gzip")
            assert (reply.status, reply.get("access-control-allow-origin")) == (status, PAGE), target
            assert reply.get("access-control-allow-credentials") == "true"
            assert (reply.get("x-request-id"), reply.get("x-frame-options")) == ("a1", "DENY")
            assert "Origin" in reply.get("vary")
            bare = client.ask(target)
            assert bare.get("access-control-allow-origin") is None, target
            assert (bare.status, len(bare.get("x-request-id"))) == (status, 32)


def test_content_arrives_whole_under_the_hooks(folder):
    with serve(make_app(folder)) as server, server.connect() as client:
        assert client.ask("/stream").content == b"ab"
        assert client.ask("/events").content == b"data: one\n\n"
        assert client.ask("/file").content == b"x" * 300_000
        for _ in range(2):
            assert client.ask("/files/large.bin", "GET", "Range: bytes=0-9").content == b"x" * 10
        etag = client.ask("/files/small.txt").get("etag")
        again = client.ask("/files/small.txt", "GET", f"If-None-Match: {etag}", ORIGIN)
        assert (again.status, again.get("access-control-allow-origin")) == (304, PAGE)
        reply = client.ask("/inline")
        nonce = re.search("nonce-([^']+)", reply.get("content-security-policy"))[1]
        assert reply.content.decode() == nonce


@pytest.mark.parametrize("target", ["/thread", "/async", "/files/small.txt", "/nothing"])
def test_a_preflight_is_answered_over_a_socket(folder, target):
    with serve(make_app(folder)) as server, server.connect() as client:
        reply = client.ask(target, "OPTIONS", *PREFLIGHT)
        assert (reply.status, reply.get("access-control-allow-origin")) == (204, PAGE)
        assert "PUT" in reply.get("access-control-allow-methods")
        refused = client.ask(target, "OPTIONS", "Origin: https://evil.example", PREFLIGHT[1])
        assert (refused.status, refused.get("access-control-allow-origin")) == (403, None)


def test_foreign_hosts_and_sites_are_refused_before_the_handler(folder):
    with serve(make_app(folder)) as server, server.connect() as client:
        client.send(b"GET /async HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert client.take().status == 400
        client.send(b"GET http://evil.example/async HTTP/1.1\r\nHost: test\r\n\r\n")
        assert client.take().status == 400
        foreign = ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
        assert client.ask("/async", "POST", *foreign, body=b"x").status == 403
        assert client.ask("/async", "POST", body=b"x").status == 405


def test_the_scheme_a_trusted_proxy_tells_decides():
    app = App(hooks=[SecurityHeaders(), HTTPSRedirect()])
    app.get("/")(lambda: "x")

    with serve(app, proxy_trust="127.0.0.1") as server, server.connect() as client:
        plain = client.ask("/?a=%20b")
        assert (plain.status, plain.get("location")) == (308, "https://test/?a=%20b")
        assert plain.get("strict-transport-security") is None
        secure = client.ask("/", "GET", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
        assert (secure.status, secure.content) == (200, b"x")
        assert secure.get("strict-transport-security") == "max-age=31536000"


def test_a_websocket_is_opened_through_the_hooks():
    app = App(hooks=[RequestID(), CORS([PAGE]), SecurityHeaders(), TrustedHosts(["127.0.0.1"])])

    @app.websocket("/ws")
    async def echo(ws: WebSocket) -> None:
        await ws.accept()
        await ws.send("hello")

    with serve(app) as server, connect(f"ws://127.0.0.1:{server.port}/ws") as client:
        assert client.recv() == "hello"
        assert len(client.response.headers["X-Request-ID"]) == 32


def test_a_form_with_a_token_over_a_socket():
    app = App(hooks=[CSRF("a secret of thirty-two octets, or more")])

    @app.get("/")
    def page(request) -> str:
        return csrf_token(request)

    @app.post("/")
    async def take(request) -> str:
        return request.text()

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send("hello")

    with serve(app) as server, server.connect() as client:
        page = client.ask("/")
        token, cookie = page.content.decode(), page.get("set-cookie").partition(";")[0]
        form = f"csrf_token={token}&a=1".encode()
        fields = ("Content-Type: application/x-www-form-urlencoded", f"Cookie: {cookie}")
        reply = client.ask("/", "POST", *fields, body=form)
        assert (reply.status, reply.content) == (200, form)
        assert client.ask("/", "POST", *fields, body=b"csrf_token=x").status == 403
        assert client.ask("/", "POST", f"Cookie: {cookie}", "X-CSRF-Token: " + token[::-1]).status == 403
        assert client.ask("/", "POST", f"Cookie: {cookie}", f"X-CSRF-Token: {token}").status == 200
        assert client.ask("/", "POST", f"Cookie: {cookie}", f"X-CSRF-Token: {token}\u00e9").status == 403
        with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
            assert socket.recv() == "hello"


PARTS = "multipart/form-data; boundary=b"


def parts(token: str) -> bytes:
    field = f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    return f"{head}{'x' * 100_000}\r\n{field}--b--\r\n".encode()


@pytest.mark.parametrize("kind", ["def", "async"])
def test_a_token_behind_files_is_checked_before_the_handler(kind):
    app, calls = App(hooks=[CSRF("a secret of thirty-two octets, or more")]), []

    @app.get("/")
    def page(request) -> str:
        return csrf_token(request)

    def take(file: UploadFile) -> int:
        calls.append(len(file.read()))
        return calls[-1]

    async def atake(file: UploadFile) -> int:
        calls.append(len(await file.aread()))
        return calls[-1]

    app.post("/files")(take if kind == "def" else atake)

    @app.post("/stream")
    async def stream(content: BodyStream) -> int:
        calls.append("never")
        return 0

    with serve(app) as server, server.connect() as client:
        page = client.ask("/")
        cookie = page.get("set-cookie").partition(";")[0]
        token = page.content.decode()
        fields = (f"Content-Type: {PARTS}", f"Cookie: {cookie}")
        assert client.ask("/files", "POST", *fields, body=parts(token[::-1])).status == 403
        assert calls == []
        assert client.ask("/files", "POST", *fields, body=parts(token)).content == b"100000"
        # A handler that reads the content itself would find out too late.
        assert client.ask("/stream", "POST", *fields, body=parts(token)).status == 403
        assert calls == [100_000]
