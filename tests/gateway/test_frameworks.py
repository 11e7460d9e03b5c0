"""Real frameworks over real sockets, unchanged: what their users rely on."""

from __future__ import annotations

import json
import threading

import pytest

from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from tests.server.harness import request, serve, wait_until

FORM = b'--b\r\nContent-Disposition: form-data; name="upload"; filename="a.txt"\r\n\r\n%b\r\n--b--\r\n'
FORM_TYPE = "Content-Type: multipart/form-data; boundary=b"


@pytest.fixture
def starlette(need_package):
    need_package("starlette")
    from contextlib import asynccontextmanager

    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    events = []

    @asynccontextmanager
    async def lifespan(app):
        events.append("up")
        yield {"started": True}
        events.append("down")

    async def home(request):
        return PlainTextResponse("hello", background=BackgroundTask(events.append, "background"))

    async def show(request):
        content = await request.body()
        return JSONResponse(
            {
                "url": str(request.url),
                "query": dict(request.query_params),
                "host": request.headers["host"],
                "client": request.client.host,
                "state": request.state.started,
                "length": len(content),
            }
        )

    async def stream(request):
        async def make():
            for number in range(1000):
                yield f"{number},"

        return StreamingResponse(make())

    async def forever(request):
        async def make():
            while True:
                yield b"x" * 10_000

        return StreamingResponse(make())

    def in_thread(request):
        return PlainTextResponse(threading.current_thread().name)

    async def fail(request):
        raise ValueError("on purpose")

    class Adds(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            response = await call_next(request)
            response.headers["X-Added"] = "yes"
            return response

    routes = [
        Route("/", home),
        Route("/show", show, methods=["GET", "POST"]),
        Route("/stream", stream),
        Route("/forever", forever),
        Route("/thread", in_thread),
        Route("/fail", fail),
    ]
    app = Starlette(
        routes=routes, lifespan=lifespan, middleware=[Middleware(Adds), Middleware(GZipMiddleware)]
    )
    app.events = events
    return app


def test_starlette_behaves(starlette):
    with serve(ASGIHandler(starlette)) as server, server.connect() as client:
        home = client.ask("/")
        shown = json.loads(client.ask("/show?a=b%20c", "POST", body=b"x" * 200_000).content)
        stream = client.ask("/stream")
        packed = client.ask("/stream", "GET", "Accept-Encoding: gzip")
        thread = client.ask("/thread")
        head = client.ask("/", "HEAD")
        none = client.ask("/none")
        wait_until(lambda: starlette.events.count("background") == 2)

    assert (home.content, home.get("x-added")) == (b"hello", "yes")
    assert shown == {
        "url": "http://test/show?a=b%20c",
        "query": {"a": "b c"},
        "host": "test",
        "client": "127.0.0.1",
        "state": True,
        "length": 200_000,
    }
    assert stream.content == b"".join(b"%d," % number for number in range(1000))
    assert packed.get("content-encoding") == "gzip"
    assert thread.status == 200
    assert (head.status, head.content, head.get("content-length")) == (200, b"", "5")
    assert none.status == 404
    assert (starlette.events[0], starlette.events[-1]) == ("up", "down")


def test_starlette_stream_stops_when_the_client_leaves(starlette):
    with serve(ASGIHandler(starlette)) as server:
        client = server.connect(request("/forever"))
        client.receive()
        client.reset()
        wait_until(lambda: server.log.messages("the application gave up after the client"))
        server.wait_idle()


def test_starlette_exception_is_500(starlette):
    with serve(ASGIHandler(starlette), faults=True) as server, server.connect() as client:
        replies = [client.ask("/fail") for _ in range(2)]

    assert [(reply.status, reply.content) for reply in replies] == [(500, b"Internal Server Error")] * 2


def test_fastapi_behaves(need_package):
    need_package("fastapi")
    from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
    from fastapi import Request as FastRequest
    from fastapi.responses import StreamingResponse

    app = FastAPI()
    events = []

    async def session():
        events.append("opened")
        yield 7
        events.append("closed")

    async def home(tasks: BackgroundTasks, number: int = Depends(session)) -> dict:
        tasks.add_task(events.append, "background")
        return {"number": number}

    def item(item_id: int, q: str | None = None) -> dict:
        if item_id == 0:
            raise HTTPException(404, "no such item")
        return {"id": item_id, "q": q}

    async def upload(request: FastRequest) -> int:
        return len(await request.body())

    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"a", b"b"]), media_type="text/plain")

    # Not by decorators: annotations of this module are text, and the names are local.
    names = {**globals(), **locals()}
    for function in (home, item, upload, stream):
        kinds = function.__annotations__
        function.__annotations__ = {key: eval(kind, names) for key, kind in kinds.items()}
    app.add_api_route("/", home)
    app.add_api_route("/items/{item_id}", item)
    app.add_api_route("/upload", upload, methods=["POST"])
    app.add_api_route("/stream", stream)

    with serve(ASGIHandler(app)) as server, server.connect() as client:
        contents = [
            json.loads(client.ask(path).content)
            for path in ("/", "/items/5?q=x", "/items/0", "/openapi.json")
        ]
        invalid = client.ask("/items/x")
        uploaded = client.ask("/upload", "POST", body=b"x" * 100_000)
        streamed = client.ask("/stream")
        wait_until(lambda: "background" in events)

    assert contents[:3] == [{"number": 7}, {"id": 5, "q": "x"}, {"detail": "no such item"}]
    assert "/items/{item_id}" in contents[3]["paths"]
    assert (invalid.status, uploaded.content, streamed.content) == (422, b"100000", b"ab")
    assert sorted(events) == ["background", "closed", "opened"]


