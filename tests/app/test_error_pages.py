"""Problems as their clients prefer them, and what never is in one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import pytest

from penstock import App, Form, NotFound, Request, Response, UploadFile
from penstock.errors import ApplicationError
from tests.app.driver import content, send
from tests.server.harness import serve

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SECRET = "s3cret-pa55word"


def ask(app: App, accept: str | None, path: str = "/nowhere") -> Response:
    return send(app, "GET", path, headers=(("accept", accept),) if accept is not None else ())


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("text/html, application/json", "application/problem+json"),
        ("application/json, text/html;q=0.9", "application/problem+json"),
        ("image/png", "application/problem+json"),
        ("text/html;q=0", "application/problem+json"),
        ("broken", "application/problem+json"),
        (BROWSER, "text/html; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("TEXT/HTML", "text/html; charset=utf-8"),
        ("text/*;q=0.5, */*;q=0.1", "text/html; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain, text/html;q=0.5", "text/plain; charset=utf-8"),
    ],
)
def test_a_problem_takes_the_form_its_client_prefers(accept, media_type):
    reply = ask(App(), accept)

    assert (reply.status, reply.media_type) == (404, media_type)
    assert reply.headers["vary"] == "Accept"


def test_a_page_is_whole_escaped_and_loads_nothing():
    app = App()

    @app.get("/{name}")
    def handler(name: str) -> None:
        raise NotFound(f'no <{name}> & no "quote"', title="<b>", trace_id="<i>", headers={"Vary": "Origin"})

    reply = ask(app, BROWSER, "/%3Cscript%3E")
    page = reply.body.decode()

    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;" in page
    assert "no &lt;&lt;script&gt;&gt; &amp; no &quot;quote&quot;" in page
    assert "&lt;i&gt;" in page
    assert "<script" not in page
    assert "http" not in page
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["vary"] == "Origin, Accept"


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_every_fault_of_a_request_is_on_the_page(accept):
    app = App()

    @app.get("/")
    def handler(page: int, size: int) -> None: ...

    reply = ask(app, accept, "/?page=%3Cx%3E")

    assert reply.status == 422
    assert b"query.page" in reply.body
    assert b"query.size" in reply.body
    assert b"<x>" not in reply.body


def test_a_text_that_is_no_unicode_is_shown_all_the_same():
    app = App()

    @app.get("/")
    def handler() -> None:
        raise NotFound("no \udcff here")

    assert b"\\udcff" in ask(app, "text/html", "/").body


def test_pages_can_be_switched_off():
    reply = ask(App(error_pages=False), BROWSER)

    assert reply.media_type == "application/problem+json"
    assert reply.own_headers is None or "vary" not in reply.headers


def test_pages_can_be_the_applications_own():
    def page(request: Request, members: dict) -> str:
        return f"<h1>{request.path}: {members['status']}</h1>"

    app = App(error_pages=page)

    reply = ask(app, BROWSER)
    assert (reply.status, reply.body) == (404, b"<h1>/nowhere: 404</h1>")
    assert reply.media_type == "text/html; charset=utf-8"
    assert "content-security-policy" not in reply.headers
    assert ask(app, None).media_type == "application/problem+json"


def test_a_page_that_fails_is_a_500_and_logged(caplog):
    def page(request: Request, members: dict) -> str:
        raise ValueError(SECRET)

    reply = ask(App(error_pages=page), BROWSER)

    assert reply.status == 500
    assert SECRET.encode() not in reply.body
    assert SECRET in caplog.text


def test_the_pages_of_a_mounted_application_are_its_own():
    inner, outer = App(error_pages=lambda request, members: "inner"), App(error_pages=False)
    plain = App()
    for app in (inner, plain):
        app.get("/")(raise_not_found)
    outer.mount("/inner", inner)
    outer.mount("/plain", plain)

    assert ask(outer, BROWSER, "/inner/").body == b"inner"
    assert ask(outer, BROWSER, "/plain/").media_type == "application/problem+json"
    assert ask(outer, BROWSER, "/nowhere").media_type == "application/problem+json"


def raise_not_found() -> None:
    raise NotFound


def test_what_is_no_page_is_refused():
    with pytest.raises(ApplicationError, match="error_pages='yes'"):
        App(error_pages="yes")  # type: ignore[arg-type]


def test_an_exception_handler_comes_before_the_page():
    app = App()
    app.exception_handler(404)(lambda request, error: {"own": True})

    assert content(ask(app, BROWSER)) == {"own": True}


def failing_app() -> App:
    """Every kind of route, each failing with a secret in its exception."""
    app = App()

    def fail() -> None:
        raise ValueError(SECRET, {"password": SECRET}) from RuntimeError(SECRET)

    @app.get("/task")
    async def task(request: Request) -> None:
        fail()

    @app.get("/waiting")
    async def waiting() -> None:
        await asyncio.sleep(0)
        fail()

    @app.get("/thread")
    def thread() -> str:
        fail()
        return ""

    @app.get("/inline", run="inline")
    def inline() -> None:
        fail()

    @app.get("/typed")
    def typed(number: int = 1) -> dict:
        fail()
        return {}

    @app.get("/stream")
    def stream() -> Iterator[str]:
        fail()
        yield ""

    @app.get("/async-stream")
    async def async_stream() -> AsyncIterator[str]:
        fail()
        yield ""

    @app.get("/result")
    def result() -> object:
        return object()

    @app.post("/form")
    def form(name: Annotated[str, Form()]) -> None:
        fail()

    @app.post("/file")
    async def file(file: UploadFile) -> None:
        fail()

    @app.get("/handled")
    def handled() -> None:
        raise LookupError(SECRET)

    @app.exception_handler(LookupError)
    def handler(request: Request, error: LookupError) -> None:
        fail()

    @app.get("/exit")
    def leave() -> None:
        raise SystemExit(SECRET)

    @app.get("/hook")
    def hook() -> None: ...

    @app.before
    def before(request: Request) -> None:
        if request.path == "/hook":
            fail()

    return app


GETS = ("/task", "/waiting", "/thread", "/inline", "/typed", "/result", "/handled", "/exit", "/hook")


@pytest.fixture(scope="module")
def failing():
    with serve(failing_app(), faults=True) as server:
        yield server


@pytest.mark.parametrize("accept", ["*/*", BROWSER, "text/plain"])
def test_what_went_wrong_stays_inside_whatever_the_kind_of_the_route(failing, accept):
    field = f"Accept: {accept}"
    with failing.connect() as client:
        replies = [client.ask(path, "GET", field) for path in GETS]
        form = "Content-Type: application/x-www-form-urlencoded"
        replies.append(client.ask("/form", "POST", field, form, body=b"name=x"))
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--'
        form = "Content-Type: multipart/form-data; boundary=b"
        replies.append(client.ask("/file", "POST", field, form, body=part))

    for path, reply in zip((*GETS, "/form", "/file"), replies, strict=True):
        shown = reply.content.decode() + str(reply.fields)
        assert reply.status == 500, path
        assert "Internal Server Error" in shown
        for inside in (SECRET, "ValueError", "RuntimeError", "Traceback", ".py", "object at"):
            assert inside not in shown, (path, inside)
        if accept == "*/*":
            assert set(json.loads(reply.content)) == {"type", "title", "status", "trace_id"}


@pytest.mark.parametrize("path", ["/stream", "/async-stream"])
def test_a_stream_that_fails_says_nothing_of_it(failing, path):
    with failing.connect() as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\nAccept: text/html\r\n\r\n".encode())
        try:
            octets = client.take_all()
        except ConnectionResetError:
            octets = client.octets

    assert SECRET.encode() not in octets
