from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from penstock import App, Response, Versions
from penstock.errors import ApplicationError
from penstock.http.request import Request
from tests.app.driver import answer, content


def ask(app, target, method="GET", **fields):
    headers = (("host", "test"), *((name.replace("_", "-"), value) for name, value in fields.items()))
    return answer(app, Request.build(method, target, headers))


def make_app(**options):
    app, api = App(), Versions("/api", **options)
    app.get("/plain")(lambda: "plain")
    v1 = api.version("1", deprecated=date(2026, 1, 1), sunset=date(2027, 1, 1), link="https://example.org/v1")
    v2 = api.version("2")

    @v1.get("/users/{user_id:int}")
    def user(user_id: int) -> str:
        return f"one {user_id}"

    @v2.get("/users/{name}", name="user2")
    def user_by_name(name: str) -> str:
        return f"two {name}"

    @v2.post("/users", name="create")
    def create() -> str:
        return "created"

    app.include(api)
    return app


def test_versions_in_the_path_are_prefixes():
    app = make_app()

    assert ask(app, "/api/1/users/7").body == b"one 7"
    assert ask(app, "/api/2/users/7").body == b"two 7"
    assert ask(app, "/api/3/users/7").status == 404
    assert app.url_for("user", user_id=7) == "/api/1/users/7"


def test_a_header_names_the_version():
    app = make_app(header="API-Version", default="2")

    assert ask(app, "/api/users/7", api_version="1").body == b"one 7"
    assert ask(app, "/api/users/7", api_version="2").body == b"two 7"
    assert ask(app, "/api/users/7").body == b"two 7"
    assert ask(app, "/api/users/ada", api_version="1").status == 404
    assert ask(app, "/api/users", "POST", api_version="1").status == 404
    assert ask(app, "/api/users", "POST").body == b"created"


@pytest.mark.parametrize("value", ["3", "", "1, 2", "1;"])
def test_an_unknown_version_is_a_400_that_names_those_there_are(value):
    reply = ask(make_app(header="API-Version", default="2"), "/api/users/7", api_version=value)

    assert reply.status == 400
    assert "API-Version: 1, 2" in content(reply)["detail"]
    assert "API-Version" in reply.headers["vary"].split(", ")


def test_without_a_default_a_request_must_name_one():
    app = make_app(header="API-Version")

    assert "name a version" in content(ask(app, "/api/users/7"))["detail"]
    assert ask(app, "/api/users/7").status == 400
    assert ask(app, "/api/users/7", api_version="1").status == 200


def test_routes_without_version_answer_every_request():
    app = make_app(header="API-Version")

    for fields in ({}, {"api_version": "1"}, {"api_version": "9"}):
        assert ask(app, "/plain", **fields).body == b"plain"
        assert ask(app, "/none", **fields).status == 404
    assert ask(app, "/api/users/7", "DELETE").status == 405


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("application/json;version=1", b"one 7"),
        ("application/json; Version=2", b"two 7"),
        ('application/json;version="1"', b"one 7"),
        ("application/json;version=1;q=0.1, application/json;version=2", b"two 7"),
        ("application/json;version=9, application/json;version=1;q=0.5", b"one 7"),
        ("application/json;version=2;q=0, application/json;version=1;q=0.1", b"one 7"),
        ("*/*", b"two 7"),
        ("nonsense", b"two 7"),
    ],
)
def test_the_accept_header_names_the_version(accept, body):
    reply = ask(make_app(accept="version", default="2"), "/api/users/7", accept=accept)

    assert reply.body == body
    assert reply.headers["vary"] == "Accept"


def test_a_version_that_cannot_be_had_is_not_acceptable():
    app = make_app(accept="version", default="2")

    assert ask(app, "/api/users/7", accept="application/json;version=9").status == 406


def test_a_deprecated_version_says_so():
    app = make_app()
    old, new = ask(app, "/api/1/users/7"), ask(app, "/api/2/users/7")

    assert old.headers["deprecation"] == "@1767225600"
    assert old.headers["sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert old.headers["link"] == '<https://example.org/v1>; rel="deprecation"; type="text/html"'
    assert not {"deprecation", "sunset", "link", "vary"} & {name for name, _ in new.headers.items()}


def test_failures_of_a_deprecated_version_say_so_too():
    api = Versions()
    api.version("1", deprecated=date(2026, 1, 1)).get("/fail")(lambda: {}["x"])
    app = App()
    app.include(api)

    reply = ask(app, "/1/fail")

    assert (reply.status, reply.headers["deprecation"]) == (500, "@1767225600")


def test_times_have_their_zone_and_kept_responses_are_left_alone():
    kept = Response(b"x")
    api = Versions()
    v1 = api.version(
        "1",
        deprecated=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        sunset=datetime(2026, 1, 1, tzinfo=UTC),
    )
    v1.get("/")(lambda: kept)
    app = App()
    app.include(api)

    for _ in range(2):
        reply = ask(app, "/1/")
        assert reply.headers["deprecation"] == "@1767225600"
        assert reply.headers.get_all("sunset") == ["Thu, 01 Jan 2026 00:00:00 GMT"]
    assert kept.own_headers is None


def test_deprecated_versions_are_described_so():
    from penstock.app.openapi.document import make_document

    paths = make_document(make_app())["paths"]

    assert paths["/api/1/users/{user_id}"]["get"]["deprecated"] is True
    assert "deprecated" not in paths["/api/2/users/{name}"]["get"]


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Versions(header="a", accept="b"),
        lambda: Versions(header="a b"),
        lambda: Versions(default="1"),
        lambda: Versions().version("a/b"),
        lambda: Versions().version(".."),
        lambda: [api := Versions(), api.version("1"), api.version("1")],
        lambda: Versions().version("1", link="https://example.org"),
        lambda: Versions().version("1", deprecated=date(2026, 1, 2), sunset=date(2026, 1, 1)),
    ],
)
def test_what_makes_no_sense_is_refused(declare):
    with pytest.raises(ApplicationError):
        declare()


def test_a_default_there_is_not_is_refused_at_start_up():
    api, app = Versions(header="v", default="3"), App()
    api.version("1").get("/")(lambda: "")
    app.include(api)

    with pytest.raises(ApplicationError, match="default"):
        app.compile()


def test_two_that_look_at_headers_are_refused_in_one_application():
    app = App()
    for header in ("a", "b"):
        api = Versions(f"/{header}", header=header)
        api.version("1").get("/")(lambda: "")
        app.include(api)

    with pytest.raises(ApplicationError, match="one Versions"):
        app.compile()
