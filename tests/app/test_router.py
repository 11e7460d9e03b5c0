import re

import pytest

from penstock.app.application import App
from penstock.app.routing.controller import get as controller_get
from penstock.app.routing.router import Router
from penstock.errors import ApplicationError, RouteConflict
from tests.app.driver import content, get, send


def test_the_decorator_returns_the_function_unchanged():
    app = App()

    def handler() -> str:
        return "x"

    assert app.get("/")(handler) is handler


def test_prefixes_nest():
    app, api, users = App(), Router(prefix="/api"), Router(prefix="/users")

    @users.get("/{user_id}")
    def one(user_id: int) -> int:
        return user_id

    @users.get("")
    def everyone() -> str:
        return "all"

    @users.get("/")
    def slash() -> str:
        return "slash"

    api.include(users, prefix="/v1")
    app.include(api)

    assert content(get(app, "/api/v1/users/7")) == 7
    assert get(app, "/api/v1/users").body == b"all"
    assert get(app, "/api/v1/users/").body == b"slash"
    assert get(app, "/users/7").status == 404


def test_routes_added_to_a_router_after_its_inclusion_count():
    app, router = App(), Router("/r")
    app.include(router)

    router.get("/late")(lambda: "late")

    assert get(app, "/r/late").body == b"late"


def test_a_parameter_in_a_prefix_is_bound():
    app, router = App(), Router("/orgs/{org}")

    @router.get("/users/{user_id:int}")
    def user(user_id: int, org: str) -> list:
        return [org, user_id]

    app.include(router)

    assert content(get(app, "/orgs/acme/users/7")) == ["acme", 7]


def test_one_router_serves_under_two_prefixes():
    app, router = App(), Router()
    router.get("/x")(lambda: "x")

    app.include(router, prefix="/one")
    app.include(router, prefix="/two")

    assert get(app, "/one/x").body == get(app, "/two/x").body == b"x"


def test_mount_puts_routers_and_applications_under_a_prefix():
    app, router, admin = App(), Router(), App()
    router.get("/x")(lambda: "x")
    admin.get("/")(lambda: "admin")
    app.mount("/r", router)
    app.mount("/admin", admin)

    assert get(app, "/r/x").body == b"x"
    assert get(app, "/admin/").body == b"admin"
    assert get(app, "/admin").status == 404


def test_including_a_router_in_itself_is_an_error():
    outer, inner = Router("/a"), Router("/b")
    outer.include(inner)
    inner.include(outer)
    app = App()
    app.include(outer)

    with pytest.raises(ApplicationError, match="included in itself"):
        get(app, "/")


def one(user_id) -> str:
    return user_id


def other(name) -> str:
    return name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/users/{user_id}", "/users/{name}"),
        ("/{user_id:int}", "/{name:int}"),
        ("/u/{user_id:path}", "/u/{name:path}"),
        ("/x", "/x"),
    ],
)
def test_two_routes_for_one_path_are_reported_with_both_handlers(first, second):
    app = App()
    app.get(first)(_without_parameters if "{" not in first else one)
    app.get(second)(_without_parameters if "{" not in second else other)

    with pytest.raises(RouteConflict) as caught:
        app.compile()

    places = re.findall(r"test_router:(\w+) \(.*?test_router\.py:\d+\)", str(caught.value))
    assert places == (["one", "other"] if "{" in first else ["_without_parameters"] * 2)
    assert first in str(caught.value)


def _without_parameters() -> None: ...


def test_a_conflict_between_routers_is_found():
    app, router = App(), Router("/users")
    app.get("/users/{user_id}")(one)
    router.get("/{name}")(other)
    app.include(router)

    with pytest.raises(RouteConflict):
        app.compile()


@pytest.mark.parametrize(
    ("first", "second"),
    [("/{user_id:int}", "/{name}"), ("/{user_id}", "/{name:path}"), ("/{user_id}", "/{name}/")],
)
def test_overlapping_routes_of_different_shape_are_no_conflict(first, second):
    app = App()
    app.get(first)(lambda user_id: "first")
    app.get(second)(lambda name: "second")

    app.compile()


def test_two_methods_of_one_path_are_no_conflict():
    app = App()
    app.get("/{user_id}")(one)
    app.put("/{name}")(other)

    assert get(app, "/x").body == send(app, "PUT", "/x").body == b"x"


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (lambda: Router("api"), "must begin with '/'"),
        (lambda: Router("/api/"), "not end with it"),
        (lambda: Router("/"), "not end with it"),
        (lambda: App().get("x"), "must begin with '/'"),
        (lambda: App().route("/", "GET"), r"\['GET'\]"),
        (lambda: App().route("/", []), "names no method"),
        (lambda: App().route("/", ["GE T"]), "is not a method"),
        (lambda: App().route("/", [""]), "is not a method"),
        (lambda: App().get("/", colour="red")(one), "unknown option 'colour'; there are status"),
        (lambda: App().get("/", respones={})(one), "'respones'; did you mean responses[?] there are"),
        (lambda: App().get("/", status_code=201)(one), "did you mean status[?]"),
        (lambda: App().get(one), "is no path; a route is declared as in @app.get"),
        (lambda: controller_get(one), "is no path; a route is declared as in @get"),
        (lambda: App(titel="x"), "App takes no titel=; did you mean title[?] there are lifespan"),
        (lambda: App(middleware=[]), "did you mean hooks[?]"),
        (lambda: App(hooks=[Router]), r"Router is a class; give an object of it, Router\(...\)"),
        (lambda: App().before(lambda: None), r"before is called with \(request\), and it takes \(\)"),
        (lambda: App().after(lambda response: None), r"after is called with \(request, response\)"),
        (lambda: App().exception_handler(404)(lambda error: None), r"called with \(request, error\)"),
        (lambda: controller_get("/")(one), "is no method of a Controller; declare a function by @app.get"),
        (lambda: App(hooks=[one]), "one is a function; declare it by @app.before"),
        (lambda: App().get("/")("text"), "must be a function, not str"),
        (lambda: App().include("users"), "takes a Router"),
        (lambda: App().mount("", Router()), "mount needs a prefix"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_stands(wrong, part):
    with pytest.raises(ApplicationError, match=part):
        wrong()


def test_a_wrong_template_names_its_handler():
    app = App()
    app.get("/{x:nothing}")(one)

    with pytest.raises(ApplicationError, match=r"test_router:one .*no converter 'nothing'"):
        app.compile()


def test_methods_are_upper_cased_and_need_not_be_standard():
    app = App()
    app.route("/", ["report"])(lambda: "x")

    assert send(app, "REPORT", "/").body == b"x"


def test_routes_lists_what_was_declared():
    app, router = App(), Router("/r")

    @app.get("/users/{user_id}")
    async def user(user_id: int) -> None: ...

    app.post("/users", run="process", name="new")(one)
    router.route("/x", ["GET", "PUT"], run="inline")(other)
    app.include(router)

    module = __name__
    assert [tuple(row) for row in app.routes()] == [
        (
            ("GET",),
            "/users/{user_id}",
            "user",
            f"{module}:test_routes_lists_what_was_declared.<locals>.user",
            "task",
        ),
        (("POST",), "/users", "new", f"{module}:one", "process"),
        (("GET", "PUT"), "/r/x", "other", f"{module}:other", "inline"),
    ]
