"""What a route depends on is described with it: parameters of dependencies, and who has to say who they are."""

from typing import Annotated, Any

from openapi_spec_validator import validate

from penstock import App, Body, Depends, Header, Query, Request, Router


class Scheme:
    """A scheme as one may write it oneself."""

    def __init__(self, name: str, *scopes: str, is_optional: bool = False, **described: Any) -> None:
        self.scheme_name, self.scopes, self.is_optional = name, scopes, is_optional
        self.security_scheme = {"type": "http", "scheme": "bearer", **described}

    def __call__(self, request: Request) -> str:
        return request.headers.get("authorization", "")


def operation(app: App) -> dict[str, Any]:
    document = app.openapi()
    validate(document)
    return document["paths"]["/"]["get"]


def with_schemes(*schemes: Scheme) -> dict[str, Any]:
    app = App()
    app.get("/", dependencies=[Depends(one) for one in schemes])(lambda: "")
    made = operation(app)
    return {
        "security": made.get("security"),
        "errors": [code for code in made["responses"] if code[0] == "4"],
    }


def page(page: Annotated[int, Query(ge=1)] = 1) -> int:
    return page


def nested(size: int, at: Annotated[int, Depends(page)], x_who: Annotated[str, Header()] = "") -> int:
    return size


class TestParameters:
    def test_of_nested_dependencies_are_those_of_the_operation(self):
        app = App()

        @app.get("/")
        def handler(name: str, found: Annotated[int, Depends(nested)]) -> str: ...

        names = [one["name"] for one in operation(app)["parameters"]]

        assert sorted(names) == ["X-Who", "name", "page", "size"]
        assert "422" in operation(app)["responses"]

    def test_one_that_several_take_is_described_once(self):
        app = App()

        @app.get("/")
        def handler(page: int, found: Annotated[int, Depends(nested)]) -> str: ...

        described = [one for one in operation(app)["parameters"] if one["name"] == "page"]

        assert described == [{"name": "page", "in": "query", "required": True, "schema": {"type": "integer"}}]

    def test_of_routers_and_applications_are_there_too(self):
        app = App(dependencies=[Depends(page)])
        router = Router(dependencies=[Depends(nested)])
        router.get("/")(lambda: "")
        app.include(router)

        assert {one["name"] for one in operation(app)["parameters"]} == {"page", "size", "X-Who"}

    def test_a_body_may_be_that_of_a_dependency(self):
        app = App()

        def body(body: Annotated[dict[str, int], Body()]) -> int: ...

        @app.get("/")
        def handler(found: Annotated[int, Depends(body)]) -> str: ...

        assert operation(app)["requestBody"]["content"].keys() == {"application/json"}


class TestSecurity:
    def test_nobody_is_asked(self):
        assert with_schemes() == {"security": None, "errors": []}

    def test_a_scheme_is_required_and_refuses_with_401(self):
        assert with_schemes(Scheme("token")) == {"security": [{"token": []}], "errors": ["401"]}

    def test_scopes_are_added_up_and_refuse_with_403(self):
        found = with_schemes(Scheme("token", "read"), Scheme("token", "write", "read"))

        assert found == {"security": [{"token": ["read", "write"]}], "errors": ["401", "403"]}

    def test_an_optional_one_may_be_left_out(self):
        found = with_schemes(Scheme("token"), Scheme("key", is_optional=True, scheme="basic"))

        assert found["security"] == [{"token": [], "key": []}, {"token": []}]
        assert with_schemes(Scheme("key", is_optional=True))["security"] == [{"key": []}, {}]

    def test_two_that_differ_keep_apart(self):
        app = App()
        app.get("/", dependencies=[Depends(Scheme("a")), Depends(Scheme("a", bearerFormat="JWT"))])(
            lambda: ""
        )

        document = app.openapi()

        assert document["components"]["securitySchemes"] == {
            "a": {"type": "http", "scheme": "bearer"},
            "a_2": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        }
        assert operation(app)["security"] == [{"a": [], "a_2": []}]

    def test_an_override_changes_nothing(self):
        app, scheme = App(), Scheme("token")
        app.get("/", dependencies=[Depends(scheme)])(lambda: "")
        app.overrides[scheme] = lambda: "Ada"

        assert operation(app)["security"] == [{"token": []}]
