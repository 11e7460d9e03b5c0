import re
from contextvars import ContextVar

import pytest

from penstock import (
    CSRF,
    App,
    BodyStream,
    MethodOverride,
    Request,
    Router,
    SecurityHeaders,
    TestClient,
    csrf_token,
)
from penstock.errors import ApplicationError
from tests.app.driver import send

FORM = ("content-type", "application/x-www-form-urlencoded")
BY_FIELD = "x-http-method-override"
seen = ContextVar("seen", default="nothing")


def make_app(*args, **options):
    app = App(hooks=[MethodOverride(*args, **options)])

    @app.delete("/{item}")
    async def delete(item: str) -> str:
        return f"deleted {item}"

    @app.put("/{item}", run="inline")
    def put(item: str, request: Request) -> str:
        return f"put {item} {request.method} {request.text()}"

    @app.patch("/{item}", body_limit=40)
    def patch(item: str) -> str:
        return f"patched {item}"

    @app.post("/{item}")
    def post(item: str) -> str:
        return f"posted {item}"

    @app.put("/stream/{item}")
    async def stream(item: str, content: BodyStream) -> int:
        return len(await content.read())

    return app


@pytest.mark.parametrize(
    ("method", "answer"),
    [("DELETE", b"deleted 7"), ("put", b"put 7 PUT "), (" Patch ", b"patched 7")],
)
def test_a_field_of_the_request_names_the_method(method, answer):
    assert send(make_app(), "POST", "/7", headers=((BY_FIELD, method),)).body == answer


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"_method=DELETE", b"deleted 7"),
        (b"a=1&_method=put&b=2", b"put 7 PUT a=1&_method=put&b=2"),
        (b"_method=PATCH", b"patched 7"),
        (b"a_method=PUT", b"posted 7"),
        (b"", b"posted 7"),
    ],
)
def test_a_field_of_a_form_names_the_method(body, answer):
    assert send(make_app(), "POST", "/7", body, (FORM,)).body == answer


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "", "PUT,GET", "\xe9"]
)
def test_no_other_method_can_be_meant(method):
    app = make_app()

    assert send(app, "POST", "/7", headers=((BY_FIELD, method),)).status == 400
    assert send(app, "POST", "/7", f"_method={method}".encode("latin-1"), (FORM,)).status == 400


def test_only_a_post_means_another():
    app = make_app()

    assert send(app, "PUT", "/7", headers=((BY_FIELD, "DELETE"),)).body == b"put 7 PUT "
    assert send(app, "GET", "/7", headers=((BY_FIELD, "DELETE"),)).status == 405
    assert send(app, "POST", "/7", b"_method=DELETE", (("content-type", "text/plain"),)).body == b"posted 7"


def test_a_route_for_post_is_not_needed():
    app = App(hooks=[MethodOverride()])
    app.delete("/x")(lambda: "deleted")

    assert send(app, "POST", "/x", b"_method=DELETE", (FORM,)).body == b"deleted"
    assert send(app, "POST", "/x", b"_method=PUT", (FORM,)).status == 405
    assert send(app, "POST", "/nothing", b"_method=PUT", (FORM,)).status == 404


def test_either_may_be_left_out():
    app = make_app(header=None)
    assert send(app, "POST", "/7", headers=((BY_FIELD, "DELETE"),)).body == b"posted 7"
    app = make_app(header="X-Method", field=None)
    assert send(app, "POST", "/7", b"_method=DELETE", (FORM,)).body == b"posted 7"
    assert send(app, "POST", "/7", headers=(("x-method", "DELETE"),)).body == b"deleted 7"


def test_hooks_of_the_route_that_is_meant_see_the_method_that_is_meant():
    app, log = make_app(), []
    app.before(lambda request: log.append((request.method, request.route)))

    send(app, "POST", "/7", b"_method=DELETE", (FORM,))
    send(app, "POST", "/7", b"_method=GET", (FORM,))

    assert log == [("DELETE", "/{item}"), ("POST", "/{item}")]


def test_a_method_in_disguise_needs_its_token_all_the_same():
    app = App(hooks=[MethodOverride(), CSRF("a secret of thirty-two octets, or more")])

    @app.get("/x")
    def form(request) -> str:
        return csrf_token(request)

    app.delete("/x")(lambda: "deleted")
    page = send(app, "GET", "/x")
    cookie = ("cookie", page.headers["set-cookie"].partition(";")[0])
    token = page.body.decode()

    assert send(app, "POST", "/x", b"_method=DELETE", (FORM, cookie)).status == 403
    body = f"_method=DELETE&csrf_token={token}".encode()
    assert send(app, "POST", "/x", body, (FORM, cookie)).body == b"deleted"


def test_in_a_server_it_streams_and_limits_and_keeps_the_context():
    app = make_app()

    @app.before
    def set_it(request):
        seen.set("hook")

    @app.put("/context/x")
    def context() -> str:
        return seen.get()

    with TestClient(app) as client:
        form = {"Content-Type": FORM[1]}
        assert client.post("/context/x", content=b"_method=PUT", headers=form).text == "hook"
        assert client.post("/stream/x", content=b"_method=PUT&a=1", headers=form).text == "15"
        long = b"_method=PATCH&a=" + b"x" * 100
        assert client.post("/7", content=long, headers=form).status == 413
        assert client.post("/7", content=b"_method=PATCH", headers=form).text == "patched 7"


def test_a_form_too_long_for_the_route_that_is_meant_is_refused_inside_the_hooks():
    app = App(hooks=[MethodOverride(), SecurityHeaders()])
    app.post("/x")(lambda: "posted")
    app.put("/x", body_limit=20)(lambda: "put")

    with TestClient(app) as client:
        reply = client.post("/x", content=b"_method=PUT&a=" + b"x" * 100, headers={"Content-Type": FORM[1]})

    assert reply.status == 413
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("args", [("a b",), ("X", "a=b"), (None, None), (7,)])
def test_wrong_names_are_told_at_once(args):
    with pytest.raises(ApplicationError, match="MethodOverride"):
        MethodOverride(*args)


def test_it_belongs_to_the_outermost_application():
    app, router = App(), Router("/r", hooks=[MethodOverride()])
    router.get("/x")(lambda: "x")
    app.include(router)

    with pytest.raises(ApplicationError, match=re.escape("give it to the outermost App(hooks=[...])")):
        app.compile()
