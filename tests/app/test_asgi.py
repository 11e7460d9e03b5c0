"""An App called as an ASGI 3 application, with messages by hand."""

from __future__ import annotations

import asyncio
import json

import pytest

from penstock import App, BodyStream, HTTPError, Request, Response, StreamResponse


def call(app, method="GET", path="/", *, body=b"", headers=(), pieces=None, is_gone=None, **more):
    """The messages the application sends for one request; `is_gone` is awaited before http.disconnect."""
    sent = []
    pieces = [body] if pieces is None else list(pieces)

    async def main():
        forever = asyncio.Event()
        rest = list(pieces)

        async def receive():
            if rest:
                piece = rest.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(rest)}
            await (forever.wait() if is_gone is None else is_gone())
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "2",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"test"), *headers],
            "client": ("192.0.2.1", 7),
            "server": ("192.0.2.2", 443),
            **more,
        }
        await app(scope, receive, send)

    asyncio.run(asyncio.wait_for(main(), 20))
    return sent


def content_of(sent):
    return b"".join(message.get("body", b"") for message in sent)


def fields_of(sent):
    return dict(sent[0]["headers"])


@pytest.fixture
def app():
    app = App()

    @app.get("/", run="inline")
    def home() -> str:
        return "home"

    @app.get("/thread/{number:int}")
    def thread(number: int) -> dict:
        return {"number": number}

    @app.post("/echo")
    async def echo(request: Request) -> bytes:
        return request.body

    @app.post("/stream")
    async def stream(content: BodyStream) -> str:
        return str(len(await content.read()))

    @app.post("/stream-in-thread")
    def stream_in_thread(content: BodyStream) -> str:
        return str(sum(len(piece) for piece in content))

    @app.get("/request")
    async def show(request: Request) -> dict:
        return {
            "url": request.url,
            "client": request.client,
            "path": request.path,
            "draining": bool(request.server.draining),
        }

    @app.get("/fail")
    async def fail() -> str:
        raise HTTPError(409, "no")

    @app.get("/pieces")
    async def pieces() -> StreamResponse:
        async def make():
            yield b"a"
            yield "b"

        return StreamResponse(make(), trailers=[("X-Sum", "2")])

    @app.get("/pieces-in-thread")
    def pieces_in_thread() -> StreamResponse:
        return StreamResponse(iter([b"a", b"b"]))

    @app.get("/empty")
    async def empty() -> Response:
        return Response(status=204)

    @app.get("/bad")
    async def bad() -> Response:
        return Response(b"x", headers={"X-Bad": "a\r\nb"})

    return app


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", b"home"),
        ("/thread/7", b'{"number":7}'),
        ("/pieces", b"ab"),
        ("/pieces-in-thread", b"ab"),
        ("/empty", b""),
    ],
)
def test_reply_is_sent(app, path, content):
    sent = call(app, path=path)

    assert content_of(sent) == content
    assert sent[0]["type"] == "http.response.start"
    assert sent[-1].get("more_body", False) is False


def test_length_is_that_of_the_content(app):
    assert fields_of(call(app))[b"content-length"] == b"4"
    assert b"content-length" not in fields_of(call(app, path="/pieces"))
    assert b"content-length" not in fields_of(call(app, path="/empty"))


@pytest.mark.parametrize("path", ["/", "/pieces", "/pieces-in-thread"])
def test_head_has_no_content(app, path):
    sent = call(app, "HEAD", path)

    assert (sent[0]["status"], content_of(sent)) == (200, b"")


def test_content_is_joined(app):
    assert content_of(call(app, "POST", "/echo", pieces=[b"a", b"", b"b"])) == b"ab"


@pytest.mark.parametrize("path", ["/stream", "/stream-in-thread"])
def test_content_is_streamed(app, path):
    assert content_of(call(app, "POST", path, pieces=[b"a" * 1000] * 5)) == b"5000"


@pytest.mark.parametrize("path", ["/echo", "/stream"])
@pytest.mark.parametrize("headers", [[], [(b"content-length", b"2000000")]])
def test_content_beyond_the_limit_is_413(app, path, headers):
    sent = call(app, "POST", path, pieces=[b"x" * 1_000_000] * 2, headers=headers)

    assert sent[0]["status"] == 413


def test_request_is_that_of_the_client(app):
    shown = json.loads(content_of(call(app, path="/request")))

    assert shown == {
        "url": "https://test/request",
        "client": ["192.0.2.1", 7],
        "path": "/request",
        "draining": False,
    }


def test_root_path_is_not_part_of_the_path(app):
    sent = call(app, path="/api/thread/3", root_path="/api")

    assert content_of(sent) == b'{"number":3}'


def test_root_path_is_part_of_the_url_and_whole_segments(app):
    assert json.loads(content_of(call(app, path="/api/request", root_path="/api")))["url"] == (
        "https://test/api/request"
    )
    assert call(app, path="/thread/3", root_path="/thr")[0]["status"] == 200


