"""`TestClient(app, check_schema=True)`: a reply that is not what the document says fails the test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from penstock import (
    App,
    AsyncTestClient,
    FileResponse,
    HTMLResponse,
    HTTPError,
    JSONResponse,
    RedirectResponse,
    Request,
    Response,
    TestClient,
    TextResponse,
)


@dataclass
class Item:
    name: str
    price: float


def answering(answer: Any, annotation: Any = Item, **options: Any) -> App:
    app = App()

    def handler(request: Request, code: int = 0) -> Any:
        return answer(request) if callable(answer) else answer

    handler.__annotations__["return"] = annotation
    app.get("/items/{item_id:int}", name="item", **options)(handler)
    return app


def ask(app: App, method: str = "GET", target: str = "/items/1", **options: Any) -> Any:
    return TestClient(app, check_schema=True, **options).request(method, target)


@pytest.mark.parametrize(
    ("answer", "annotation", "options"),
    [
        (Item("pump", 1.5), Item, {}),
        (JSONResponse({"name": "pump", "price": 1}), Item | JSONResponse, {}),
        ([Item("pump", 1.5)], list[Item], {}),
        ("text", str, {}),
        (None, None, {}),
        (None, Item | None, {}),
        (HTMLResponse("<p>"), HTMLResponse, {}),
        (Response(b"", 202), Response, {"responses": {202: None}}),
        (Response(b"x", 200, None, "image/png"), Response, {}),
        (Response(b"", 418), Response, {"responses": {"4XX": "no"}}),
        (Response(b"", 418), Response, {"responses": {"default": "no"}}),
        (JSONResponse({"x": 1}, 409), Item, {"responses": {409: {"content": {"*/*": {}}}}}),
    ],
    ids=str,
)
def test_what_is_described_passes(answer, annotation, options):
    ask(answering(answer, annotation, **options))
    ask(answering(answer, annotation, **options), "HEAD")


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        (
            Response(b"", 202),
            {},
            r"GET /items/{item_id} \(item\) answered 202, its description has 200, 400, 404, 422; add responses={202: ...} to the route, its router or the application",
        ),
        (
            TextResponse("pump"),
            {},
            r"answered 200 as text/plain; charset=utf-8, described as application/json",
        ),
        (
            JSONResponse({"name": "pump", "price": "1"}),
            {},
            r"with another value than described: at /price expected number, found '1'",
        ),
        (
            JSONResponse({"name": "pump"}),
            {},
            r"at /price expected a value, it is missing, found {'name': 'pump'}",
        ),
        (Response(b"{", 200, None, "application/json"), {}, r"with what is no JSON"),
        (
            Response(b"", 202),
            {"responses": {202: {"headers": {"Location": {"required": True, "schema": {}}}}}},
            "answered 202 without Location, which is required",
        ),
    ],
    ids=str,
)
def test_what_is_not_described_fails_and_says_what(answer, options, message):
    app = answering(answer, Item, **options)

    with pytest.raises(AssertionError, match=message):
        ask(app)


def test_nothing_is_checked_unless_asked_for():
    assert TestClient(answering(Response(b"", 202))).get("/items/1").status == 202


def test_errors_are_described_by_what_may_happen():
    def refuse(request: Request) -> None:
        raise HTTPError(409, "taken")

    with pytest.raises(AssertionError, match="answered 409"):
        ask(answering(refuse))
    assert ask(answering(refuse, responses={409: "It is taken."})).status == 409
    assert ask(answering(None, None), target="/items/1?code=x").status == 422
    assert ask(answering(None, None), target="/items/x").status == 404  # of no route
    assert ask(answering(None, None), "POST").status == 405
    assert ask(answering(None, None), "OPTIONS").status == 204


def test_an_application_says_what_any_of_its_routes_may_answer():
    app = App(responses={429: "Too many requests."})
    app.get("/")(lambda: Response(b"", 429))

    assert TestClient(app, check_schema=True).get("/").status == 429


def test_a_page_about_a_problem_is_one_all_the_same():
    app = App()

    @app.get("/", responses={409: "no"})
    def handler() -> str:
        raise HTTPError(409)

    reply = TestClient(app, check_schema=True).get("/", headers={"Accept": "text/html"})

    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (409, "text/html")


def test_a_failure_of_the_application_is_no_matter_of_the_document():
    app = App()

    @app.get("/")
    def handler() -> str:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        TestClient(app, check_schema=True).get("/")
    assert TestClient(app, check_schema=True, raise_server_exceptions=False).get("/").status == 500


def test_redirects_on_the_way_are_looked_at(tmp_path):
    app = App()
    app.get("/a")(lambda: RedirectResponse("/b"))
    app.get("/b")(lambda: "there")

    with pytest.raises(AssertionError, match=r"GET /a .* answered 307"):
        TestClient(app, check_schema=True).get("/a")


def test_parts_of_a_file_and_what_has_not_changed_are_a_file(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    app = App()

    @app.get("/")
    def handler() -> FileResponse:
        return FileResponse(tmp_path / "a.txt", media_type="application/octet-stream")

    client = TestClient(app, check_schema=True)

    assert client.get("/", headers={"Range": "bytes=1-2"}).status == 206


def test_a_stream_is_looked_at_when_it_begins():
    app = App()

    @app.get("/good")
    def good() -> Iterator[str]:
        yield "a"

    @app.get("/bad", responses={200: {"content": {"text/csv": {}}}})
    def bad() -> Iterator[str]:
        yield "a"

    with TestClient(app, check_schema=True) as client:
        with client.stream("GET", "/good") as reply:
            assert reply.read() == b"a"
        with pytest.raises(AssertionError, match="as text/plain"), client.stream("GET", "/bad"):
            raise NotImplementedError


def test_a_route_that_is_left_out_is_not_looked_at():
    app = answering(Response(b"", 202), include_in_schema=False)

    assert ask(app).status == 202


def test_the_client_for_coroutines_does_the_same():
    import asyncio

    async def main() -> None:
        async with AsyncTestClient(answering(Response(b"", 202)), check_schema=True) as client:
            with pytest.raises(AssertionError, match="answered 202"):
                await client.get("/items/1")

    asyncio.run(main())
