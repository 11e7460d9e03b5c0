"""From method and path to an endpoint: spellings of paths, HEAD, OPTIONS, 404, 405, 400."""

import pytest

from penstock.app.application import App
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, TASK, THREAD, Endpoint
from penstock.http.request import Request
from tests.app.driver import content, get, send


@pytest.fixture
def app():
    app = App()

    @app.get("/")
    def root() -> str:
        return "root"

    @app.get("/a/b")
    def ab() -> str:
        return "ab"

    @app.get("/a/b/")
    def ab_slash() -> str:
        return "ab slash"

    @app.get("/café au lait/a|b")
    def cafe() -> str:
        return "café"

    @app.get("/echo/{text}")
    def echo(text: str) -> dict:
        return {"text": text}

    @app.get("/files/{name:path}")
    def file(name: str) -> dict:
        return {"name": name}

    @app.post("/echo/{text}")
    def post_echo(text: str) -> dict:
        return {"posted": text}

    @app.get("/users/me")
    def me() -> str:
        return "me"

    @app.delete("/users/{user_id}")
    def delete(user_id: int) -> None:
        return None

    return app


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"root"),
        ("/a/b", b"ab"),
        ("/a/b/", b"ab slash"),
        ("/%61/%62", b"ab"),
        ("/caf%C3%A9%20au%20lait/a%7Cb", "café".encode()),
        ("/caf%c3%a9%20au%20lait/a|b", "café".encode()),
    ],
)
def test_a_literal_path_is_found_in_every_spelling(app, path, body):
    assert get(app, path).body == body


@pytest.mark.parametrize(
    "path", ["//", "/a", "/a/", "//a/b", "/a//b", "/a/b//", "/A/B", "/a%2Fb", "/echo", "/echo/", "/users/"]
)
def test_no_slash_is_added_removed_or_collapsed(app, path):
    assert get(app, path).status == 404


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/echo/x", "x"),
        ("/echo/a%2Fb", "a/b"),
        ("/echo/a%252Fb", "a%2Fb"),
        ("/echo/a+b", "a+b"),
        ("/echo/%E2%82%AC", "€"),
        ("/echo/%2E%2E%2F", "../"),
        ("/echo/...", "..."),
        ("/echo/.hidden", ".hidden"),
        ("/echo/a;b=c,d", "a;b=c,d"),
        ("/echo/%00", "\x00"),
        ("/echo/{text}", "{text}"),
    ],
)
def test_a_segment_is_decoded_once_and_an_encoded_slash_is_data(app, path, text):
    assert content(get(app, path)) == {"text": text}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/files/a", "a"),
        ("/files/a/b/c.txt", "a/b/c.txt"),
        ("/files/a//b/", "a//b/"),
        ("/files/a/../b", "b"),
        ("/files/a%20b/c", "a b/c"),
        ("/files/.htaccess", ".htaccess"),
    ],
)
def test_a_path_parameter_takes_the_rest(app, path, name):
    assert content(get(app, path)) == {"name": name}


@pytest.mark.parametrize(
    "path", ["/files", "/files/", "/files//etc/passwd", "/files/a/../../secret", "/files/../files"]
)
def test_a_path_parameter_is_never_empty_nor_absolute_nor_outside(app, path):
    assert get(app, path).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/a/./b",
        "/./a/b",
        "/x/../a/b",
        "/a/x/../b",
        "/%2e/a/b",
        "/x/%2E%2e/a/b",
        "/x/.%2E/a/b",
        "/a/b/c/../../b",
        "/a/%2e/b",
    ],
)
def test_dot_segments_are_resolved_before_matching(app, path):
    request = Request.build(target=path)

    endpoint = app.resolve(request)

    assert endpoint.route == "/a/b"
    assert request.raw_path == b"/a/b", "hooks must see the path that was matched"


