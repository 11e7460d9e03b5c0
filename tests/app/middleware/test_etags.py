import asyncio

import pytest

from penstock import CORS, App, ETags, HTMLResponse, Response, StreamResponse
from penstock.errors import ApplicationError
from penstock.http.conditional import ETag
from tests.app.driver import send


def make_app(*hooks, **options):
    app = App(hooks=[*hooks, ETags(**options)])

    @app.get("/", run="inline")
    def page() -> Response:
        return HTMLResponse("page", headers={"Cache-Control": "max-age=5", "Content-Language": "en"})

    @app.get("/other")
    async def other() -> str:
        return "other"

    return app


def test_the_same_content_has_the_same_tag():
    app = make_app()
    first, second = send(app, "GET", "/"), send(app, "GET", "/")

    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["etag"] != send(app, "GET", "/other").headers["etag"]
    assert send(app, "HEAD", "/").headers["etag"] == first.headers["etag"]
    assert send(make_app(weak=True), "GET", "/").headers["etag"] == f"W/{first.headers['etag']}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("weak", [False, True])
def test_who_has_it_already_gets_304_without_content(method, weak):
    app = make_app(CORS("*"), weak=weak)
    tag = send(app, "GET", "/").headers["etag"]

    for asked in (tag, f'"x", {tag}', "*", f"W/{tag.removeprefix('W/')}"):
        reply = send(app, method, "/", headers=(("if-none-match", asked),))
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["etag"] == tag
        assert reply.headers["cache-control"] == "max-age=5"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "content-language" not in reply.headers


@pytest.mark.parametrize("asked", ['"x"', "", "x", '"', "W/", "\xe9" * 5000])
def test_who_has_another_gets_all(asked):
    assert send(make_app(), "GET", "/", headers=(("if-none-match", asked),)).status == 200


def test_if_match_is_412_for_what_is_no_longer_so():
    app = make_app()
    tag = send(app, "GET", "/").headers["etag"]

    assert send(app, "GET", "/", headers=(("if-match", tag),)).status == 200
    reply = send(app, "GET", "/", headers=(("if-match", '"x"'),))
    assert (reply.status, reply.headers["etag"]) == (412, tag)


def test_a_tag_of_ones_own_is_respected():
    app = make_app()
    own = {"ETag": '"v1"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}
    app.get("/own")(lambda: Response(b"x", 200, own))
    app.get("/broken")(lambda: Response(b"x", 200, {"ETag": "v1"}))

    assert send(app, "GET", "/own").headers.get_all("etag") == ['"v1"']
    assert send(app, "GET", "/own", headers=(("if-none-match", '"v1"'),)).status == 304
    since = ("if-modified-since", own["Last-Modified"])
    assert send(app, "GET", "/own", headers=(since,)).status == 304
    assert send(app, "GET", "/broken", headers=(("if-none-match", "*"),)).headers["etag"] == "v1"


def test_streams_errors_and_what_must_not_be_stored_have_none():
    app = make_app()
    app.get("/stream")(lambda: StreamResponse(iter(["a"])))
    app.get("/secret")(lambda: Response(b"x", 200, {"Cache-Control": "No-Store"}))
    app.post("/")(lambda: "x")
    app.get("/created", status=201)(lambda: "x")

    for method, target in [
        ("GET", "/stream"),
        ("GET", "/secret"),
        ("POST", "/"),
        ("GET", "/created"),
        ("GET", "/nothing"),
    ]:
        assert "etag" not in send(app, method, target, headers=(("if-none-match", "*"),)).headers


def test_a_kept_response_stays_as_it_was():
    app, kept = make_app(), Response(b"kept", 200, {"X-A": "1"})
    app.get("/kept")(lambda: kept)

    assert "etag" in send(app, "GET", "/kept").headers
    assert send(app, "GET", "/kept", headers=(("if-none-match", "*"),)).headers["x-a"] == "1"
    assert kept.headers.lines() == [("X-A", "1")]


@pytest.mark.parametrize("kind", ["plain", "async", "text"])
@pytest.mark.parametrize("place", ["def", "async"])
def test_a_change_of_what_has_changed_is_412_before_the_handler(kind, place):
    tags, calls = {"/a": ETag("v1")}, []

    def current(request):
        tag = tags.get(request.path)
        return str(tag) if kind == "text" and tag else tag

    async def acurrent(request):
        await asyncio.sleep(0)
        return current(request)

    app = App(hooks=[ETags(current=acurrent if kind == "async" else current)])

    def put(name: str) -> str:
        calls.append(name)
        return "put"

    async def aput(name: str) -> str:
        return put(name)

    app.put("/{name}")(put if place == "def" else aput)

    def ask(target, *headers):
        return send(app, "PUT", target, headers=headers).status

    assert ask("/a") == 200
    assert ask("/a", ("if-match", '"v1"')) == 200
    assert ask("/a", ("if-match", "*")) == 200
    assert ask("/new", ("if-none-match", "*")) == 200
    assert calls == ["a", "a", "a", "new"]
    assert ask("/a", ("if-match", '"v0"')) == 412
    assert ask("/a", ("if-match", 'W/"v1"')) == 412
    assert ask("/a", ("if-none-match", "*")) == 412
    assert ask("/new", ("if-match", "*")) == 412
    assert len(calls) == 4


def test_a_condition_may_be_required():
    app = make_app(current=lambda request: '"v1"', required=True)
    app.delete("/")(lambda: None)

    assert send(app, "DELETE", "/").status == 428
    assert send(app, "DELETE", "/", headers=(("if-match", '"v1"'),)).status == 204
    assert send(app, "GET", "/").status == 200


def test_a_current_tag_that_is_none_is_a_logged_500(caplog):
    app = make_app(current=lambda request: "v1")
    app.delete("/")(lambda: None)

    assert send(app, "DELETE", "/", headers=(("if-match", "*"),)).status == 500
    assert "is no entity-tag" in caplog.text


def test_wrong_options_are_told_at_once():
    with pytest.raises(ApplicationError, match="current="):
        ETags(current=7)
    with pytest.raises(ApplicationError, match="needs current="):
        ETags(required=True)
