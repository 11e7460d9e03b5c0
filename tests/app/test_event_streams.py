"""Event streams of an App: what a handler may return, hooks, and the App as an ASGI application."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import pytest

from penstock import App, Compression, Event, EventStream, Request, Response
from tests.app.test_asgi import call, content_of, fields_of
from tests.codings import Decoder, decode

PING = b": ping\n\n"


@pytest.fixture
def app():
    app = App()

    @app.get("/returned")
    async def returned(request: Request) -> EventStream:
        async def events():
            yield Event("x", id="7")
            yield {"last": request.last_event_id}

        return EventStream(events(), headers={"X-Own": "1"})

    @app.get("/annotated")
    async def annotated() -> EventStream:
        yield "x"

    @app.get("/events")
    async def events() -> AsyncIterator[Event]:
        yield Event("x")

    @app.get("/generator")
    async def generator() -> AsyncGenerator[Event | str, None]:
        yield "x"

    @app.get("/plain")
    def plain() -> Iterator[Event]:
        yield Event("x")

    @app.get("/text")
    async def text() -> AsyncIterator[str]:
        yield "x"

    @app.get("/created", status=201)
    def created() -> Iterator[Event]:
        yield Event("x")

    return app


@pytest.mark.parametrize("path", ["/annotated", "/events", "/generator", "/plain"])
def test_a_generator_that_is_annotated_to_yield_events_is_a_stream_of_them(app, path):
    sent = call(app, path=path)

    assert fields_of(sent)[b"content-type"] == b"text/event-stream"
    assert fields_of(sent)[b"cache-control"] == b"no-cache"
    assert content_of(sent) == b"data: x\n\n"


def test_a_generator_of_text_is_none(app):
    assert fields_of(call(app, path="/text"))[b"content-type"] == b"text/plain; charset=utf-8"


def test_the_status_of_the_route_is_kept(app):
    assert call(app, path="/created")[0]["status"] == 201


def test_a_stream_that_is_returned_has_its_own_fields_and_sees_the_last_event(app):
    sent = call(app, path="/returned", headers=[(b"last-event-id", b"6")])

    assert fields_of(sent)[b"x-own"] == b"1"
    assert content_of(sent) == b'id: 7\ndata: x\n\ndata: {"last":"6"}\n\n'


def test_head_is_answered_without_content(app):
    sent = call(app, "HEAD", path="/returned")

    assert fields_of(sent)[b"content-type"] == b"text/event-stream"
    assert content_of(sent) == b""


def test_hooks_see_the_stream_and_may_change_its_fields(app):
    @app.after
    def name(request: Request, response: Response) -> None:
        response.headers["X-Kind"] = type(response).__name__

    assert fields_of(call(app, path="/annotated"))[b"x-kind"] == b"EventStream"


@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_silent_source_is_pinged_for_under_another_server(form):
    app = App()
    gate = threading.Event()

    @app.get("/")
    async def stream() -> EventStream:
        async def later():
            yield "first"
            await asyncio.to_thread(gate.wait, 20)
            yield "last"

        def now():
            yield "first"
            gate.wait(20)
            yield "last"

        return EventStream(later() if form == "async" else now(), ping_interval_s=0.01)

    pings = []

    class Watching(App):
        async def __call__(self, scope, receive, send):
            async def watch(message):
                await send(message)
                pings.append(message.get("body") == PING)
                if sum(pings) == 3:
                    gate.set()

            await app(scope, receive, watch)

    sent = call(Watching())

    assert content_of(sent).replace(PING, b"") == b"data: first\n\ndata: last\n\n"


@pytest.mark.parametrize("form", ["sync", "async"])
def test_a_client_that_leaves_another_server_closes_the_source(form):
    app = App()
    waiting, closed, gate = threading.Event(), threading.Event(), threading.Event()

    @app.get("/")
    async def stream() -> EventStream:
        async def later():
            try:
                yield "first"
                waiting.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

        def now():
            try:
                yield "first"
                waiting.set()
                gate.wait(20)
                yield "late"
            finally:
                closed.set()

        return EventStream(later() if form == "async" else now())

    async def is_gone():
        await asyncio.to_thread(waiting.wait, 20)

    sent = call(app, is_gone=is_gone)
    gate.set()

    assert content_of(sent) == b"data: first\n\n"
    assert closed.wait(20)


@pytest.mark.parametrize("form", ["sync", "async"])
@pytest.mark.parametrize("accepted", [b"gzip", b"identity"])
def test_compressed_events_and_pings_under_another_server(form, accepted):
    app = App(compression=Compression(codings=["gzip"]))
    gate = threading.Event()

    @app.get("/")
    async def stream() -> EventStream:
        async def later():
            yield "first"
            await asyncio.to_thread(gate.wait, 20)
            yield "last"

        def now():
            yield "first"
            gate.wait(20)
            yield "last"

        return EventStream(later() if form == "async" else now(), ping_interval_s=0.01)

    coding = "gzip" if accepted == b"gzip" else None
    decoder = Decoder("gzip")
    pieces = []

    class Watching(App):
        async def __call__(self, scope, receive, send):
            async def watch(message):
                await send(message)
                body = message.get("body", b"")
                pieces.append(decoder.decode(body) if coding else body)
                if pieces.count(PING) == 3:
                    gate.set()

            await app(scope, receive, watch)

    sent = call(Watching(), headers=[(b"accept-encoding", accepted)])

    assert fields_of(sent).get(b"content-encoding") == (b"gzip" if coding else None)
    assert fields_of(sent)[b"vary"] == b"Accept-Encoding"
    assert decode(coding, content_of(sent)).replace(PING, b"") == b"data: first\n\ndata: last\n\n"
    assert pieces.count(PING) >= 3
