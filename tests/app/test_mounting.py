"""Mounted applications of ASGI and WSGI: in the test client, under Penstock's server and under uvicorn. What
all three are asked is the same.
"""

import asyncio
import contextlib
import socket
import threading

import pytest

from penstock import App, AsyncTestClient, Depends, Response, Router, StaticFiles, TestClient
from penstock.errors import ApplicationError, RouteConflict, WebSocketRefused
from tests.app.mounting import Told, make_asgi, make_wsgi
from tests.server.harness import serve, wait_until


class Stamp:
    def after(self, request, response):
        response.headers["X-Path"] = request.raw_path.decode() + request.prefix


def make_app(told=None, closed=None):
    app, shop = App(hooks=[Stamp()]), Router("/shops/{shop}")
    app.mount("/asgi", make_asgi(told))
    app.mount("/wsgi", make_wsgi([] if closed is None else closed))
    shop.mount("/old", make_wsgi())
    shop.mount("/new", make_asgi())
    app.include(shop)
    app.get("/asgi/own")(lambda: "own")
    app.get("/")(lambda: "home")
    return app


@contextlib.contextmanager
def in_process(app):
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client.request


@contextlib.contextmanager
def over_a_socket(app, start=serve):
    http = pytest.importorskip("httpx")
    running = start(app, faults=True) if start is serve else start(app)
    with running as server, http.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        yield client.request