@pytest.mark.parametrize(
    ("path", "body"),
    [("/a/b/.", b"ab slash"), ("/a/b/c/..", b"ab slash"), ("/a/..", b"root"), ("/.", b"root")],
)
def test_a_dot_segment_at_the_end_leaves_a_directory(app, path, body):
    assert get(app, path).body == body


@pytest.mark.parametrize(
    "path", ["/..", "/../a/b", "/a/../..", "/a/../../a/b", "/%2e%2e/a/b", "/./../a/b", "/echo/../../echo/x"]
)
def test_leaving_the_root_is_400(app, path):
    response = get(app, path)

    assert response.status == 400
    assert content(response)["detail"] == "the path leads above its root"


@pytest.mark.parametrize(
    "path", ["/echo/%FF", "/%C3", "/echo/%C3%28", "/echo/%ED%A0%80", "/echo/%zz", "/echo/%"]
)
def test_octets_that_are_not_utf8_are_400(app, path):
    assert get(app, path).status == 400


def test_head_is_answered_by_get(app):
    assert app.resolve(Request.build("HEAD", "/a/b")) is app.resolve(Request.build("GET", "/a/b"))
    assert app.resolve(Request.build("HEAD", "/echo/x")).route == "/echo/{text}"


def test_a_head_handler_of_its_own_wins():
    app = App()

    @app.get("/")
    def body() -> str:
        return "body"

    @app.head("/")
    def head() -> str:
        return "head"

    assert send(app, "HEAD", "/").body == b"head"
    assert send(app, "GET", "/").body == b"body"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/echo/x", "GET, HEAD, OPTIONS, POST"),
        ("/users/7", "DELETE, OPTIONS"),
        ("/users/me", "DELETE, GET, HEAD, OPTIONS"),
    ],
)
def test_options_is_204_with_allow(app, path, allow):
    response = send(app, "OPTIONS", path)

    assert (response.status, response.body, response.headers["allow"]) == (204, b"", allow)


