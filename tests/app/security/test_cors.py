import asyncio
import re

import pytest

from penstock import CORS, App, HTTPError, Response, Router, StaticFiles, StreamResponse
from penstock.errors import ApplicationError
from tests.app.driver import get, send

PAGE = "https://page.example"
ORIGIN = ("origin", PAGE)
FOREIGN = ("origin", "https://evil.example")


def make(*hooks, **options):
    app = App(hooks=[CORS([PAGE], **options), *hooks])
    kept = Response(b"kept")

    @app.get("/kept")
    def same_again() -> Response:
        return kept

    @app.get("/async/{n}")
    async def later(n: int) -> int:
        await asyncio.sleep(0)
        return 1 // n

    @app.get("/stream")
    def stream() -> Response:
        return StreamResponse([b"a", b"b"], headers={"Vary": "Accept"})

    return app


def preflight(app, path, method="GET", *fields, origin=PAGE):
    asked = (("origin", origin), ("access-control-request-method", method), *fields)
    return send(app, "OPTIONS", path, headers=asked)


@pytest.mark.parametrize("path", ["/kept", "/async/1", "/nothing"])
def test_a_preflight_is_answered_before_the_route_is_asked(path):
    response = preflight(make(headers=["X-Token"], max_age_s=5), path, "PUT")

    assert response.status == 204
    assert dict(response.headers.items()) == {
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "X-Token",
        "access-control-max-age": "5",
        "access-control-allow-origin": PAGE,
        "vary": "Origin",
    }


def test_a_preflight_of_another_origin_is_refused_and_still_varies():
    response = preflight(make(), "/kept", origin="https://evil.example")

    # An error page is another one for who wants HTML.
    assert (response.status, response.headers["vary"]) == (403, "Accept, Origin")
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("fields", [(), (ORIGIN,), (("access-control-request-method", "PUT"),)])
def test_options_that_is_no_preflight_is_answered_as_ever(fields):
    response = send(make(), "OPTIONS", "/kept", headers=fields)

    assert (response.status, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "access-control-allow-methods" not in response.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [("/kept", 200), ("/async/1", 200), ("/async/0", 500), ("/async/x", 422), ("/no", 404)],
)
def test_every_answer_says_who_may_read_it(path, status):
    app = make(credentials=True, expose=["X-Total"])

    response = get(app, path, headers=(ORIGIN,))

    assert response.status == status
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["access-control-expose-headers"] == "X-Total"
    for fields in [(), (FOREIGN,)]:
        other = get(app, path, headers=fields)
        assert other.headers["vary"] == ("Origin" if status == 200 else "Accept, Origin")
        assert not [name for name in other.headers if name.startswith("access-control")]


def test_a_method_no_route_has_is_a_405_the_page_can_read():
    response = send(make(), "PUT", "/kept", headers=(ORIGIN,))

    assert (response.status, response.headers["access-control-allow-origin"]) == (405, PAGE)


def test_a_stream_keeps_its_content_and_what_it_varies_by():
    response = get(make(), "/stream", headers=(ORIGIN,))

    assert (list(response.content), response.headers["vary"]) == ([b"a", b"b"], "Accept, Origin")


def test_a_file_in_memory_stays_as_it_was(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    app = make()
    app.mount("/files", StaticFiles(tmp_path))

    for fields in [(ORIGIN,), (), (ORIGIN,)]:
        allowed = get(app, "/files/a.txt", headers=fields).headers.get("access-control-allow-origin")
        assert allowed == (PAGE if fields else None)


def test_any_origin_is_a_star_and_varies_by_nothing():
    app = App(hooks=[CORS("*", headers="*", expose="*")])
    app.get("/")(lambda: "x")

    for fields in [(), (ORIGIN,), (("origin", "null"),)]:
        response = get(app, "/", headers=fields)
        assert dict(response.headers.items()) == {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "*",
        }
    assert preflight(app, "/").headers["access-control-allow-headers"] == "*"


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"),
    [
        (["https://page.example:443"], PAGE, True),
        (["https://PAGE.example"], PAGE, True),
        ([PAGE], PAGE + ".evil.example", False),
        ([PAGE], "http://page.example", False),
        ([PAGE], f"{PAGE}, {PAGE}", False),
        (re.compile(r"https://[a-z]+\.example"), PAGE, True),
        (re.compile(r"https://[a-z]+\.example"), "https://page.example.evil.org", False),
        (re.compile(".*"), "null", False),
        (lambda origin: origin.endswith(".example"), PAGE, True),
        (lambda origin: True, "null", False),
        (lambda origin: True, "https://a.example/\tx", False),
        ([], PAGE, False),
    ],
)
def test_an_origin_is_sent_back_only_when_it_is_allowed(origins, origin, is_allowed):
    app = App(hooks=[CORS(origins, credentials=True)])
    app.get("/")(lambda: "x")

    response = get(app, "/", headers=(("origin", origin),))

    assert response.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
    assert preflight(app, "/", origin=origin).status == (204 if is_allowed else 403)


