"""Where pages are, what their files and policies say, and how they are switched off."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock import App, Request, Response, TestClient
from penstock.app.docs import kinds
from penstock.app.docs.page import policy, render_page
from penstock.errors import ApplicationError, MissingExtra, RouteConflict
from tests.server.harness import serve


def app_with(**about):
    app = App(**about)
    app.get("/hello")(lambda: "hello")
    return app


@pytest.fixture
def without_extra(monkeypatch):
    monkeypatch.setattr(kinds, "foreign_folder", lambda: None)


class TestWhere:
    def test_development_has_one_without_being_told(self):
        with serve(app_with(), development=True) as server:
            reply = server.ask("/docs")

        assert reply.status == 200
        assert b'data-document="openapi.json"' in reply.content

    @pytest.mark.parametrize("about", [{}, {"openapi_url": "/openapi.json"}, {"docs_url": None}])
    def test_production_has_none_unless_told(self, about):
        with TestClient(app_with(**about)) as client:
            assert client.get("/docs").status == 404

    def test_a_page_that_was_asked_for_brings_the_document(self):
        with TestClient(app_with(docs_url="/help", docs_ui="penstock")) as client:
            assert client.get("/help").status == 200
            assert client.get("/openapi.json").json()["paths"].keys() == {"/hello"}
            assert client.get("/docs").status == 404

    def test_three_kinds_stand_side_by_side(self):
        pytest.importorskip("offapi")
        with TestClient(app_with(docs_url="/docs", redoc_url="/redoc", scalar_url="/scalar")) as client:
            for path, script in (("/docs", "swagger"), ("/redoc", "redoc"), ("/scalar", "scalar")):
                assert f'src="{path[1:]}/own/{script}.js"' in client.get(path).text
                assert client.get(f"{path}/own/{script}.js").status == 200

    @pytest.mark.parametrize("about", [{"docs_url": None}, {"openapi_url": None}])
    def test_it_can_be_switched_off_in_development(self, about):
        with serve(app_with(**about), development=True) as server:
            assert server.ask("/docs").status == 404

    @pytest.mark.parametrize("path", ["/docs", "/docs/{rest:path}", "/{rest:path}"])
    def test_in_development_it_gives_way_to_a_route_of_the_author_as_a_whole(self, path):
        app = App(docs_ui="penstock")
        app.get(path)(lambda: "mine")

        with serve(app, development=True) as server:
            assert b"data-document" not in server.ask("/docs").content
            assert server.ask("/docs/own/page.js").content == (
                b"mine" if "rest" in path else server.ask("/none").content
            )

    def test_one_that_was_asked_for_conflicts_with_a_route_of_the_author(self):
        app = App(docs_url="/docs", docs_ui="penstock")
        app.get("/docs")(lambda: "mine")

        with pytest.raises(RouteConflict):
            app.compile()

    def test_the_list_of_routes_has_it_and_the_document_does_not(self):
        app = app_with(docs_url="/docs", docs_ui="penstock")

        paths = [row.path for row in app.routes()]

        assert paths[:3] == ["/hello", "/openapi.json", "/docs"]
        assert "/docs/own/page.js" in paths
        assert list(app.openapi()["paths"]) == ["/hello"]

    def test_hooks_of_the_application_stand_before_it(self):
        class Guard:
            def before(self, request: Request) -> Response | None:
                return None if "authorization" in request.headers else Response(b"no", 401)

        with TestClient(App(docs_url="/docs", docs_ui="penstock", hooks=[Guard()])) as client:
            for path in ("/docs", "/docs/own/page.js"):
                assert client.get(path).status == 401
                assert client.get(path, headers={"Authorization": "x"}).status == 200

    @pytest.mark.parametrize(
        ("about", "told"),
        [
            ({"docs_url": "docs"}, "docs_url='docs': expected a path"),
            ({"redoc_url": 3}, "redoc_url=3: expected a path"),
            ({"docs_ui": "swag"}, "docs_ui='swag': expected one of 'auto'"),
            (
                {"docs_url": "/docs", "openapi_url": None},
                "docs_url='/docs' shows the document, which openapi_url=None",
            ),
        ],
    )
    def test_a_mistake_is_told_at_once(self, about, told):
        with pytest.raises(ApplicationError, match=told):
            App(**about)

    def test_an_application_without_one_imports_nothing_for_it(self):
        code = (
            "import sys; from penstock import App; app = App(title='a', openapi_url='/openapi.json'); app.compile();"
            "print(*[name for name in sys.modules if name.startswith('penstock.app.docs')])"
        )

        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

        assert done.stdout.split() == []


class TestExtra:
    def test_without_it_the_page_is_our_own(self, without_extra):
        with TestClient(app_with(docs_url="/docs")) as client:
            assert "own/page.js" in client.get("/docs").text

    @pytest.mark.parametrize("about", [{"docs_url": "/docs", "docs_ui": "swagger"}, {"redoc_url": "/redoc"}])
    def test_without_it_a_page_that_needs_it_names_it_at_start_up(self, without_extra, about):
        with pytest.raises(MissingExtra, match=r"penstock\[docs\]"):
            app_with(**about).compile()

    def test_of_its_files_only_those_a_page_needs_are_served(self):
        pytest.importorskip("offapi")
        with TestClient(app_with(docs_url="/docs", docs_ui="swagger")) as client:
            assert client.get("/docs/ui/swagger_bundle.js").status == 200
            for name in ("redoc.js", "__init__.py", "templates.py", "", "%2e%2e/offapi/redoc.js"):
                assert client.get(f"/docs/ui/{name}").status == 404


class TestFiles:
    @pytest.fixture
    def client(self):
        with TestClient(app_with(docs_url="/docs", docs_ui="penstock")) as client:
            yield client

    def test_they_are_the_whole_folder_with_the_pages_of_others(self):
        used = {name for kind in kinds.KINDS.values() for name in (kind.script, *kind.own)}

        assert used == {path.name for path in kinds.OWN_FOLDER.iterdir()}

    def test_they_are_asked_for_again_and_need_not_be_sent_again(self, client):
        first = client.get("/docs/own/page.js")
        again = client.get("/docs/own/page.js", headers={"If-None-Match": first.headers["etag"]})

        assert first.headers["content-type"].startswith("text/javascript")
        assert first.headers["cache-control"] == "no-cache"
        assert again.status == 304

    def test_the_policy_lets_no_other_host_in(self, client):
        said = client.get("/docs").headers["content-security-policy"]

        assert said == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        )

    def test_the_policy_names_the_hosts_the_document_names(self):
        app = app_with(
            docs_url="/docs",
            docs_ui="penstock",
            servers=[
                "https://api.example.org/v1",
                "/here",
                "https://evil.example;script-src *",
                "ftp://example.net",
            ],
        )
        with TestClient(app) as client:
            said = client.get("/docs").headers["content-security-policy"]

        assert "connect-src 'self' https://api.example.org;" in said
        assert "evil" not in said

    def test_the_policy_names_where_tokens_are_had(self):
        flows = {"password": {"tokenUrl": "https://login.example/token", "scopes": {}}}
        document = {"components": {"securitySchemes": {"login": {"type": "oauth2", "flows": flows}}}}

        assert "connect-src 'self' https://login.example;" in policy(kinds.KINDS["penstock"], document)

    @pytest.mark.parametrize(
        ("path", "document", "expected"),
        [
            ("/docs", "/openapi.json", ("openapi.json", ".", "docs/own/page.js")),
            ("/a/b/docs", "/a/openapi.json", ("../openapi.json", "../..", "docs/own/page.js")),
            ("/", "/openapi.json", ("openapi.json", ".", "own/page.js")),
            ("/a/", "/openapi.json", ("../openapi.json", "..", "own/page.js")),
        ],
    )
    def test_every_address_is_relative_to_the_page(self, path, document, expected):
        html = render_page(path, document, kinds.KINDS["penstock"], "t")

        assert f'data-document="{expected[0]}" data-root="{expected[1]}"' in html
        assert f'src="{expected[2]}"' in html

    def test_a_title_is_text(self):
        html = render_page("/docs", "/openapi.json", kinds.KINDS["penstock"], "<script>\"'&")

        assert "<title>&lt;script&gt;&quot;&#x27;&amp;</title>" in html
