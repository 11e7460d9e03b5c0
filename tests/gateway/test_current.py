"""Which request code works for, wherever it runs: under Penstock's own server, another, and in test clients."""

from __future__ import annotations

import json
import time

import pytest

from penstock import App, TestClient, trace_headers
from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from tests.apps import traced
from tests.e2e.serving import receive, serving
from tests.gateway.foreign import serving as foreign
from tests.server.harness import serve, wait_until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
WAIT_S = 20.0


class OverSockets:
    """A client of a real server."""

    def __init__(self, url):
        import httpx

        self._client = httpx.Client(base_url=url, timeout=WAIT_S)
        self.url = url

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._client.close()

    def ask(self, path, name, body=None, **more):
        fields = {**fields_of(name), **more}
        if body is None:
            return self._client.get(path, headers=fields).text
        return self._client.post(path, headers=fields, content=body).text

    def converse(self, path, name):
        from websockets.sync.client import connect

        with connect(self.url.replace("http", "ws") + path, additional_headers=fields_of(name)) as socket:
            for _ in range(2):
                socket.send("x")
                said = json.loads(socket.recv(WAIT_S))
        return said


class InProcess:
    """The test client."""

    def __init__(self, client):
        self._client = client

    def ask(self, path, name, body=None, **more):
        fields = {**fields_of(name), **more}
        if body is None:
            return self._client.get(path, headers=fields).text
        return self._client.post(path, headers=fields, content=b"".join(body)).text

    def converse(self, path, name):
        with self._client.websocket(path, headers=fields_of(name)) as socket:
            socket.send("x")
            return json.loads(socket.receive())


def fields_of(name):
    return {
        "traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01",
        "tracestate": "a=1",
        "x-request-id": name,
    }


@pytest.fixture(scope="module", params=["penstock", "uvicorn", "test client"])
def client(request, need_package):
    for package in ("httpx", "websockets", "uvicorn"):
        need_package(package)
    traced.noted.clear()
    traced.runs.clear()
    traced.ran.clear()
    if request.param == "penstock":
        with serve(traced.app, processes=1) as running, OverSockets(running.urls[0]) as asked:
            yield asked
    elif request.param == "uvicorn":
        with (
            foreign("uvicorn", "tests.apps.traced:app") as port,
            OverSockets(f"http://127.0.0.1:{port}") as asked,
        ):
            yield asked
    else:
        with TestClient(traced.app) as asked:
            yield InProcess(asked)


