"""CORS, CSRF, FetchMetadata, SecurityHeaders as a browser enforces and obeys them. Two servers are two origins
of one site; `localhost` is another site than `127.0.0.1`.
"""

from __future__ import annotations

import pytest

from penstock import (
    CORS,
    CSRF,
    App,
    ETags,
    FetchMetadata,
    HTMLResponse,
    MethodOverride,
    Request,
    Response,
    SecurityHeaders,
    csrf_token,
)
from tests.server.harness import serve

HEAD = "<!doctype html><link rel=icon href='data:,'>"
SECRET = "a secret of thirty-two octets, or more"
ASK = """fetch(%r, %s).then(async reply => [reply.status, await reply.text(), reply.headers.get("x-count")],
                            error => [error.name])"""


def fetch(page, url, options="{}"):
    return page.evaluate(ASK % (url, options))


@pytest.fixture
def pages():
    """An origin that has nothing but an empty page."""
    app = App()

    @app.get("/")
    def empty() -> HTMLResponse:
        return HTMLResponse(f"{HEAD}<title>Page</title><body></body>")

    with serve(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_only_pages_of_the_origins_listed_read_answers(pages, page):
    seen = []
    app = App(hooks=[CORS([pages], headers=["X-Custom"], expose=["X-Count"], credentials=True)])
    app.before(lambda request: seen.append((request.method, request.headers.get("cookie"))))

    @app.get("/login")
    def login() -> Response:
        response = HTMLResponse(f"{HEAD}<title>Login</title>")
        response.set_cookie("who", "ada")
        return response

    @app.route("/data", ["GET", "PUT"])
    def data() -> Response:
        return Response("data", 200, {"X-Count": "3"})

    with serve(app) as server:
        api = f"http://127.0.0.1:{server.port}"
        page.goto(f"{api}/login")
        page.goto(pages)
        put = '{method: "PUT", headers: {"X-Custom": "1"}, credentials: "include"}'

        assert fetch(page, f"{api}/data") == [200, "data", "3"]
        assert fetch(page, f"{api}/data", put) == [200, "data", "3"]
        assert ("PUT", "who=ada") in seen
        # What fails can be read, too; what was not allowed cannot be sent.
        assert fetch(page, f"{api}/nothing")[0] == 404
        assert fetch(page, f"{api}/data", '{headers: {"X-Other": "1"}}') == ["TypeError"]

        count = len(seen)
        page.goto(pages.replace("127.0.0.1", "localhost"))
        assert fetch(page, f"{api}/data") == ["TypeError"]
        assert fetch(page, f"{api}/data", put) == ["TypeError"]
        assert [method for method, _ in seen[count:]] == ["GET"]  # the preflight was answered before it


def csrf_app(*hooks, **options):
    app = App(hooks=[*hooks, CSRF(SECRET, **options)])

    @app.get("/form")
    def form(request: Request) -> HTMLResponse:
        token = csrf_token(request)
        field = f'<input type=hidden name=csrf_token value="{token}"><input name=user>'
        meta = f'<meta name=csrf content="{token}">'
        return HTMLResponse(
            f"{HEAD}{meta}<title>Form</title><form method=post>{field}<button>Go</button></form>"
        )

    @app.post("/form")
    def take(request: Request) -> HTMLResponse:
        return HTMLResponse(f"{HEAD}<title>Taken</title><p>{request.form()['user']}")

    return app


SEND = """fetch("/form", {method: "POST", body: new URLSearchParams({user: "ada"}), headers:
    %s}).then(reply => reply.status)"""
WITH_TOKEN = '{"X-CSRF-Token": document.querySelector("meta").content}'


def test_a_form_with_its_token_is_taken_and_no_script_sees_the_cookie(page):
    with serve(csrf_app()) as server:
        page.goto(f"http://127.0.0.1:{server.port}/form")

        assert page.evaluate("document.cookie") == ""
        assert page.evaluate(SEND % WITH_TOKEN) == 200
        assert page.evaluate(SEND % "{}") == 403
        assert page.evaluate(SEND % '{"X-CSRF-Token": "A".repeat(40)}') == 403
        page.fill("input[name=user]", "größe")
        page.click("button")
        page.wait_for("document.title == 'Taken'")
        assert page.text("p") == "größe"


def test_a_cookie_for_this_host_alone_is_kept_by_a_browser(page):
    with serve(csrf_app(secure=True)) as server:
        page.goto(f"http://localhost:{server.port}/form")  # as good as HTTPS, for a browser

        cookies = page.ask("Network.getCookies")["cookies"]
        assert [(one["name"], one["secure"], one["httpOnly"], one["sameSite"]) for one in cookies] == [
            ("__Host-csrf", True, True, "Lax")
        ]
        page.fill("input[name=user]", "ada")
        page.click("button")
        page.wait_for("document.title == 'Taken'")


POST = """(() => {
    const form = document.createElement("form")
    form.method = "post"
    form.action = %r
    form.innerHTML = "<input name=user value=eve><input name=csrf_token value=%s>"
    document.body.append(form)
    form.submit()
})()"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("guard", ["CSRF", "FetchMetadata"])
def test_a_form_on_a_page_of_another_origin_is_refused(pages, page, host, guard):
    app = csrf_app() if guard == "CSRF" else App(hooks=[FetchMetadata()])
    taken = []
    if guard == "FetchMetadata":
        app.get("/form")(lambda: HTMLResponse(f"{HEAD}<title>Form</title><meta content=''>"))
        app.post("/form")(lambda: taken.append(1))

    with serve(app) as server:
        target = f"http://127.0.0.1:{server.port}/form"
        page.goto(target)
        token = page.evaluate("document.querySelector('meta').content")
        page.goto(pages.replace("127.0.0.1", host))
        page.evaluate(POST % (target, token))
        page.wait_for(
            "document.body.innerText.includes('another site') || document.body.innerText.includes('CSRF')"
        )

        assert "403" in page.evaluate("document.body.innerText")
        assert taken == []


def test_the_pages_own_form_needs_nothing_for_fetch_metadata(page):
    app = App(hooks=[FetchMetadata(), MethodOverride()])

    @app.get("/items/7")
    def form() -> HTMLResponse:
        hidden = "<input type=hidden name=_method value=DELETE>"
        return HTMLResponse(
            f"{HEAD}<title>Form</title><form method=post>{hidden}<button>Delete</button></form>"
        )

    @app.delete("/items/7")
    def delete() -> HTMLResponse:
        return HTMLResponse(f"{HEAD}<title>Deleted</title>")

    with serve(app) as server:
        page.goto(f"http://127.0.0.1:{server.port}/items/7")
        page.click("button")
        page.wait_for("document.title == 'Deleted'")


def test_a_policy_with_a_nonce_lets_the_pages_own_script_run_alone(pages, page):
    app = App(
        hooks=[SecurityHeaders(csp="default-src 'none'; script-src 'nonce-{nonce}'; connect-src 'self'")]
    )

    @app.get("/")
    def index(request: Request) -> HTMLResponse:
        own = f"<script nonce='{request.state.csp_nonce}'>document.title += 'own'</script>"
        return HTMLResponse(
            f"<!doctype html><title>:</title>{own}<script>document.title += 'foreign'</script>"
        )

    @app.get("/text")
    def text() -> str:
        return "document.title += 'text'"

    with serve(app) as server:
        site = f"http://127.0.0.1:{server.port}"
        page.goto(site)
        assert page.evaluate("document.title") == ":own"
        assert fetch(page, f"{site}/text")[0] == 200

        page.goto(pages)
        framed = f"Object.assign(document.createElement('iframe'), {{src: '{site}', onload: () => done()}})"
        page.evaluate(f"new Promise(done => document.body.replaceChildren({framed}))")
        # A page that may not be framed is a page of the browser's own: nothing of it can be reached.
        assert page.evaluate("document.querySelector('iframe').contentDocument") is None
        nosniff = f"""new Promise(done => {{
            const script = document.createElement("script")
            script.onload = () => done("ran")
            script.onerror = () => done("refused")
            script.src = "{site}/text"
            document.body.append(script)
        }})"""
        assert page.evaluate(nosniff) == "refused"
        assert page.evaluate("document.title") == "Page"


def test_a_page_that_has_not_changed_is_not_sent_again(page):
    app, statuses = App(), []
    app.after(lambda request, response: statuses.append(response.status))

    @app.get("/", hooks=[ETags()])
    def index() -> HTMLResponse:
        return HTMLResponse(f"{HEAD}<title>Index</title>", headers={"Cache-Control": "no-cache"})

    with serve(app) as server:
        for _ in range(2):
            page.goto(f"http://127.0.0.1:{server.port}/")
            assert page.evaluate("document.title") == "Index"
    assert statuses == [200, 304]
