import functools
from dataclasses import dataclass
from typing import Annotated

import pytest

from penstock import (
    App,
    Controller,
    Depends,
    HTTPError,
    Request,
    Router,
    TestClient,
    WebSocket,
    delete,
    get,
    post,
    route,
)
from penstock.app.openapi.document import make_document
from penstock.app.routing.controller import websocket_route
from penstock.errors import ApplicationError
from tests.app.driver import content, send
from tests.app.driver import get as ask


@dataclass
class NewUser:
    name: str


class Users(Controller):
    prefix = "/users"
    tags = ("users",)

    def __init__(self, names: list[str] | None = None) -> None:
        self.names = names if names is not None else []

    @get("")
    def every(self) -> list:
        return self.names

    @get("/{user_id}")
    async def one(self, user_id: int, loud: bool = False) -> str:
        if user_id >= len(self.names):
            raise HTTPError(404)
        return self.names[user_id].upper() if loud else self.names[user_id]

    @post("", status=201)
    async def create(self, user: NewUser) -> int:
        self.names.append(user.name)
        return len(self.names) - 1

    @delete("/{user_id}")
    def remove(self, user_id: int) -> None:
        del self.names[user_id]


def test_methods_are_routes_that_share_their_instance():
    app = App()
    app.include(Users(["ada"]))

    assert send(app, "POST", "/users", {"name": "grace"}).body == b"1"
    assert content(ask(app, "/users")) == ["ada", "grace"]
    assert ask(app, "/users/1?loud=true").body == b"GRACE"
    assert send(app, "DELETE", "/users/0").status == 204
    assert content(ask(app, "/users")) == ["grace"]
    assert ask(app, "/users/x").status == 422
    assert ask(app, "/users/7").status == 404


def test_a_class_is_made_once_when_it_is_included():
    made = []

    class Counter(Controller):
        def __init__(self) -> None:
            made.append(self)

        @get("/")
        def home(self) -> int:
            return id(self)

    app = App()
    app.include(Counter)

    assert content(ask(app, "/")) == content(ask(app, "/")) == id(made[0])
    assert len(made) == 1


def test_it_can_be_included_below_routers_and_prefixes():
    app, api = App(), Router("/api", tags=["api"])
    api.include(Users, prefix="/v1")
    app.include(api)

    rows = app.routes()

    assert [row.path for row in rows] == ["/api/v1/users", "/api/v1/users/{user_id}"] * 2
    assert rows[0].handler.endswith("test_controller:Users.every")
    assert [placed.tags for placed in app.placed()] == [("api", "users")] * 4


def test_tags_of_routers_and_routes_are_merged_each_once():
    app, router = App(), Router(tags="a")
    router.get("/", tags=["b", "a"])(lambda: "")
    app.include(router)

    assert next(app.placed()).tags == ("a", "b")


def test_a_route_is_named_by_class_and_method():
    class Admins(Users):
        prefix = "/admins"

    app = App()
    app.include(Users)
    app.include(Admins)

    assert app.url_for("Users.one", user_id=7) == "/users/7"
    assert app.url_for("Admins.one", user_id=7) == "/admins/7"


def test_a_name_can_be_given():
    class Home(Controller):
        @get("/", name="home")
        def index(self) -> str:
            return ""

    app = App()
    app.include(Home)

    assert app.url_for("home") == "/"


def test_what_replaces_a_method_keeps_its_route_changes_it_or_takes_it_away():
    class Base(Controller):
        @get("/kept")
        def kept(self) -> str:
            return "base"

        @get("/moved")
        def moved(self) -> str:
            return "base"

        @get("/gone")
        def gone(self) -> str:
            return "base"

        @get("/same")
        def same(self) -> str:
            return "same"

    class Derived(Base):
        def kept(self) -> str:
            return "derived " + super().kept()

        @get("/elsewhere")
        def moved(self) -> str:
            return "derived"

        gone = None

    app = App()
    app.include(Derived)

    assert ask(app, "/kept").body == b"derived base"
    assert ask(app, "/elsewhere").body == b"derived"
    assert ask(app, "/moved").status == 404
    assert ask(app, "/gone").status == 404
    assert ask(app, "/same").body == b"same"


