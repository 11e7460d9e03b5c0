"""Applications under a prefix that a proxy takes off, and the host a client asked for: paths, routes and URLs."""

from __future__ import annotations

import json

import pytest

from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from tests.server.harness import serve

TOLD = ["X-Forwarded-Prefix: /shop", "X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https"]
TRUSTING = {"proxy_trust": "127.0.0.1"}


async def show_scope(scope, receive, send):
    shown = {key: scope[key] for key in ("root_path", "path", "scheme")}
    shown["raw_path"] = scope["raw_path"].decode()
    shown["host"] = [value.decode() for name, value in scope["headers"] if name == b"host"]
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": json.dumps(shown).encode()})


def show_environ(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    names = ("SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "wsgi.url_scheme")
    return [json.dumps([environ.get(name) for name in names]).encode()]


def ask(server, path, *fields, method="GET"):
    with server.connect() as client:
        return json.loads(client.ask(path, method, *fields).content)


def test_asgi_path_holds_the_prefix():
    with serve(ASGIHandler(show_scope), faults=True, **TRUSTING) as server:
        told = ask(server, "/a%20b?x", *TOLD)
        untold = ask(server, "/a%20b?x")

    assert told == {
        "root_path": "/shop",
        "path": "/shop/a b",
        "raw_path": "/shop/a%20b",
        "scheme": "https",
        "host": ["shop.example"],
    }
    assert untold == {
        "root_path": "",
        "path": "/a b",
        "raw_path": "/a%20b",
        "scheme": "http",
        "host": ["test"],
    }


def test_wsgi_path_is_without_the_prefix():
    with serve(WSGIHandler(show_environ), **TRUSTING) as server:
        told = ask(server, "/a%20b", *TOLD)
        untold = ask(server, "/a%20b")

    assert told == ["/shop", "/a b", "shop.example", "https"]
    assert untold == ["", "/a b", "test", "http"]


def test_prefix_of_a_stranger_is_nothing():
    with serve(ASGIHandler(show_scope), faults=True) as server:
        assert ask(server, "/", *TOLD)["root_path"] == ""
    with serve(WSGIHandler(show_environ)) as server:
        assert ask(server, "/", *TOLD)[0] == ""


@pytest.mark.parametrize(
    "handler", [ASGIHandler(show_scope), WSGIHandler(show_environ)], ids=["asgi", "wsgi"]
)
def test_authority_of_the_target_beats_the_host_field(handler):
    with serve(handler, faults=True) as server:
        seen = ask(server, "http://other.example:81/x")

    assert (seen["host"] if isinstance(seen, dict) else [seen[2]]) == ["other.example:81"]


def test_asterisk_has_no_prefix():
    with serve(ASGIHandler(show_scope), faults=True, root_path="/shop") as server:
        assert ask(server, "*", method="OPTIONS")["path"] == "*"


@pytest.mark.parametrize("settings", [TRUSTING, {"root_path": "/shop"}], ids=["told", "set"])
class TestFrameworks:
    """Each makes a URL of one of its routes, and says which it was asked for."""

    def test_starlette(self, need_package, settings):
        need_package("starlette")
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Mount, Route

        async def item(request):
            return JSONResponse([str(request.url), str(request.url_for("part:item", number=8))])

        inner = [Route("/items/{number}", item, name="item")]
        app = Starlette(routes=[Mount("/part", routes=inner, name="part")])
        with serve(ASGIHandler(app), **settings) as server:
            base = "https://shop.example/shop" if settings is TRUSTING else "http://test/shop"
            assert ask(server, "/part/items/7", *TOLD) == [f"{base}/part/items/7", f"{base}/part/items/8"]

    def test_starlette_mount_of_the_same_name_as_the_prefix(self, need_package, settings):
        need_package("starlette")
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Mount, Route

        async def item(request):
            return JSONResponse("found")

        app = Starlette(routes=[Mount("/shop", routes=[Route("/shop", item)])])
        with serve(ASGIHandler(app), **settings) as server:
            assert ask(server, "/shop/shop", *TOLD) == "found"

    def test_litestar(self, need_package, settings):
        need_package("litestar")
        from litestar import Litestar, get

        @get("/items/7", sync_to_thread=False)
        def item() -> dict[str, int]:
            return {"number": 7}

        with serve(ASGIHandler(Litestar([item])), **settings) as server:
            assert ask(server, "/items/7", *TOLD) == {"number": 7}

    def test_flask(self, need_package, settings):
        flask = need_package("flask")
        app = flask.Flask("shop")

        @app.get("/items/<int:number>")
        def item(number):
            inside = flask.url_for("item", number=8)
            return [flask.request.url, inside, flask.url_for("item", number=9, _external=True)]

        with serve(WSGIHandler(app), **settings) as server:
            base = "https://shop.example/shop" if settings is TRUSTING else "http://test/shop"
            expected = [f"{base}/items/7", "/shop/items/8", f"{base}/items/9"]
            assert ask(server, "/items/7", *TOLD) == expected

    @pytest.mark.parametrize("interface", ["asgi", "wsgi"])
    def test_django(self, django_application, settings, interface):
        from django.http import JsonResponse
        from django.urls import path, reverse

        def item(request, number):
            inside = reverse("item", args=[8])
            return JsonResponse(
                [request.path, request.path_info, inside, request.build_absolute_uri()], safe=False
            )

        handler = django_application(interface, [path("items/<int:number>", item, name="item")])
        with serve(handler, **settings) as server:
            base = "https://shop.example" if settings is TRUSTING else "http://test"
            assert ask(server, "/items/7", *TOLD) == [
                "/shop/items/7",
                "/items/7",
                "/shop/items/8",
                f"{base}/shop/items/7",
            ]