def test_a_private_network_is_opened_by_option_only():
    asked = ("access-control-request-private-network", "true")

    opened = preflight(make(private_network=True), "/kept", "GET", asked)

    assert opened.headers["access-control-allow-private-network"] == "true"
    for response in (
        preflight(make(private_network=True), "/kept"),
        preflight(make(), "/kept", "GET", asked),
    ):
        assert "access-control-allow-private-network" not in response.headers


def test_a_predicate_that_fails_is_a_logged_500(caplog):
    app = App(hooks=[CORS(lambda origin: 1 // 0)])
    app.get("/")(lambda: "x")

    assert preflight(app, "/").status == 500
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"origins": "*", "credentials": True}, r"origins='\*', credentials=True"),
        ({"origins": [PAGE], "headers": "*", "credentials": True}, r"headers='\*', credentials=True"),
        ({"origins": [PAGE], "methods": "*", "credentials": True}, r"methods='\*', credentials=True"),
        ({"origins": PAGE}, "expected '\\*', a list of origins"),
        ({"origins": ["*"]}, "write origins='\\*'"),
        ({"origins": ["null"]}, "'null' is no origin"),
        ({"origins": [PAGE + "/"]}, "without a path"),
        ({"origins": [PAGE], "headers": ["a\r\nb"]}, "is no name"),
        ({"origins": [PAGE], "headers": "X-Token"}, "expected '\\*' or a list"),
        ({"origins": [PAGE], "max_age_s": -1}, "max_age_s=-1"),
    ],
)
def test_what_cannot_work_is_refused_at_start_up(arguments, complaint):
    with pytest.raises(ApplicationError, match=complaint):
        CORS(**arguments)


def make_nested():
    app = App(hooks=[CORS([PAGE])])
    open_to_all = Router("/open", hooks=[CORS("*", methods=["GET"])])
    app.get("/closed")(lambda: "x")
    open_to_all.get("/{n}")(lambda n: n)
    app.post("/open/{other}")(lambda other: other)
    app.include(open_to_all)
    return app


def test_the_cors_of_a_router_stands_for_that_of_the_application():
    app = make_nested()

    assert get(app, "/open/1", headers=(FOREIGN,)).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in get(app, "/closed", headers=(FOREIGN,)).headers
    assert "vary" not in get(app, "/open/1").headers


def test_a_preflight_goes_by_the_route_it_asks_for():
    app = make_nested()
    evil = "https://evil.example"

    assert preflight(app, "/open/1", "GET", origin=evil).headers["access-control-allow-methods"] == "GET"
    assert preflight(app, "/open/1", "POST", origin=evil).status == 403
    assert preflight(app, "/open/1", "POST").headers["access-control-allow-origin"] == PAGE
    assert preflight(app, "/closed", "GET", origin=evil).status == 403
    assert send(app, "OPTIONS", "/open/1").headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("place", ["router", "application"])
def test_cors_below_an_application_without_is_for_its_routes(place):
    inner = Router(hooks=[CORS([PAGE])]) if place == "router" else App(hooks=[CORS([PAGE])])
    inner.get("/x")(lambda: "x")
    app = App()
    app.get("/y")(lambda: "y")
    app.mount("/in", inner)

    assert preflight(app, "/in/x").headers["access-control-allow-origin"] == PAGE
    assert get(app, "/in/x", headers=(ORIGIN,)).headers["access-control-allow-origin"] == PAGE
    assert "vary" not in get(app, "/y", headers=(ORIGIN,)).headers


def test_a_field_the_handler_sets_itself_stays():
    app = App(hooks=[CORS([PAGE])])
    app.get("/")(lambda: Response(b"x", headers={"Access-Control-Allow-Origin": "*"}))

    response = get(app, "/", headers=(ORIGIN,))

    assert response.headers.get_all("access-control-allow-origin") == ["*"]


def test_an_http_error_of_the_handler_keeps_its_own_fields():
    app = App(hooks=[CORS([PAGE])])

    @app.get("/")
    def refuse():
        raise HTTPError(401, headers={"WWW-Authenticate": "Basic"})

    response = get(app, "/", headers=(ORIGIN,))

    assert (response.status, response.headers["www-authenticate"]) == (401, "Basic")
    assert response.headers["access-control-allow-origin"] == PAGE