def test_flask_behaves(need_package):
    flask = need_package("flask")
    app = flask.Flask("shop")
    app.secret_key = "test"
    events = []

    @app.get("/")
    def home():
        flask.session["seen"] = flask.session.get("seen", 0) + 1
        return f"hello {flask.session['seen']}"

    @app.post("/upload")
    def upload():
        return str(len(flask.request.files["upload"].read()))

    @app.post("/echo")
    def echo():
        return flask.jsonify(
            json=flask.request.get_json(), url=flask.request.url, addr=flask.request.remote_addr
        )

    @app.get("/stream")
    def stream():
        def make():
            yield f"{flask.request.path} "
            yield "b"

        return app.response_class(flask.stream_with_context(make()))

    @app.get("/fail")
    def fail():
        raise ValueError("on purpose")

    @app.get("/called")
    def called():
        response = flask.make_response("x")
        response.call_on_close(lambda: events.append("closed"))
        return response

    with serve(WSGIHandler(app)) as server, server.connect() as client:
        home = client.ask("/")
        again = client.ask("/", "GET", f"Cookie: {home.get('set-cookie').partition(';')[0]}")
        uploads = [
            client.ask("/upload", "POST", FORM_TYPE, body=FORM % (b"x" * size)).content
            for size in (10, 300_000)
        ]
        echoed = client.ask("/echo?a=1", "POST", "Content-Type: application/json", body=b'{"a": [1]}')
        streamed = client.ask("/stream")
        head = client.ask("/", "HEAD")
        statuses = [client.ask(path).status for path in ("/none", "/upload", "/fail", "/called")]
        wait_until(lambda: events == ["closed"])

    assert (home.content, again.content) == (b"hello 1", b"hello 2")
    assert uploads == [b"10", b"300000"]
    assert json.loads(echoed.content) == {
        "json": {"a": [1]},
        "url": "http://test/echo?a=1",
        "addr": "127.0.0.1",
    }
    assert streamed.content == b"/stream b"
    assert (head.status, head.content) == (200, b"")
    assert statuses == [404, 405, 500, 200]


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
@pytest.mark.filterwarnings("default")  # Django warns of a plain iterator under ASGI
def test_django_behaves(django_application, interface):
    from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
    from django.urls import path

    def home(request):
        return HttpResponse("hello")

    def show(request, name):
        return JsonResponse({"path": request.path, "get": request.GET, "addr": request.META["REMOTE_ADDR"]})

    def upload(request):
        return HttpResponse(str(sum(map(len, request.FILES["upload"].chunks()))))

    def stream(request):
        return StreamingHttpResponse(f"{number}," for number in range(100))

    def fail(request):
        raise ValueError("on purpose")

    views = {"": home, "show/<str:name>": show, "upload": upload, "stream": stream, "fail": fail}
    handler = django_application(interface, [path(template, view) for template, view in views.items()])
    with serve(handler, faults=True) as server, server.connect() as client:
        home = client.ask("/")
        shown = json.loads(client.ask("/show/a%C3%A9?x=1").content)
        uploads = [
            client.ask("/upload", "POST", FORM_TYPE, body=FORM % (b"x" * size)).content
            for size in (10, 300_000)
        ]
        streamed = client.ask("/stream")
        statuses = [client.ask(path).status for path in ("/none", "/fail")]

    assert home.content == b"hello"
    assert shown == {"path": "/show/aé", "get": {"x": "1"}, "addr": "127.0.0.1"}
    assert uploads == [b"10", b"300000"]
    assert streamed.content == b"".join(b"%d," % number for number in range(100))
    assert statuses == [404, 500]
