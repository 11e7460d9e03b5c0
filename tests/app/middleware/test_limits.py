import pytest

from penstock import App, BodyLimit, FormLimits, Produces, Router, Timeout, UploadFile
from penstock.errors import ApplicationError
from penstock.http.request import Request
from tests.app.driver import content, send


def endpoint_of(app, target, method="POST"):
    return app.resolve(Request.build(method, target))


def make_app(*hooks):
    app, router = App(hooks=hooks), Router("/r", hooks=[BodyLimit(20), Timeout(2)])
    app.post("/app")(lambda: "x")
    app.post("/own", body_limit=7, timeout_s=0.5)(lambda: "x")
    app.post("/route", hooks=[BodyLimit(0), Timeout(0)])(lambda: "x")
    router.post("/x")(lambda: "x")
    app.include(router)
    return app


def test_the_innermost_limit_counts_and_the_routes_own_before_all():
    app = make_app(BodyLimit(100), Timeout(9))

    assert [endpoint_of(app, one).body_limit for one in ("/app", "/own", "/route", "/r/x", "/nothing")] == [
        *(100, 7, 0, 20, 100)
    ]
    assert [endpoint_of(app, one).timeout_s for one in ("/app", "/own", "/route", "/r/x")] == [9, 0.5, 0, 2]


def test_a_limit_is_no_call():
    app = App(hooks=[BodyLimit(10), Timeout(1)])
    app.get("/")(lambda: "x")

    assert app.resolve(Request.build()).call is app.compile().plans[0][1].call


def test_a_limit_holds_for_forms_too():
    app = App(hooks=[BodyLimit(10)])

    @app.post("/files")
    def files(file: UploadFile) -> int:
        return 1

    @app.post("/limited", form_limits=FormLimits())
    def limited(file: UploadFile) -> int:
        return 1

    assert endpoint_of(app, "/files").body_limit == 10
    assert endpoint_of(app, "/limited").body_limit == 10


@pytest.mark.parametrize("limit", [-1, 1.5, True, "1", None])
def test_what_is_no_limit_is_told_at_once(limit):
    with pytest.raises(ApplicationError, match="BodyLimit"):
        BodyLimit(limit)


@pytest.mark.parametrize("timeout", [-1, True, "1", None, float("nan")])
def test_what_is_no_timeout_is_told_at_once(timeout):
    with pytest.raises(ApplicationError, match="Timeout"):
        Timeout(timeout)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        ("", 200),
        ("*/*", 200),
        ("text/*;q=0.1", 200),
        ("application/json", 200),
        ("image/png", 406),
        ("application/json;q=0, text/html;q=0", 406),
        ("nonsense", 200),
    ],
)
def test_who_accepts_nothing_of_what_there_is_gets_406(accept, status):
    app, calls = App(), []
    app.get("/", hooks=[Produces("application/json", "text/html")])(lambda: calls.append(1))

    reply = send(app, "GET", "/", headers=() if accept is None else (("accept", accept),))

    assert reply.status == (204 if status == 200 else 406)
    assert len(calls) == (status == 200)
    if status == 406:
        assert content(reply)["detail"] == "there is application/json, text/html"


@pytest.mark.parametrize("types", [(), ("json",), (7,)])
def test_what_is_no_media_type_is_told_at_once(types):
    with pytest.raises(ApplicationError, match="Produces"):
        Produces(*types)
