"""An application that answers what the sample document describes, with pages about it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from penstock import App, Body, BodyStream, EventStream, Header, HTTPError, JSONResponse, Request
from penstock.app.docs.routes import docs_router
from tests.app.docs.document import DOCUMENT
from tests.server.harness import serve


def make_app(ui: str = "penstock", document: Any = DOCUMENT, docs: str = "/docs", **options: Any) -> App:
    app = App(**options)
    app.state.said = []

    @app.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        return document

    @app.get("/pumps")
    def list_pumps(request: Request, limit: int = 10) -> dict[str, Any]:
        return {"limit": limit, "query": request.raw_query.decode(), "trace": request.headers.get("x-trace")}

    @app.post("/pumps", status=201)
    def add_pump(request: Request, pump: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        sent = request.headers.get("authorization") or request.headers.get("x-key")
        if sent is None:
            raise HTTPError(401, "who are you?")
        return {"pump": pump, "sent": sent}

    @app.get("/pumps/{pump_id}")
    def show_pump(pump_id: int) -> dict[str, Any]:
        return {"pump": pump_id}

    @app.post("/photos")
    def add_photo(request: Request, stream: BodyStream) -> dict[str, Any]:
        content = b"".join(stream)
        return {
            "type": request.headers["content-type"],
            "octets": len(content),
            "holds": b"inside" in content,
        }

    @app.post("/token")
    def token(stream: BodyStream) -> JSONResponse:
        content = b"".join(stream)
        if b"password=right" not in content or b"grant_type=password" not in content:
            return JSONResponse({"error": "invalid_grant", "error_description": "wrong password"}, 400)
        return JSONResponse({"access_token": "t0ken", "token_type": "bearer"})

    @app.get("/events")
    def events(last_event_id: Annotated[str | None, Header()] = None) -> EventStream:
        async def tell() -> Any:
            import asyncio

            yield {"pump": "first"}
            await asyncio.Event().wait()

        return EventStream(tell())

    app.include(docs_router(docs, ui, "/openapi.json", lambda: document))
    return app


@pytest.fixture(scope="module")
def tab(browser):
    with browser.open_page() as opened:
        yield opened


@pytest.fixture
def page(tab):
    """One tab for all tests of a module, emptied before each: a new one takes as long as all else in a test."""
    tab.forget()
    return tab


@pytest.fixture(scope="module")
def run_docs():
    """`with run_docs("swagger") as url:` serves the application; its page is at `{url}/docs`."""
    from contextlib import contextmanager

    @contextmanager
    def run(
        ui: str = "penstock", document: Any = DOCUMENT, docs: str = "/docs", *, settings=None, **options: Any
    ):
        with serve(make_app(ui, document, docs, **options), **(settings or {})) as server:
            yield f"http://127.0.0.1:{server.port}"

    return run
