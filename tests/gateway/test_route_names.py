"""Requests to hosted applications are named by the routes of their frameworks, never by what clients chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock import App
from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from tests.server.harness import Running, serve, wait_until


def names_of(handler: Any, *targets: str) -> list[str | None]:
    """The name each request is noted by."""
    names: list[str | None] = []

    def take(connection: Any, request: Any, endpoint: Any, *_: object) -> None:
        if connection.started:
            names.append(request.route or endpoint.route)
            connection.started = 0

    def ask(server: Running) -> None:
        with server.connect() as client:
            for count, target in enumerate(targets):
                client.ask(target)
                wait_until(lambda count=count: len(names) > count)

    with serve(handler) as server:
        server.reactor.note = server.reactor.note_in_thread = take
        ask(server)
    return names


def test_starlette(need_package: Callable[[str], Any]):
    need_package("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Mount, Route

    async def show(request: Any) -> Any:
        return PlainTextResponse("shown")

    async def stream(request: Any) -> Any:
        return StreamingResponse(iter(["a", "b"]))

    inner = [Route("/items/{number}", show)]
    routes = [
        Route("/users/{name}", show),
        Route("/stream", stream),
        Mount("/shop", routes=inner),
        Mount("/of/{name}", routes=inner),
    ]
    targets = ("/users/ada?x=1", "/users/bob", "/stream", "/shop/items/7", "/of/ada/items/7", "/absent/x")
    assert names_of(ASGIHandler(Starlette(routes=routes)), *targets) == [
        *("/users/{name}", "/users/{name}", "/stream", "/shop/items/{number}", "*/items/{number}", None),
    ]


def test_fastapi(need_package: Callable[[str], Any]):
    need_package("fastapi")
    from fastapi import APIRouter, FastAPI

    app, router = FastAPI(), APIRouter(prefix="/v1")

    @router.get("/users/{number}")
    def show(number: int) -> int:
        return number

    app.include_router(router)
    targets = ("/v1/users/7", "/v1/users/seven", "/absent")
    assert names_of(ASGIHandler(app), *targets) == ["/v1/users/{number}", "/v1/users/{number}", None]


def test_litestar(need_package: Callable[[str], Any]):
    need_package("litestar")
    from litestar import Litestar, get

    @get("/users/{number:int}")
    async def show() -> str:
        return "shown"

    first, second = names_of(ASGIHandler(Litestar([show])), "/users/7", "/users/8")
    assert first == second
    assert "number" in first
    assert "7" not in first


def test_flask(need_package: Callable[[str], Any]):
    need_package("flask")
    from flask import Flask

    app = Flask("shop")

    @app.get("/users/<int:number>")
    def show(number: int) -> str:
        return str(number)

    assert names_of(WSGIHandler(app), "/users/7", "/users/x") == ["/users/<int:number>", None]


def test_an_application_may_name_its_routes_itself():
    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["route"] = "/mine"
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["penstock.route"] = "/theirs"
        start_response("200 OK", [])
        return [b""]

    assert names_of(ASGIHandler(asgi), "/a") == ["/mine"]
    assert names_of(WSGIHandler(wsgi), "/a") == ["/theirs"]


@pytest.mark.parametrize("told", [5, b"/bytes", object(), "x" * 10_000])
def test_what_is_no_name_is_none_and_long_ones_are_cut(told: object):
    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["route"] = told
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    (name,) = names_of(ASGIHandler(asgi), "/a")
    assert name is None or len(name) <= 200


def test_a_mounted_application_goes_by_its_mount(need_package: Callable[[str], Any]):
    need_package("fastapi")
    from fastapi import FastAPI

    inner, app = FastAPI(), App()

    @inner.get("/users/{number}")
    def show(number: int) -> int:
        return number

    app.mount("/api", inner)
    first, second = names_of(app, "/api/users/7", "/api/users/8")
    assert first == second
    assert first is not None
    assert first.startswith("/api")
