import pytest

from penstock import App, Controller, Router, TestClient
from penstock import get as route_get
from penstock.app.routing.converters import Converter
from penstock.errors import ApplicationError, RouteConflict
from penstock.http.request import Request
from tests.app.driver import answer, content
from tests.app.mounting import make_asgi


def ask(app, target, host):
    return answer(app, Request.build("GET", target, (("host", host),)))


@pytest.fixture
def app():
    app, api, tenants = App(), Router(), Router()
    app.get("/")(lambda: "rest")
    app.get("/only-rest")(lambda: "rest")
    api.get("/")(lambda: "api")

    @tenants.get("/")
    def home(tenant: str) -> str:
        return tenant

    @tenants.get("/items/{item_id}")
    def item(item_id: int, tenant: str) -> list:
        return [tenant, item_id]

    app.host("api.example.org", api)
    app.host("{tenant}.example.org", tenants)
    return app


@pytest.mark.parametrize(
    ("host", "body"),
    [
        ("api.example.org", b"api"),
        ("API.Example.ORG", b"api"),
        ("api.example.org:8443", b"api"),
        ("api.example.org.", b"api"),
        ("acme.example.org", b"acme"),
        ("example.org", b"rest"),
        ("a.b.example.org", b"rest"),
        (".example.org", b"rest"),
        ("[::1]:8000", b"rest"),
        ("127.0.0.1", b"rest"),
        ("", b"rest"),
    ],
)
def test_the_host_decides_which_table_answers(app, host, body):
    assert ask(app, "/", host).body == body


def test_its_parameter_is_bound_beside_those_of_the_path(app):
    assert content(ask(app, "/items/7", "acme.example.org")) == ["acme", 7]
    assert ask(app, "/items/x", "acme.example.org").status == 422


def test_a_host_with_routes_of_its_own_has_no_others(app):
    assert ask(app, "/only-rest", "example.org").status == 200
    assert ask(app, "/only-rest", "api.example.org").status == 404
    assert ask(app, "/items/7", "example.org").status == 404


def test_parameters_of_one_request_are_not_seen_by_the_next(app):
    assert [ask(app, "/", f"{name}.example.org").body for name in ("a", "b", "a")] == [b"a", b"b", b"a"]


def test_a_parameter_may_have_a_converter():
    app, numbers = App(), Router()

    @numbers.get("/")
    def number(shard: int) -> int:
        return shard + 1

    app.host("{shard:int}.example.org", numbers)

    assert ask(app, "/", "41.example.org").body == b"42"
    assert ask(app, "/", "x.example.org").status == 404


def test_a_converter_that_fails_is_a_500(caplog):
    def fail(text):
        raise RuntimeError(text)

    app, router = App(converters={"bad": Converter(".*", fail)}), Router()
    router.get("/")(lambda: "")
    app.host("{x:bad}.example.org", router)

    assert ask(app, "/", "a.example.org").status == 500
    assert "RuntimeError" in caplog.text


def test_controllers_applications_and_mounts_can_have_a_host():
    class Home(Controller):
        @route_get("/")
        def home(self, tenant: str) -> str:
            return f"home of {tenant}"

    app, inner, mounts = App(), App(), Router()
    inner.get("/")(lambda: "inner")
    mounts.mount("/asgi", make_asgi())
    app.host("{tenant}.home.org", Home)
    app.host("inner.org", inner)
    app.host("mounts.org", mounts)

    with TestClient(app, base_url="http://ada.home.org") as client:
        assert client.get("/").text == "home of ada"
        assert client.get("http://inner.org/").text == "inner"
        assert client.get("http://mounts.org/asgi/x").json()["root_path"] == "/asgi"


def test_hooks_of_the_application_are_round_them():
    class Stamp:
        def after(self, request, response):
            response.headers["X-Stamp"] = "yes"

    app, router = App(hooks=[Stamp()]), Router()
    router.get("/")(lambda: "")
    app.host("a.org", router)

    assert ask(app, "/", "a.org").headers["x-stamp"] == "yes"
    assert ask(app, "/none", "a.org").headers["x-stamp"] == "yes"


def test_the_list_of_routes_says_the_host(app):
    assert [row.path for row in app.routes()][2:4] == ["api.example.org/", "{tenant}.example.org/"]


@pytest.mark.parametrize(
    "host",
    [
        "https://a.org",
        "a.org:80",
        "a.org/x",
        "",
        "a..org",
        "{1}.org",
        "{x:path}.org",
        "{x:none}.org",
        "a{x}.org",
    ],
)
def test_what_is_no_host_is_refused(host):
    app, router = App(), Router()
    router.get("/")(lambda: "")

    def declare():
        app.host(host, router)
        app.compile()

    with pytest.raises(ApplicationError, match="host "):
        declare()


def test_hosts_that_match_the_same_are_a_conflict():
    app = App()
    for host in ("{a}.org", "{b}.org"):
        router = Router()
        router.get("/")(lambda: "")
        app.host(host, router)

    with pytest.raises(RouteConflict, match=r"\{a\}.org.*\{b\}.org"):
        app.compile()


def test_a_name_in_host_and_path_is_refused():
    app, router = App(), Router()
    router.get("/{x}")(lambda x: x)
    app.host("{x}.org", router)

    with pytest.raises(ApplicationError, match="same name"):
        app.compile()


def test_a_host_in_a_host_is_refused():
    app, outer, inner = App(), Router(), Router()
    inner.get("/")(lambda: "")
    outer.host("inner.org", inner)
    app.host("outer.org", outer)

    with pytest.raises(ApplicationError, match="inside that of"):
        app.compile()


def test_the_description_has_no_parameter_of_the_host(app):
    from penstock.app.openapi.document import make_document

    paths = make_document(app)["paths"]

    assert [one["name"] for one in paths["/items/{item_id}"]["get"]["parameters"]] == ["item_id"]