@contextlib.contextmanager
def uvicorn_of(app):
    """The App itself under uvicorn, in a thread."""
    uvicorn = pytest.importorskip("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="on", ws="websockets-sansio", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        server.port = listening.getsockname()[1]
        try:
            while not server.started and thread.is_alive():
                thread.join(0.01)
            yield server
        finally:
            server.should_exit = True
            thread.join(30)


@contextlib.contextmanager
def under_uvicorn(app):
    with over_a_socket(app, uvicorn_of) as request:
        yield request


@pytest.fixture(params=[in_process, over_a_socket, under_uvicorn])
def start(request):
    return request.param


def status_of(reply):
    return reply.status if hasattr(reply, "status") else reply.status_code


def test_an_asgi_application_sees_what_is_below_its_prefix(start):
    with start(make_app()) as request:
        reply = request("DELETE", "/asgi/a%20b/c?x=1")

        assert reply.json() == {
            "root_path": "/asgi",
            "path": "/asgi/a b/c",
            "query_string": "x=1",
            "method": "DELETE",
            "state": {"shared": "from lifespan"},
        }
        assert reply.headers["x-path"] == "/asgi/a%20b/c"


def test_a_wsgi_application_sees_what_is_below_its_prefix(start):
    with start(make_app()) as request:
        reply = request("GET", "/wsgi/a%20b/c?x=1")

        assert reply.json() == {
            "SCRIPT_NAME": "/wsgi",
            "PATH_INFO": "/a b/c",
            "QUERY_STRING": "x=1",
            "REQUEST_METHOD": "GET",
        }
        assert reply.headers["x-path"] == "/wsgi/a%20b/c"


def test_a_prefix_with_a_parameter_is_the_text_that_matched(start):
    with start(make_app()) as request:
        old = request("GET", "/shops/caf%C3%A9/old/").json()
        new = request("GET", "/shops/caf%C3%A9/new/x").json()

    assert old["SCRIPT_NAME"] == "/shops/café/old".encode().decode("latin-1")
    assert old["PATH_INFO"] == "/"
    assert (new["root_path"], new["path"]) == ("/shops/café/new", "/shops/café/new/x")


def test_content_goes_both_ways_in_pieces(start):
    content = bytes(range(256)) * 2_000

    with start(make_app()) as request:
        for path in ("/asgi/echo", "/wsgi/echo"):
            assert request("POST", path, content=content).content == content
            assert request("POST", path, content=b"short").content == b"short"


def test_what_wsgi_writes_is_sent(start):
    with start(make_app()) as request:
        assert request("GET", "/wsgi/write").content == b"written, again, returned"


def test_what_wsgi_writes_is_sent_whatever_hooks_make_of_it():
    class Other:
        def after(self, request, response):
            return Response(b"instead")

    app = App(hooks=[Other()])
    app.mount("/wsgi", make_wsgi())

    with over_a_socket(app) as request:
        assert request("GET", "/wsgi/write").content == b"written, again, returned"
        assert request("GET", "/wsgi/").content == b"instead"


def test_hooks_that_wait_are_round_it_too(start):
    class Waiting:
        async def before(self, request):
            await asyncio.sleep(0)

        async def after(self, request, response):
            await asyncio.sleep(0)
            response.headers["X-Waited"] = request.path

    content, closed = b"z" * 100_000, []
    app = App(hooks=[Waiting()])
    app.mount("/wsgi", make_wsgi(closed))
    app.mount("/asgi", make_asgi())

    with start(app) as request:
        for path in ("/wsgi/echo", "/asgi/echo"):
            reply = request("POST", path, content=content)
            assert (reply.content, reply.headers["x-waited"]) == (content, path)
        written = request("GET", "/wsgi/write")
        assert (written.content, written.headers["x-waited"]) == (
            b"written, again, returned",
            "/wsgi/write",
        )
        assert request("GET", "/wsgi/closing").content == b"ab"
        assert status_of(request("GET", "/asgi/fail")) == 500
        assert status_of(request("GET", "/wsgi/fail")) == 500
        assert request("GET", "/asgi/").json()["path"] == "/asgi/"
    assert closed == [True]


def test_a_plain_around_is_for_wsgi_and_refused_for_asgi_at_start_up():
    class Around:
        def around(self, request, call_next):
            response = call_next(request)
            response.headers["X-Around"] = "yes"
            return response

    app, other = App(hooks=[Around()]), App(hooks=[Around()])
    app.mount("/wsgi", make_wsgi())
    other.mount("/asgi", make_asgi())

    with TestClient(app) as client:
        assert client.get("/wsgi/").headers["x-around"] == "yes"
    with pytest.raises(ApplicationError, match="plain"):
        other.compile()


def test_what_wsgi_returns_is_closed(start):
    closed = []

    with start(make_app(closed=closed)) as request:
        assert request("GET", "/wsgi/closing").content == b"ab"

    wait_until(lambda: closed, "the iterable is closed, behind the reply and in a thread of the pool")
    assert closed == [True]


def test_head_has_no_content(start):
    with start(make_app()) as request:
        assert request("HEAD", "/asgi/x").content == b""
        assert request("HEAD", "/wsgi/x").content == b""
        assert request("HEAD", "/asgi/echo").content == b""


@pytest.mark.parametrize("path", ["/asgi/fail", "/wsgi/fail"])
def test_a_failure_is_a_500_and_the_next_request_is_answered(start, path):
    with start(make_app()) as request:
        reply = request("GET", path)

        assert status_of(reply) == 500
        assert reply.json()["status"] == 500
        assert request("GET", "/").text == "home"


def test_own_routes_come_first_and_the_bare_prefix_leads_below_it(start):
    with start(make_app()) as request:
        redirect = request("POST", "/asgi?x=1", follow_redirects=False)

        assert request("GET", "/asgi/own").text == "own"
        assert (status_of(redirect), redirect.headers["location"]) == (307, "/asgi/?x=1")
        assert status_of(request("GET", "/other")) == 404


def test_a_response_cut_short_is_not_complete(start):
    with start(make_app()) as request, pytest.raises(Exception, match=r".+"):
        request("GET", "/asgi/cut")


def test_the_lifespan_runs_once_for_each_application(start):
    told = Told()
    application, app = make_asgi(told), App()
    app.mount("/v1", application)
    app.mount("/latest", application)

    with start(app) as request:
        assert told.events == ["startup"]
        assert request("GET", "/v1/").json()["state"] == {"shared": "from lifespan"}
        assert request("GET", "/latest/").json()["root_path"] == "/latest"

    assert told.events == ["startup", "shutdown"]


def test_the_lifespan_goes_on_when_overrides_change():
    app, told = App(), Told()
    app.mount("/asgi", make_asgi(told))

    with TestClient(app) as client:
        assert client.get("/asgi/").json()["state"] == {"shared": "from lifespan"}
        app.overrides[make_app] = make_app
        assert client.get("/asgi/").json()["state"] == {"shared": "from lifespan"}

    assert told.events == ["startup", "shutdown"]


def test_at_the_root_it_gets_what_no_route_takes(start):
    app = App()
    app.get("/own")(lambda: "own")
    app.mount("/", make_wsgi())

    with start(app) as request:
        assert request("GET", "/own").text == "own"
        assert request("GET", "/").json()["PATH_INFO"] == "/"
        assert request("GET", "/a/b").json() == {
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a/b",
            "QUERY_STRING": "",
            "REQUEST_METHOD": "GET",
        }


# -- WebSocket


def test_a_websocket_reaches_it_in_process():
    told = Told()

    with TestClient(make_app(told)) as client:
        with client.websocket("/asgi/room", subprotocols=["chat"]) as connection:
            assert connection.subprotocol == "chat"
            assert connection.receive() == "/asgi|/asgi/room"
            connection.send("hello")
            assert connection.receive() == "HELLO"
        with pytest.raises(WebSocketRefused), client.websocket("/asgi/refused"):
            pass

    assert "closed 1000" in told.events


@pytest.mark.parametrize("serving", [serve, uvicorn_of])
def test_a_websocket_reaches_it_over_a_socket(serving):
    client = pytest.importorskip("websockets.sync.client")
    exceptions = pytest.importorskip("websockets.exceptions")

    with serving(make_app()) as server:
        address = f"ws://127.0.0.1:{server.port}/asgi"
        with client.connect(f"{address}/room", subprotocols=["chat"]) as connection:
            assert connection.subprotocol == "chat"
            assert connection.recv() == "/asgi|/asgi/room"
            connection.send("hello")
            assert connection.recv() == "HELLO"
        with pytest.raises(exceptions.InvalidStatus) as refused, client.connect(f"{address}/refused"):
            pass

    assert refused.value.response.status_code == 403


# -- Clients that leave


@pytest.mark.parametrize("path", ["/asgi/wait", "/asgi/endless"])
@pytest.mark.parametrize("serving", [serve, uvicorn_of])
def test_it_is_told_that_the_client_has_left(serving, path):
    told = Told()

    with serving(make_app(told)) as server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            if path == "/asgi/endless":
                client.recv(100)
        wait_until(lambda: "left" in told.events, "the application is told")


def test_it_is_told_in_process_that_the_client_has_left():
    async def run():
        told = Told()
        async with (
            AsyncTestClient(make_app(told)) as client,
            client.stream("GET", "/asgi/endless") as reply,
        ):
            assert await anext(aiter(reply.iter_bytes()))
        async with asyncio.timeout(30):
            await told.left.wait()

    asyncio.run(run())


# -- Declaring


def test_a_failed_start_up_is_the_applications_and_closes_what_was_open():
    closed = []

    async def lifespan(app):
        try:
            yield
        finally:
            closed.append(True)

    async def failing(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    app = App(lifespan=lifespan)
    app.mount("/x", failing)

    with pytest.raises(ApplicationError, match="no database"):
        TestClient(app).__enter__()
    assert closed == [True]


def test_routes_name_what_is_mounted():
    app = App()
    app.mount("/old", make_wsgi())
    app.mount("/new", make_asgi())

    rows = [(row.methods, row.path, row.run) for row in app.routes()]

    assert (("WSGI",), "/old/{path:path}", "thread") in rows
    assert (("ASGI",), "/new/{path:path}", "task") in rows
    assert app.url_for("old", path="a/b") == "/old/a/b"


def test_routers_applications_and_files_are_mounted_as_ever(tmp_path):
    tmp_path.joinpath("a.txt").write_text("file")
    app, inner = App(), App()
    inner.get("/")(lambda: "inner")
    app.mount("/inner", inner)
    app.mount("/files", StaticFiles(tmp_path))

    with TestClient(app) as client:
        assert client.get("/inner/").text == "inner"
        assert client.get("/files/a.txt").text == "file"


@pytest.mark.parametrize("value", [object(), 7, "app", dict, lambda: None, App])
def test_what_is_no_application_is_refused(value):
    with pytest.raises(ApplicationError, match="mount takes an App"):
        App().mount("/x", value)


@pytest.mark.parametrize("make", [lambda **given: Router("/x", **given), App])
def test_dependencies_above_it_are_refused_not_left_out(make):
    app, outer = App(), make(dependencies=[Depends(lambda: None)])
    outer.mount("/legacy", make_wsgi())
    app.include(outer)

    with pytest.raises(ApplicationError, match="dependencies are not called for a mounted WSGI application"):
        app.compile()


def test_two_applications_below_one_prefix_are_a_conflict():
    app = App()
    app.mount("/x", make_wsgi())
    app.mount("/x", make_asgi())

    with pytest.raises(RouteConflict, match=r"/x/"):
        app.compile()


# -- Frameworks


def test_flask_makes_links_below_its_prefix(start):
    flask = pytest.importorskip("flask")
    old = flask.Flask("old")
    old.add_url_rule("/users/<int:user>", "user", lambda user: flask.url_for("user", user=user + 1))
    app = App()
    app.mount("/legacy", old)

    with start(app) as request:
        assert request("GET", "/legacy/users/1").text == "/legacy/users/2"
        assert status_of(request("GET", "/legacy/other")) == 404


def test_starlette_makes_links_below_its_prefix(start):
    applications = pytest.importorskip("starlette.applications")
    responses = pytest.importorskip("starlette.responses")
    routing = pytest.importorskip("starlette.routing")

    async def user(request):
        return responses.PlainTextResponse(str(request.url_for("user", user=request.path_params["user"] + 1)))

    app = App()
    app.mount("/new", applications.Starlette(routes=[routing.Route("/users/{user:int}", user)]))

    with start(app) as request:
        assert request("GET", "/new/users/1").text.endswith("/new/users/2")
        assert status_of(request("GET", "/new/other")) == 404
