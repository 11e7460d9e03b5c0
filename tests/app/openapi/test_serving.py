"""Where the document is served: where its author says, else in development only."""

import gzip
import sys

import pytest

from penstock import APIKey, App, Compression, Depends, OAuth2Password, Request, Response, TestClient
from penstock.errors import RouteConflict
from penstock.http.json import loads
from tests.server.harness import serve


def app_with(**about) -> App:
    app = App(**about)
    app.get("/hello")(lambda: "hello")
    return app


class TestServed:
    def test_where_the_author_says(self):
        with TestClient(app_with(openapi_url="/api/v1.json")) as client:
            reply = client.get("/api/v1.json")

        assert reply.status == 200
        assert reply.headers["content-type"] == "application/json"
        assert loads(reply.content) == app_with().openapi()

    def test_it_says_nothing_of_itself_and_the_list_of_routes_does(self):
        app = app_with(openapi_url="/openapi.json")

        assert list(app.openapi()["paths"]) == ["/hello"]
        assert [row.path for row in app.routes()] == ["/hello", "/openapi.json"]

    def test_with_an_entity_tag(self):
        with TestClient(app_with(openapi_url="/openapi.json")) as client:
            first = client.get("/openapi.json")
            again = client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
            other = client.get("/openapi.json", headers={"If-None-Match": '"other"'})
            head = client.head("/openapi.json")

        assert (again.status, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert (other.status, other.content) == (200, first.content)
        assert (head.status, head.content, head.headers["content-length"]) == (
            200,
            b"",
            str(len(first.content)),
        )

    def test_compressed_for_those_who_ask_and_known_again(self):
        app = App(openapi_url="/openapi.json", description="x" * 5000, compression=Compression())
        accept = {"Accept-Encoding": "gzip"}

        with TestClient(app) as client:
            plain = client.get("/openapi.json")
            coded = client.get("/openapi.json", headers=accept)
            known = {**accept, "If-None-Match": coded.headers["etag"]}
            again = client.get("/openapi.json", headers=known)

        assert (coded.headers["content-encoding"], again.status) == ("gzip", 304)
        assert gzip.decompress(coded.content) == plain.content
        assert "content-encoding" not in plain.headers

    def test_behind_the_hooks_of_the_application(self):
        class Guard:
            def before(self, request: Request) -> Response | None:
                return None if "authorization" in request.headers else Response(b"no", 401)

        app = App(openapi_url="/openapi.json", hooks=[Guard()])

        with TestClient(app) as client:
            assert client.get("/openapi.json").status == 401
            assert client.get("/openapi.json", headers={"Authorization": "x"}).status == 200

    def test_a_route_of_the_author_at_the_same_path_is_a_conflict(self):
        app = App(openapi_url="/openapi.json")
        app.get("/openapi.json")(lambda: "mine")

        with pytest.raises(RouteConflict):
            app.compile()


class TestNotServed:
    @pytest.mark.parametrize("about", [{}, {"openapi_url": None}])
    def test_unless_said(self, about):
        with TestClient(app_with(**about)) as client:
            assert client.get("/openapi.json").status == 404

    def test_nothing_is_imported_for_it(self):
        code = (
            "import sys; from penstock import App; app = App(title='a', openapi_url='/openapi.json'); app.compile();"
            "print(*[name for name in sys.modules if name.startswith('penstock.app.openapi')])"
        )
        import subprocess

        printed = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout

        assert set(printed.split()) == {
            f"penstock.app.openapi{name}" for name in ("", ".about", ".own_routes", ".serving")
        }


class TestDevelopment:
    def test_serves_it_without_being_told(self):
        with serve(app_with(), development=True) as server:
            reply = server.ask("/openapi.json")

        assert reply.status == 200
        assert loads(reply.content)["paths"].keys() == {"/hello"}

    def test_serves_it_even_when_the_application_was_compiled_before(self):
        app = app_with()
        assert app.url_for("<lambda>") == "/hello"

        with serve(app, development=True) as server:
            assert server.ask("/openapi.json").status == 200

    def test_gives_way_to_any_route_of_the_author(self):
        app = App()
        app.get("/{file:path}")(lambda file: f"mine: {file}")

        with serve(app, development=True) as server:
            assert server.ask("/openapi.json").content == b"mine: openapi.json"

    def test_serves_nothing_when_told_not_to(self):
        with serve(app_with(openapi_url=None), development=True) as server:
            assert server.ask("/openapi.json").status == 404

    def test_below_a_prefix_the_paths_are_relative_to_it(self):
        with serve(app_with(openapi_url="/openapi.json"), root_path="/shop") as server:
            reply = server.ask("/openapi.json")

        assert loads(reply.content)["servers"] == [{"url": "/shop"}]

    def test_below_a_prefix_tokens_are_had_there_too(self):
        app = app_with(openapi_url="/openapi.json")
        scheme = OAuth2Password("/token", refresh_url="https://login.example/again", scopes={"read": "Read"})
        app.get("/me", dependencies=[Depends(scheme)])(lambda: "me")
        app.get("/key", dependencies=[Depends(APIKey(header="X-Key"))])(lambda: "key")

        with serve(app, root_path="/shop") as server:
            described = loads(server.ask("/openapi.json").content)["components"]["securitySchemes"]

        assert described["oauth2Password"]["flows"]["password"] == {
            "tokenUrl": "/shop/token",
            "refreshUrl": "https://login.example/again",
            "scopes": {"read": "Read"},
        }
        assert described.keys() == app.openapi()["components"]["securitySchemes"].keys()
        assert (
            app.openapi()["components"]["securitySchemes"]["oauth2Password"]["flows"]["password"]["tokenUrl"]
            == "/token"
        )