def check(said, name, path, route):
    """That code worked for the request of this name, and tells others so."""
    version, trace_id, span_id, flags = said["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "01")
    assert span_id != PARENT_ID
    assert (said["tracestate"], said["X-Request-ID"]) == ("a=1", name)
    assert (said["path"], said["route"]) == (path, route)
    return span_id


PLACES = [
    *("inline", "thread", "task", "late", "to-thread", "own-pool", "stream", "async-stream"),
    *("process", "generator", "async-generator", "background", "spawn", "emit", "events"),
]


@pytest.mark.parametrize("place", PLACES)
def test_code_knows_the_request_it_works_for(client, place):
    spans = set()
    for number in range(3):
        content = client.ask(f"/{place}/{number}", f"{place}-{number}")
        if place == "events":
            content = content.partition("data: ")[2]
        said = json.loads(content)
        said = said[0] if isinstance(said, list) else said
        spans.add(check(said, f"{place}-{number}", f"/{place}/{number}", f"/{place}/{{n}}"))

    assert len(spans) == 3


@pytest.mark.parametrize(
    ("place", "noted"),
    [
        ("background", ["async background", "background"]),
        ("thread-background", ["async background", "background"]),
        ("spawn", ["async background", "background"]),
        ("thread-spawn", ["async background", "background"]),
        ("emit", ["async listener", "listener"]),
        ("thread-emit", ["async listener", "listener"]),
        ("generator", ["generator"]),
        ("async-generator", ["async generator"]),
    ],
)
def test_so_does_what_runs_beside_and_behind_the_reply(client, place, noted):
    name = f"beside-{place}"
    said = json.loads(client.ask(f"/{place}/7", name))
    span_id = check(said, name, f"/{place}/7", f"/{place}/{{n}}")

    end = time.monotonic() + WAIT_S
    found = {}
    while len(found) < len(noted):
        assert time.monotonic() < end, f"only {found}"
        everything = json.loads(client.ask("/noted", "reader"))
        found = {one: everything[f"{name} {one}"] for one in noted if f"{name} {one}" in everything}
    for one in noted:
        assert check(found[one], name, f"/{place}/7", f"/{place}/{{n}}") == span_id


@pytest.mark.parametrize("place", ["body", "body-stream"])
def test_a_request_that_waited_for_its_content_is_itself_still(client, place):
    def pieces():
        yield b"a"
        if isinstance(client, OverSockets):
            client_between = OverSockets(client.url)
            with client_between:  # another request comes between the pieces
                client_between.ask("/task/1", "between")
        yield b"b"

    said = json.loads(client.ask(f"/{place}/1", f"waits-{place}", body=pieces()))

    check(said, f"waits-{place}", f"/{place}/1", f"/{place}/{{n}}")
    assert said["octets"] == 2


def test_a_conversation_works_for_its_request(client):
    check(client.converse("/socket/3", "talk"), "talk", "/socket/3", "/socket/{n}")


def test_a_process_of_the_pool_knows_the_ids_and_no_request(client):
    said = json.loads(client.ask("/process/1", "p"))

    assert said["is"] == "Trace"
    assert said["traceparent"].split("-")[2] == said["span_id"]


def test_each_run_of_periodic_work_is_a_trace_of_its_own(client):
    runs = json.loads(client.ask("/runs", "runs"))

    assert len(runs) == 5
    assert len({run["traceparent"][3:35] for run in runs}) == 5
    assert len({run["traceparent"][36:52] for run in runs}) == 5
    assert all(run["path"] is None and TRACE_ID not in run["traceparent"] for run in runs)


@pytest.fixture(scope="module")
def workers():
    words = ("--workers", "2", "--preload", "--processes", "1")
    with serving("tests.apps.traced:app", *words, may_fail=True) as server:
        yield server


def test_workers_never_make_the_same_ids(workers):
    told = []
    end = time.monotonic() + WAIT_S
    while len({pid for pid, _, _ in told}) < 2 or len(told) < 40:
        assert time.monotonic() < end
        with workers.ask("/ids", "Connection: close") as client:
            told.append(json.loads(receive(client).partition(b"\r\n\r\n")[2]))

    assert len({trace_id for _, trace_id, _ in told}) == len(told)
    assert len({span_id for _, _, span_id in told}) == len(told)


def test_log_records_of_a_process_of_the_pool_have_the_ids_of_the_request(workers):
    with OverSockets(workers.url) as client:
        client.ask("/process/1", "logged")

    workers.wait_for_log(f"ERROR shop in a process.*{TRACE_ID}")


def test_an_application_called_within_another_request_works_for_its_own():
    inner = App()
    inner.get("/in")(traced.say)
    outer = App()

    @outer.get("/out")
    def out():
        with TestClient(inner) as inside:
            told = inside.get("/in", headers=traced.trace_headers()).json()
        return [told, traced.say()]

    with TestClient(outer) as client:
        told, said = client.get("/out", headers=fields_of("o")).json()

    assert (told["path"], said["path"]) == ("/in", "/out")
    assert told["traceparent"][:35] == said["traceparent"][:35]
    assert told["traceparent"] != said["traceparent"]
    assert told["X-Request-ID"] == said["X-Request-ID"] == "o"


# Applications of others, and their threads.


def check_hosted(handler):
    with serve(handler) as running:
        for name in ("one", "two"):
            with running.connect() as client:
                fields = [f"{key}: {value}" for key, value in fields_of(name).items()]
                said = json.loads(client.ask("/", "GET", *fields).content)
            assert said["X-Request-ID"] == name
            assert said["traceparent"].startswith(f"00-{TRACE_ID}-")
            assert PARENT_ID not in said["traceparent"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("is_mounted", [False, True])
def test_a_view_of_fastapi_knows_its_request(need_package, is_async, is_mounted):
    hosted = need_package("fastapi").FastAPI()
    if is_async:

        @hosted.get("/")
        async def show() -> dict:
            return trace_headers()

    else:

        @hosted.get("/")
        def show() -> dict:
            return trace_headers()

    app = App()
    app.mount("/", hosted)
    check_hosted(app if is_mounted else ASGIHandler(hosted))


def test_the_middleware_and_the_background_tasks_of_starlette_know_their_request(need_package):
    need_package("starlette")
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    heard = []

    class Adds(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            heard.append(trace_headers()["X-Request-ID"])
            return await call_next(request)

    async def home(request):
        return JSONResponse(
            trace_headers(), background=BackgroundTask(lambda: heard.append(trace_headers()["X-Request-ID"]))
        )

    check_hosted(ASGIHandler(Starlette(routes=[Route("/", home)], middleware=[Middleware(Adds)])))
    wait_until(lambda: len(heard) == 4)

    assert sorted(heard) == ["one", "one", "two", "two"]


@pytest.mark.parametrize("is_mounted", [False, True])
def test_a_view_of_flask_knows_its_request(need_package, is_mounted):
    hosted = need_package("flask").Flask("shop")
    hosted.get("/")(trace_headers)
    app = App()
    app.mount("/", hosted)

    check_hosted(app if is_mounted else WSGIHandler(hosted))


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_view_of_django_knows_its_request(django_application, interface, is_async):
    from django.http import JsonResponse
    from django.urls import path

    async def show_async(request):
        return JsonResponse(trace_headers())

    def show(request):
        return JsonResponse(trace_headers())

    check_hosted(django_application(interface, [path("", show_async if is_async else show)]))


def test_pieces_and_the_end_of_wsgi_know_their_request():
    heard = []

    class Pieces:
        def __init__(self):
            self.left = [b"[", b"]"]

        def __iter__(self):
            return self

        def __next__(self):
            heard.append(trace_headers().get("X-Request-ID"))
            if not self.left:
                raise StopIteration
            return self.left.pop(0)

        def close(self):
            heard.append(trace_headers().get("X-Request-ID"))

    def hosted(environ, start_response):
        start_response("200 OK", [])
        return Pieces()

    with serve(WSGIHandler(hosted)) as running:
        fields = [f"{key}: {value}" for key, value in fields_of("pieces").items()]
        with running.connect() as client:
            assert client.ask("/", "GET", *fields).content == b"[]"
        wait_until(lambda: len(heard) == 4)

    assert set(heard) == {"pieces"}


def test_a_conversation_of_asgi_knows_its_request(need_package):
    need_package("websockets")

    async def hosted(scope, receive, send):
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": json.dumps(trace_headers())})

    with serve(ASGIHandler(hosted)) as running, OverSockets(running.urls[0]) as client:
        said = client.converse("/", "talk")

    assert (said["X-Request-ID"], said["traceparent"][3:35]) == ("talk", TRACE_ID)
