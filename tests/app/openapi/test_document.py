"""The document of an application: what is in it, under which names, and that it is OpenAPI 3.1."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Any

import msgspec
import pydantic
import pytest
from openapi_spec_validator import validate

from penstock import (
    CSRF,
    App,
    Body,
    BodyStream,
    Controller,
    Cookie,
    Event,
    EventStream,
    FetchMetadata,
    Field,
    File,
    FileResponse,
    Form,
    Header,
    HTMLResponse,
    HTTPError,
    MultipartStream,
    Path,
    Query,
    RateLimit,
    RedirectResponse,
    Request,
    Response,
    Router,
    StaticFiles,
    TrustedHosts,
    UploadFile,
    get,
)
from penstock.app.routing.converters import Converter
from penstock.errors import ApplicationError

PROBLEM = {"$ref": "#/components/schemas/Problem"}


@dataclass
class Item:
    """Something to be sold."""

    name: str
    price: float = 1.0


def document(app: App) -> dict[str, Any]:
    made = app.openapi()
    validate(made)
    return made


def operation(app: App, path: str, method: str = "get") -> dict[str, Any]:
    return document(app)["paths"][path][method]


def parameters(app: App, path: str, method: str = "get") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in operation(app, path, method).get("parameters", ())}


class TestWhole:
    def test_an_empty_application_has_a_document(self):
        assert document(App()) == {
            "openapi": "3.1.1",
            "info": {"title": "API", "version": "0.1.0"},
            "paths": {},
            "components": {},
        }

    def test_says_of_the_application_what_its_author_says(self):
        app = App(
            title="Shop",
            version="2.1",
            summary="Sells pumps.",
            description="""
                Many **pumps**.

                And pipes.
            """,
            terms_of_service="https://example.org/terms",
            contact={"name": "Ada"},
            license={"name": "MIT", "identifier": "MIT"},
            servers=["https://example.org", {"url": "/v2", "description": "here"}],
            external_docs="https://example.org/docs",
            openapi_extra={"x-team": "pumps", "info": {"x-owner": "Ada"}},
        )

        made = document(app)

        assert made["info"] == {
            "title": "Shop",
            "version": "2.1",
            "summary": "Sells pumps.",
            "description": "Many **pumps**.\n\nAnd pipes.",
            "termsOfService": "https://example.org/terms",
            "contact": {"name": "Ada"},
            "license": {"name": "MIT", "identifier": "MIT"},
            "x-owner": "Ada",
        }
        assert made["servers"] == [{"url": "https://example.org"}, {"url": "/v2", "description": "here"}]
        assert made["externalDocs"] == {"url": "https://example.org/docs"}
        assert made["x-team"] == "pumps"

    @pytest.mark.parametrize(
        "about", [{"tittle": "Shop"}, {"openapi_url": "openapi.json"}, {"openapi_url": ""}]
    )
    def test_refuses_what_is_no_description(self, about):
        with pytest.raises(ApplicationError):
            App(**about)

    def test_lists_described_tags_first_and_those_in_use_after_them(self):
        app = App(tag_descriptions={"users": "People.", "items": {"description": "Things.", "x-a": 1}})
        router = Router("/a", tags=["inner"])
        router.get("/b", tags=["users", "more"])(lambda: "")
        app.include(router)

        made = document(app)

        assert made["tags"] == [
            {"name": "users", "description": "People."},
            {"name": "items", "description": "Things.", "x-a": 1},
            {"name": "inner"},
            {"name": "more"},
        ]
        assert made["paths"]["/a/b"]["get"]["tags"] == ["inner", "users", "more"]

    def test_making_it_again_gives_the_same(self):
        app = App()
        app.post("/items")(_create)

        assert app.openapi() == app.openapi()

    def test_leaves_out_what_is_not_to_be_shown(self):
        app = App()
        app.get("/a", include_in_schema=False)(lambda: "")
        hidden = Router("/b", include_in_schema=False)
        hidden.get("/c")(lambda: "")
        app.include(hidden)

        @app.websocket("/ws")
        async def ws(websocket): ...

        app.mount("/old", lambda environ, start_response: [])
        app.mount("/files", StaticFiles("."))

        assert document(app)["paths"] == {}

    def test_two_templates_that_differ_by_converter_are_one_path_and_the_first_is_described(self):
        app = App()
        app.get("/{key:int}", name="by_number")(lambda key: "")
        app.get("/{key}", name="by_name")(lambda key: "")
        app.delete("/{key}", name="remove")(lambda key: "")

        made = document(app)["paths"]

        assert [(method, one["operationId"]) for method, one in made["/{key}"].items()] == [
            ("get", "by_number"),
            ("delete", "remove"),
        ]

    def test_describes_the_routes_of_mounted_applications_and_controllers(self):
        class Users(Controller):
            prefix = "/users"

            @get("/{user_id}")
            async def one(self, user_id: int) -> str:
                """One user."""

        inner, app = App(), App()
        inner.include(Users())
        app.mount("/inner", inner)

        assert operation(app, "/inner/users/{user_id}")["summary"] == "One user"
        assert operation(app, "/inner/users/{user_id}")["operationId"] == "Users.one"

    def test_a_controller_says_it_for_all_its_routes(self):
        class Old(Controller):
            deprecated = True
            responses = {404: "There is none."}  # noqa: RUF012 - as users write it

            @get("/old")
            async def old_thing(self) -> str: ...

        app = App()
        app.include(Old)

        made = operation(app, "/old")

        assert (made["summary"], made["deprecated"]) == ("Old thing", True)
        assert made["responses"]["404"]["description"] == "There is none."

    def test_webhooks_are_described_and_never_served(self):
        more = Router()
        more.put("/moved")(_create)
        app = App(webhooks=more)

        @app.webhook("item-sold", tags=["events"])
        def sold(item: Item, x_signature: Annotated[str, Header()]) -> None:
            """An item was sold."""

        made = document(app)

        assert made["paths"] == {}
        assert list(made["webhooks"]) == ["moved", "item-sold"]
        hook = made["webhooks"]["item-sold"]["post"]
        assert hook["summary"] == "An item was sold"
        assert hook["responses"] == {"204": {"description": "No Content"}}
        assert [one["name"] for one in hook["parameters"]] == ["X-Signature"]
        assert made["tags"] == [{"name": "events"}]


def _create(item: Item) -> Item: ...


class TestOperations:
    def test_routes_of_a_host_name_it_as_their_server(self):
        app, of_tenant, of_host = App(), Router(), Router()
        of_tenant.get("/a")(lambda tenant: "")
        of_host.get("/b")(lambda: "")
        app.host("{tenant}.example.org", of_tenant)
        app.host("api.example.org", of_host)
        app.get("/c")(lambda: "")

        assert operation(app, "/a")["servers"] == [
            {"url": "//{tenant}.example.org", "variables": {"tenant": {"default": "tenant"}}}
        ]
        assert "parameters" not in operation(app, "/a")
        assert operation(app, "/b")["servers"] == [{"url": "//api.example.org"}]
        assert "servers" not in operation(app, "/c")

    def test_callbacks_are_requests_made_later(self):
        def paid(item: Item, x_signature: Annotated[str, Header()]) -> None:
            """It was paid."""

        app = App()
        app.post("/", callbacks={"paid": {"{$request.body#/url}": paid}}, name="order")(_create)

        made = operation(app, "/", "post")["callbacks"]["paid"]["{$request.body#/url}"]["post"]

        assert (made["summary"], made["operationId"]) == ("It was paid", "order_paid")
        assert [one["name"] for one in made["parameters"]] == ["X-Signature"]
        assert list(made["responses"]) == ["204"]

    def test_summary_and_description_come_from_the_docstring(self):
        app = App()

        @app.get("/")
        def home():
            """Show what there is
            to be seen.

            In **Markdown**.
            """

        made = operation(app, "/")

        assert made["summary"] == "Show what there is to be seen"
        assert made["description"] == "In **Markdown**."

    def test_options_come_before_the_docstring(self):
        app = App()

        @app.get("/", summary="Home", description="Where it begins.", external_docs={"url": "https://e.org"})
        def home():
            """Something else."""

        @app.get("/b", summary="B")
        def b():
            """Longer."""

        assert operation(app, "/")["summary"] == "Home"
        assert operation(app, "/")["description"] == "Where it begins."
        assert operation(app, "/")["externalDocs"] == {"url": "https://e.org"}
        assert (operation(app, "/b")["summary"], operation(app, "/b")["description"]) == ("B", "Longer.")

    def test_without_a_docstring_the_name_says_it(self):
        app = App()
        app.post("/items", name="create_item")(lambda: "")

        assert operation(app, "/items", "post")["summary"] == "Create item"
        assert "description" not in operation(app, "/items", "post")

    def test_deprecated_routes_and_routers(self):
        app, old = App(), Router("/old", deprecated=True)
        app.get("/a", deprecated=True)(lambda: "")
        app.get("/b")(lambda: "")
        old.get("/c")(lambda: "")
        app.include(old)

        flags = [one["get"].get("deprecated", False) for one in document(app)["paths"].values()]

        assert flags == [True, False, True]

    def test_extra_members_are_merged(self):
        app = App()
        app.get("/", openapi_extra={"x-a": 1, "responses": {"418": {"description": "teapot"}}})(lambda: "")

        made = operation(app, "/")

        assert made["x-a"] == 1
        assert made["responses"].keys() == {"200", "418"}

    def test_ids_are_names_while_those_are_unique(self):
        app = App()
        app.get("/a", name="one")(lambda: "")
        app.get("/b", name="two")(lambda: "")
        app.post("/b", name="two")(lambda: "")
        app.get("/c/{x}", name="three")(lambda x: "")
        app.get("/d", name="three")(lambda: "")
        app.route("/e", ["GET", "DELETE"], name="four")(lambda: "")
        app.get("/f", operation_id="said")(lambda: "")

        assert self.ids(app) == {
            "GET /a": "one",
            "GET /b": "two_get",
            "POST /b": "two_post",
            "GET /c/{x}": "three_get_c_x",
            "GET /d": "three_get_d",
            "GET /e": "four_get",
            "DELETE /e": "four_delete",
            "GET /f": "said",
        }

    def test_ids_do_not_depend_on_the_order_of_declarations(self):
        def declare(paths):
            app = App()
            for path in paths:
                app.get(path, name="same")(lambda: "")
            return self.ids(app)

        assert declare(["/a", "/b/c", "/b-c"]) == declare(["/b/c", "/a", "/b-c"])

    def test_ids_are_unique_even_where_names_are_made_to_collide(self):
        app = App()
        app.get("/a", name="x")(lambda: "")
        app.get("/b", name="x")(lambda: "")
        app.get("/c", name="x_get_a")(lambda: "")
        app.get("/d", operation_id="x_get_a")(lambda: "")

        ids = self.ids(app)

        assert len(set(ids.values())) == 4

    @staticmethod
    def ids(app):
        return {
            f"{method.upper()} {path}": one["operationId"]
            for path, item in document(app)["paths"].items()
            for method, one in item.items()
        }


class TestParameters:
    def test_say_where_they_come_from_and_what_they_take(self):
        app = App()

        @app.get("/items/{item_id:int}")
        def item(
            item_id: Annotated[int, Path(ge=1, description="counts from 1")],
            page: Annotated[int, Query(ge=1, le=10, examples=[1, 2])] = 1,
            tags: list[str] = [],  # noqa: B006 - how it is declared
            q: str | None = None,
            x_token: Annotated[str, Header(alias="X-Token", deprecated=True)] = "",
            session: Annotated[str | None, Cookie()] = None,
            *,
            full: bool,
        ) -> Item: ...

        made = operation(app, "/items/{item_id}")["parameters"]

        assert made == [
            {
                "name": "item_id",
                "in": "path",
                "required": True,
                "description": "counts from 1",
                "schema": {"type": "integer", "minimum": 1},
            },
            {
                "name": "page",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1, "examples": [1, 2]},
            },
            {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            {"name": "q", "in": "query", "schema": {"type": "string"}},
            {
                "name": "X-Token",
                "in": "header",
                "deprecated": True,
                "schema": {"type": "string", "default": ""},
            },
            {"name": "session", "in": "cookie", "schema": {"type": "string"}},
            {"name": "full", "in": "query", "required": True, "schema": {"type": "boolean"}},
        ]

    def test_a_default_that_has_no_form_in_json_is_left_out(self):
        app = App()

        @app.get("/")
        def handler(a: str = b"x", b: int | None = None, c: list[int] | None = None) -> None: ...

        assert [one["schema"] for one in operation(app, "/")["parameters"]] == [
            {"type": "string"},
            {"type": "integer"},
            {"type": "array", "items": {"type": "integer"}},
        ]

    def test_of_the_path_are_there_though_no_handler_takes_them(self):
        app = App(converters={"hex": Converter("[0-9a-f]+")})

        @app.get("/{a}/{b:int}/{c:uuid}/{d:hex}/{e:float}/{f:path}")
        def handler(request: Request, a: Any, b, d) -> None: ...

        made = parameters(app, "/{a}/{b}/{c}/{d}/{e}/{f}")

        assert {name: one["schema"] for name, one in made.items()} == {
            "a": {"type": "string", "minLength": 1},
            "b": {"type": "integer"},
            "c": {"type": "string", "format": "uuid"},
            "d": {"type": "string", "pattern": "^(?:[0-9a-f]+)$"},
            "e": {"type": "number"},
            "f": {"type": "string", "minLength": 1},
        }

    def test_fields_openapi_has_other_words_for_are_left_out(self):
        app = App()

        @app.get("/")
        def handler(
            authorization: Annotated[str, Header()],
            accept: Annotated[str, Header()],
            user_agent: Annotated[str, Header()],
        ) -> None: ...

        assert list(parameters(app, "/")) == ["User-Agent"]


class TestBodies:
    def test_a_model_is_the_json_body(self):
        app = App()
        app.post("/items")(_create)

        made = document(app)

        assert made["paths"]["/items"]["post"]["requestBody"] == {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
            "required": True,
        }
        assert made["components"]["schemas"]["Item"] == {
            "title": "Item",
            "description": "Something to be sold.",
            "type": "object",
            "properties": {"name": {"type": "string"}, "price": {"type": "number", "default": 1.0}},
            "required": ["name"],
        }

    def test_an_optional_body_and_its_description(self):
        app = App()

        @app.post("/")
        def handler(item: Annotated[Item | None, Body(description="what to add")] = None) -> None: ...

        made = operation(app, "/", "post")["requestBody"]

        assert "required" not in made
        assert made["description"] == "what to add"

    def test_members_of_one_body(self):
        app = App()

        @app.post("/")
        def handler(
            item: Annotated[Item, Body(embed=True)],
            amount: Annotated[int, Body(embed=True, ge=1, description="how many")] = 1,
        ) -> None: ...

        made = operation(app, "/", "post")["requestBody"]

        assert made["required"] is True
        assert made["content"]["application/json"]["schema"] == {
            "type": "object",
            "properties": {
                "item": {"$ref": "#/components/schemas/Item"},
                "amount": {"type": "integer", "minimum": 1, "default": 1, "description": "how many"},
            },
            "required": ["item"],
        }

    def test_a_stream_takes_any_content(self):
        app = App()

        @app.put("/")
        async def handler(body: BodyStream) -> None: ...

        assert operation(app, "/", "put")["requestBody"] == {"content": {"*/*": {}}}


@dataclass
class Profile:
    name: Annotated[str, Field(min_length=2, description="of the person")]
    picture: UploadFile
    tags: list[str]
    age: int = 18
    more: list[UploadFile] | None = None


class TestForms:
    def form(self, handler, media_type="multipart/form-data"):
        app = App()
        app.post("/")(handler)
        body = operation(app, "/", "post")["requestBody"]
        return body, body["content"][media_type]["schema"]

    def test_fields_are_one_object_in_either_notation(self):
        def handler(
            name: Annotated[str, Form(min_length=1)],
            ages: Annotated[list[int], Form(description="of all")],
            lang: Annotated[str, Form(alias="x-lang")] = "en",
        ) -> None: ...

        body, schema = self.form(handler, "application/x-www-form-urlencoded")

        assert list(body["content"]) == ["application/x-www-form-urlencoded", "multipart/form-data"]
        assert body["required"] is True
        assert schema == {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "ages": {"type": "array", "items": {"type": "integer"}, "description": "of all"},
                "x-lang": {"type": "string", "default": "en"},
            },
            "required": ["name"],
        }

    def test_files_are_binary_and_multipart_only(self):
        def handler(
            one: UploadFile,
            many: Annotated[list[bytes], File(max_length=3)],
            note: Annotated[str, Form()] = "",
        ) -> None: ...

        body, schema = self.form(handler)

        file = {"type": "string", "format": "binary"}
        assert list(body["content"]) == ["multipart/form-data"]
        assert schema["properties"] == {
            "one": file,
            "many": {"type": "array", "items": file, "maxItems": 3},
            "note": {"type": "string", "default": ""},
        }
        assert schema["required"] == ["one"]

    def test_a_model_with_files(self):
        def handler(profile: Annotated[Profile, Form()]) -> None: ...

        _, schema = self.form(handler)

        file = {"type": "string", "format": "binary"}
        assert schema == {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 2, "description": "of the person"},
                "picture": file,
                "tags": {"type": "array", "items": {"type": "string"}},
                "age": {"type": "integer", "default": 18},
                "more": {"type": "array", "items": file},
            },
            "required": ["name", "picture"],
        }

    def test_models_of_others(self):
        def by_struct(form: Annotated[StructForm, Form()]) -> None: ...
        def by_model(form: Annotated[ModelForm, Form()], more: Annotated[int, Form()]) -> None: ...

        assert self.form(by_struct)[1] == {"$ref": "#/components/schemas/StructForm"}
        assert self.form(by_model)[1] == {
            "type": "object",
            "properties": {"size": {"type": "string"}, "more": {"type": "integer"}},
            "required": ["size", "more"],
        }

    def test_parts_as_they_come(self):
        async def handler(form: MultipartStream) -> None: ...

        body, schema = self.form(handler)

        assert (list(body["content"]), schema) == (["multipart/form-data"], {"type": "object"})
        app = App()
        app.post("/")(handler)
        assert list(operation(app, "/", "post")["responses"]) == ["204", "400", "413", "415"]


class StructForm(msgspec.Struct):
    size: int


class ModelForm(pydantic.BaseModel):
    size: int


def returns(annotation: Any, **options: Any) -> dict[str, Any]:
    app = App()

    def handler(): ...

    handler.__annotations__["return"] = annotation
    app.get("/", **options)(handler)
    return operation(app, "/")["responses"]


def contents(responses: dict[str, Any]) -> dict[str, list[str]]:
    return {code: list(one.get("content", ())) for code, one in responses.items()}


class TestResponses:
    @pytest.mark.parametrize(
        ("annotation", "expected"),
        [
            (None, {"204": []}),
            (str, {"200": ["text/plain"]}),
            (bytes, {"200": ["application/octet-stream"]}),
            (StrEnum("Word", ["A"]), {"200": ["text/plain"]}),
            (IntEnum("Level", ["A"]), {"200": ["application/json"]}),
            (Item, {"200": ["application/json"]}),
            (list[Item], {"200": ["application/json"]}),
            (dict, {"200": ["application/json"]}),
            (int | str, {"200": ["text/plain", "application/json"]}),
            (Item | None, {"204": [], "200": ["application/json"]}),
            (Any, {"200": []}),
            (HTMLResponse, {"200": ["text/html"]}),
            (RedirectResponse, {"307": []}),
            (FileResponse, {"200": ["application/octet-stream"]}),
            (EventStream, {"200": ["text/event-stream"]}),
            (Iterator[Event], {"200": ["text/event-stream"]}),
            (AsyncIterator[Event | str], {"200": ["text/event-stream"]}),
            (Iterator[str], {"200": ["text/plain"]}),
            (Iterator[bytes], {"200": ["application/octet-stream"]}),
            (Item | HTMLResponse, {"200": ["text/html", "application/json"]}),
            (Response, {"200": []}),
            (complex, {"200": ["application/json"]}),
        ],
    )
    def test_follow_the_annotation(self, annotation, expected):
        assert contents(returns(annotation)) == expected

    def test_the_status_of_the_route_is_that_of_what_it_returns(self):
        assert contents(returns(Item, status=201)) == {"201": ["application/json"]}
        assert contents(returns(None, status=202)) == {"202": []}

    def test_a_handler_without_annotation_promises_nothing(self):
        app = App()
        app.get("/")(lambda: "")

        assert operation(app, "/")["responses"] == {"200": {"description": "OK"}}

    def test_are_added_and_described_by_the_author(self):
        made = returns(
            Item,
            responses={
                200: "The item.",
                202: None,
                303: {"description": "elsewhere", "headers": {"Location": {"schema": {"type": "string"}}}},
                404: "There is none.",
                409: Item,
                "5XX": {"description": "broken", "model": Item},
                "default": HTMLResponse,
            },
        )

        assert {code: one["description"] for code, one in made.items()} == {
            "200": "The item.",
            "202": "Accepted",
            "303": "elsewhere",
            "404": "There is none.",
            "409": "Conflict",
            "5XX": "broken",
            "default": "Error",
        }
        assert contents(made) == {
            "200": ["application/json"],
            "202": [],
            "303": [],
            "404": ["application/problem+json"],
            "409": ["application/problem+json"],
            "5XX": ["application/problem+json"],
            "default": ["text/html"],
        }
        assert made["404"]["content"]["application/problem+json"]["schema"] == PROBLEM
        assert "Location" in made["303"]["headers"]

    def test_of_a_response_whose_status_the_author_tells_are_those_alone(self):
        assert contents(returns(Response, responses={201: "Made.", 404: "None."})) == {
            "201": [],
            "404": ["application/problem+json"],
        }

    def test_what_is_said_of_all_the_others_is_about_errors(self):
        made = returns(None, responses={"default": "What went wrong.", "3XX": "Elsewhere."})

        assert contents(made) == {"204": [], "3XX": [], "default": ["application/problem+json"]}

    def test_of_routers_hold_for_all_their_routes(self):
        app, router = App(), Router("/a", responses={404: "none here", 409: "twice"})
        router.get("/b", responses={409: "once more"})(lambda: "")
        app.include(router)

        made = operation(app, "/a/b")["responses"]

        assert [made[code]["description"] for code in ("404", "409")] == ["none here", "once more"]

    @pytest.mark.parametrize("code", [20, "2xx", "other", 600])
    def test_refuse_what_is_no_status(self, code):
        with pytest.raises(ApplicationError, match="expected a status"):
            returns(None, responses={code: "?"})


def errors(*, method: str = "get", path: str = "/", handler: Any) -> list[str]:
    app = App()
    app.route(path, [method])(handler)
    made = operation(app, path.replace(":int", ""), method)["responses"]
    return [code for code in made if code[0] in "45"]


class TestErrors:
    def test_are_those_the_plan_can_end_in(self):
        def nothing() -> None: ...
        def text(name: str = "") -> None: ...
        def number(page: int = 1) -> None: ...
        def needed(name: str) -> None: ...
        def body(item: Item) -> None: ...
        def stream(body: BodyStream) -> None: ...
        def segment(x) -> None: ...
        def field(x_a: Annotated[int, Header()]) -> None: ...

        assert errors(handler=nothing) == []
        assert errors(handler=text) == ["400"]
        assert errors(handler=number) == ["400", "422"]
        assert errors(handler=needed) == ["400", "422"]
        assert errors(handler=body, method="post") == ["400", "413", "415", "422"]
        assert errors(handler=stream, method="post") == ["400", "413"]
        assert errors(handler=segment, path="/{x}") == ["400"]
        assert errors(handler=segment, path="/{x:int}") == ["400", "404"]
        assert errors(handler=field) == ["422"]

    def test_are_problems_and_a_422_lists_its_faults(self):
        app = App()
        app.post("/")(_create)

        made = document(app)
        responses, schemas = made["paths"]["/"]["post"]["responses"], made["components"]["schemas"]

        assert responses["400"]["content"] == {"application/problem+json": {"schema": PROBLEM}}
        assert responses["422"]["content"]["application/problem+json"]["schema"] == {
            "$ref": "#/components/schemas/ValidationProblem"
        }
        assert "errors" in schemas["ValidationProblem"]["allOf"][1]["properties"]
        assert schemas["Problem"]["properties"].keys() >= {"type", "title", "status", "detail"}

    def test_are_those_of_hooks_too(self):
        app = App(hooks=[CSRF("x" * 32), TrustedHosts(["a.org"])])
        router = Router(hooks=[FetchMetadata()])
        router.route("/", ["GET", "POST"], hooks=[RateLimit("1/minute", lost="refuse")])(lambda: "")
        app.include(router)

        made = document(app)["paths"]["/"]

        assert [code for code in made["get"]["responses"] if code > "3"] == ["400", "429", "503"]
        assert [code for code in made["post"]["responses"] if code > "3"] == ["400", "403", "429", "503"]
        assert made["get"]["responses"]["429"]["description"] == "Too many requests."
        assert "application/problem+json" in made["get"]["responses"]["429"]["content"]

    def test_the_application_answers_itself_are_of_no_known_content(self):
        app = App()
        app.post("/")(_create)
        app.exception_handler(HTTPError)(lambda request, error: "sorry")

        assert contents(operation(app, "/", "post")["responses"])["422"] == []