def test_options_of_the_whole_server_names_every_method(app):
    request = Request.build("OPTIONS", "/")
    request.raw_path = b"*"

    response = app.resolve(request).call(request)

    assert (response.status, response.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, POST")


def test_options_of_an_unknown_path_is_404(app):
    assert send(app, "OPTIONS", "/nothing").status == 404


def test_an_options_handler_of_its_own_wins():
    app = App()

    @app.route("/", ["GET", "OPTIONS"])
    def both(request) -> str:
        return request.method

    assert send(app, "OPTIONS", "/").body == b"OPTIONS"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_405_with_allow(app, method):
    response = send(app, method, "/a/b")

    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert response.media_type == "application/problem+json"
    assert content(response)["status"] == 405


def test_the_method_is_part_of_the_match(app):
    assert send(app, "DELETE", "/users/7").status == 204
    assert send(app, "DELETE", "/users/me").status == 422, "/users/{user_id} answers it, and 'me' is no int"
    assert send(app, "GET", "/users/7").status == 405


def test_an_unknown_path_is_404_problem(app):
    response = get(app, "/nothing")

    assert response.status == 404
    assert content(response) == {"type": "about:blank", "title": "Not Found", "status": 404}


def test_a_path_without_slash_is_404(app):
    for raw in (b"", b"*", b"a/b"):
        request = Request.build("GET", "/")
        request.raw_path = raw

        assert app.resolve(request).call(request).status == 404


def test_the_request_knows_its_route_and_parameters(app):
    request = Request.build("GET", "/echo/x%20y")

    app.resolve(request)

    assert (request.route, request.path_params) == ("/echo/{text}", {"text": "x y"})


def test_nothing_is_decided_for_requests_without_route(app):
    request = Request.build("GET", "/nothing")

    endpoint = app.resolve(request)

    assert isinstance(endpoint, Endpoint)
    assert (request.route, endpoint.route, endpoint.run) == (None, None, INLINE)


def test_endpoints_carry_the_options_of_their_route():
    app = App()

    @app.get("/async", cancel_on_disconnect=True)
    async def one() -> None: ...

    @app.post("/thread", body_limit=7)
    def two() -> None: ...

    @app.get("/inline", run="inline")
    def three() -> None: ...

    def options(path, method="GET"):
        endpoint = app.resolve(Request.build(method, path))
        return endpoint.run, endpoint.body_limit, endpoint.cancel_on_disconnect, endpoint.streams_body

    assert options("/async") == (TASK, None, True, False)
    assert options("/thread", "POST") == (THREAD, 7, False, False)
    assert options("/inline") == (INLINE, None, False, False)


def test_methods_are_the_standard_ones_and_those_of_routes(app):
    app.route("/dav", ["PROPFIND", "CONNECT"])(lambda: None)

    app.compile()

    assert app.methods == {
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "PROPFIND",
        "CONNECT",
    }


def test_connect_is_unknown_unless_asked_for(app):
    assert "CONNECT" not in app.methods


def test_an_application_without_routes_answers_404():
    assert get(App(), "/").status == 404


def test_declaring_after_the_start_is_an_error(app):
    get(app, "/")

    for declare in (
        lambda: app.get("/late")(lambda: None),
        lambda: app.include(App()),
        lambda: app.before(lambda request: None),
        lambda: app.after(lambda request, response: None),
        lambda: app.exception_handler(404)(lambda request, error: None),
        lambda: app.on_startup(lambda: None),
        lambda: app.on_shutdown(lambda: None),
    ):
        with pytest.raises(ApplicationError, match="has started"):
            declare()


# -- A parameter at the end, which is looked up by what stands before it.


@pytest.fixture
def tails():
    def tell(request):
        return {"route": request.route, **request.path_params}

    app = App()
    for path, methods in (
        ("/users/{user_id:int}", ["GET"]),
        ("/users/{name}", ["GET", "PUT"]),
        ("/users/me", ["PUT"]),
        ("/users/{name}/posts", ["GET"]),
        ("/{page}", ["GET"]),
        ("/files/{path:path}", ["GET"]),
        ("/a/b/{c}", ["GET"]),
        ("/{x}/b/{c}", ["GET"]),
    ):
        app.route(path, methods, name=path, run="inline")(tell)
    return app


@pytest.mark.parametrize(
    ("method", "target", "found"),
    [
        ("GET", "/users/7", {"route": "/users/{user_id:int}", "user_id": 7}),
        ("GET", "/users/ada", {"route": "/users/{name}", "name": "ada"}),
        ("GET", "/users/-", {"route": "/users/{name}", "name": "-"}),
        ("PUT", "/users/7", {"route": "/users/{name}", "name": "7"}),
        ("PUT", "/users/me", {"route": "/users/me"}),
        ("GET", "/users/me", {"route": "/users/{name}", "name": "me"}),
        ("GET", "/users/a%2Fb", {"route": "/users/{name}", "name": "a/b"}),
        ("GET", "/users/%37", {"route": "/users/{user_id:int}", "user_id": 7}),
        ("GET", "/x/../users/7", {"route": "/users/{user_id:int}", "user_id": 7}),
        ("GET", "/users/ada/posts", {"route": "/users/{name}/posts", "name": "ada"}),
        ("GET", "/about", {"route": "/{page}", "page": "about"}),
        ("GET", "/files/a", {"route": "/files/{path:path}", "path": "a"}),
        ("GET", "/a/b/1", {"route": "/a/b/{c}", "c": "1"}),
        ("GET", "/z/b/1", {"route": "/{x}/b/{c}", "x": "z", "c": "1"}),
    ],
)
def test_the_last_parameter_is_found_whatever_stands_beside_it(tails, method, target, found):
    reply = content(send(tails, method, target))

    if "path_" in found:
        assert reply == {"route": "a"}
    else:
        assert reply == found


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/users/", 404), ("GET", "//users/7", 404), ("GET", "/", 404), ("DELETE", "/users/7", 405)],
)
def test_what_the_last_parameter_does_not_match(tails, method, target, status):
    assert send(tails, method, target).status == status