@pytest.mark.parametrize(
    "more",
    [
        {"raw_path": b"/a b"},
        {"raw_path": b"/a%2"},
        {"raw_path": b"thread"},
        {"query_string": b"a#b"},
        {"headers": [(b"x", b"a\r\nhost: other")]},
        {"headers": [(b"x\r\nhost", b"a")]},
        {"headers": [(b"x y", b"a")]},
        {"headers": [(b"x: y", b"a")]},
        {"headers": [(b":path", b"/other")]},
        {"headers": [(b"x", b"\x00")]},
        {"headers": [(b"content-length", b"+1")]},
        {"headers": [(b"content-length", b"1"), (b"content-length", b"2")]},
    ],
)
@pytest.mark.parametrize("version", ["1.1", "2"])
def test_what_the_native_server_would_refuse_is_400(app, more, version):
    sent = call(app, http_version=version, **{"headers": [], **more})

    assert [sent[0]["status"], sent[-1].get("more_body", False)] == [400, False]


@pytest.mark.parametrize(("version", "is_held"), [("1.1", False), ("2", True), ("3", True)])
def test_response_ends_after_the_request_where_it_has_to(app, version, is_held):
    events = []
    pieces = [b"x" * 700_000] * 4

    async def main():
        async def receive():
            events.append("received")
            return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

        async def send(message):
            events.append(message.get("status", "more" if message.get("more_body") else "end"))

        scope = {"type": "http", "http_version": version, "method": "POST", "path": "/echo", "headers": []}
        await app(scope, receive, send)

    asyncio.run(main())

    rest = ["more", "received", "received", "end"] if is_held else ["end"]
    assert events == ["received", "received", 413, *rest]


@pytest.mark.parametrize("ends", [True, False])
def test_content_can_be_read_while_the_response_is_sent(ends):
    app = App()

    @app.post("/")
    async def echo(content: BodyStream) -> StreamResponse:
        async def make():
            async for piece in content:
                await asyncio.sleep(0.001)
                yield piece

        return StreamResponse(make())

    pieces = [bytes([number]) for number in range(20)]
    sent = call(app, "POST", pieces=pieces if ends else [*pieces, b""], is_gone=None if ends else at_once)

    assert content_of(sent) == b"".join(pieces)


async def at_once():
    pass


def test_raw_path_may_be_absent(app):
    assert call(app, path="/thread/3", raw_path=None)[0]["status"] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/none", 404),
        ("DELETE", "/", 405),
        ("BREW", "/", 501),
        ("GET", "/fail", 409),
        ("GET", "/bad", 500),
    ],
)
def test_faults_have_their_status(app, method, path, status):
    assert call(app, method, path)[0]["status"] == status


def test_trailers_are_sent_where_the_server_takes_them(app):
    without = call(app, path="/pieces")
    sent = call(app, path="/pieces", extensions={"http.response.trailers": {}})

    assert without[-1]["type"] == "http.response.body"
    assert sent[0]["trailers"] is True
    assert sent[-1] == {"type": "http.response.trailers", "headers": [(b"x-sum", b"2")]}


def test_stream_ends_when_the_client_leaves():
    app = App()
    closed = []

    @app.get("/")
    async def endless() -> StreamResponse:
        async def make():
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(0.001)
            finally:
                closed.append(True)

        return StreamResponse(make())

    sent = call(app, is_gone=lambda: asyncio.sleep(0.02))

    assert closed == [True]
    assert sent[-1].get("more_body") is True


def test_handler_is_cancelled_when_the_client_leaves():
    app = App()
    cancelled = []

    @app.get("/", cancel_on_disconnect=True)
    async def slow() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    sent = call(app, is_gone=lambda: asyncio.sleep(0.01))

    assert (cancelled, sent) == ([True], [])


def test_client_that_leaves_in_the_middle_of_the_content_gets_nothing(app):
    assert call(app, "POST", "/echo", pieces=[], is_gone=lambda: asyncio.sleep(0)) == []


def test_stream_that_fails_raises():
    app = App()

    @app.get("/")
    async def fails() -> StreamResponse:
        async def make():
            yield b"x"
            raise ValueError("on purpose")

        return StreamResponse(make())

    with pytest.raises(ValueError, match="on purpose"):
        call(app)


def live(app):
    sent = []

    async def main():
        inbox = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive():
            return inbox.pop(0)

        async def send(message):
            sent.append(message)

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    asyncio.run(main())
    return sent


def test_lifespan_runs_the_hooks():
    app = App()
    events = []
    app.on_startup(lambda: events.append("up"))
    app.on_shutdown(lambda: events.append("down"))

    sent = live(app)

    assert events == ["up", "down"]
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_failed_startup_is_reported():
    app = App()

    @app.on_startup
    def fail():
        raise ValueError("no database")

    assert live(app) == [{"type": "lifespan.startup.failed", "message": "ValueError: no database"}]


def test_websocket_is_refused(app):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "websocket", "path": "/", "headers": []}, receive, send))

    assert sent == [{"type": "websocket.close"}]