def test_a_method_may_have_several_routes_and_decorators_and_need_no_instance():
    def shouting(function):
        @functools.wraps(function)
        def shout(*args, **kwargs):
            return function(*args, **kwargs).upper()

        return shout

    class Many(Controller):
        @get("/a")
        @get("/b")
        @shouting
        def letters(self, name: str = "x") -> str:
            return name

        @shouting
        @get("/c")
        def wrapped(self, name: str) -> str:
            return name

        @staticmethod
        @get("/static")
        def static(name: str) -> str:
            return name

        @get("/static2")
        @staticmethod
        def other(name: str) -> str:
            return name

        @route("/any", ["PUT", "PATCH"])
        def any(self) -> str:
            return "any"

    app = App()
    app.include(Many)

    assert [ask(app, f"/{path}?name=y").body for path in ("a", "b", "c")] == [b"Y"] * 3
    assert [ask(app, f"/{path}?name=y").body for path in ("static", "static2")] == [b"y"] * 2
    assert send(app, "PATCH", "/any").body == b"any"


def test_hooks_of_a_controller_are_round_its_routes_only():
    class Stamp:
        def after(self, request, response):
            response.headers["X-Stamp"] = "yes"

    class Stamped(Controller):
        hooks = (Stamp(),)

        @get("/stamped")
        def stamped(self) -> str:
            return ""

    app = App()
    app.include(Stamped)
    app.get("/plain")(lambda: "")

    assert ask(app, "/stamped").headers.get("x-stamp") == "yes"
    assert ask(app, "/plain").headers.get("x-stamp") is None


def test_dependencies_of_a_controller_are_called_before_its_routes():
    called = []

    def check(request: Request) -> None:
        called.append(request.raw_path)

    class Checked(Controller):
        dependencies = (Depends(check),)
        deprecated = True

        def __init__(self, name: str) -> None:
            self.name = name

        @get("/checked")
        def checked(self, sign: Annotated[str, Depends(lambda: "?")]) -> str:
            return self.name + sign

    app = App()
    app.include(Checked("name"))
    app.get("/plain")(lambda: "")

    assert ask(app, "/checked").body == b"name?"
    assert ask(app, "/plain").status == 200
    assert called == [b"/checked"]
    assert make_document(app)["paths"]["/checked"]["get"]["deprecated"] is True


def test_a_method_converses_over_a_websocket():
    class Echo(Controller):
        greeting = "hello "

        @websocket_route("/echo")
        async def echo(self, websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send(self.greeting + str(await websocket.receive()))

    app = App()
    app.include(Echo)

    with TestClient(app) as client, client.websocket("/echo") as connection:
        connection.send("you")
        assert connection.receive() == "hello you"


class Heavy(Controller):
    @get("/", run="process")
    def compute(self) -> int:
        return 1


def test_a_method_in_another_process_is_refused_clearly():
    app = App()
    app.include(Heavy)

    with pytest.raises(ApplicationError, match="would send its Heavy along to another process"):
        app.compile()


def test_a_class_that_needs_arguments_is_refused_with_advice():
    class Needs(Controller):
        def __init__(self, store: object) -> None: ...

        @get("/")
        def home(self) -> str:
            return ""

    with pytest.raises(ApplicationError, match=r"include an instance, Needs\(\.\.\.\)"):
        App().include(Needs)


def test_a_controller_without_routes_is_refused():
    class Empty(Controller):
        pass

    with pytest.raises(ApplicationError, match="Empty declares no route"):
        App().include(Empty)


@pytest.mark.parametrize("value", [object(), dict, "users"])
def test_what_is_no_router_is_refused(value):
    with pytest.raises(ApplicationError, match="include takes a Router, an App or a Controller"):
        App().include(value)


def test_methods_as_one_text_are_refused():
    with pytest.raises(ApplicationError, match="must be a list"):
        route("/", "GET")


def test_only_functions_can_be_marked():
    with pytest.raises(ApplicationError, match="is no method"):
        get("/")(7)
