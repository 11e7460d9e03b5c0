"""Event streams over sockets: pings, clients that leave, slow readers, the end of the server."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock.http.event_stream import EventStream
from penstock.http.events import Event
from penstock.http.request import Request
from penstock.http.response import StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until

FORMS = ["sync", "async"]
LEAVES = ["close", "reset", "end"]
PING = b": ping\n\n"
NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="none")
OK = endpoint("inline", lambda request: TextResponse("ok"))


class Source:
    """Gives some items, waits for a gate, gives some more; knows how it ended."""

    def __init__(self, form: str, before: int = 0, after: int = 0, padding: str = "") -> None:
        self.form = form
        self.before = before
        self.after = after
        self.padding = padding
        self.gate = Gate()
        self.closed = threading.Event()

    def events(self) -> Any:
        return self._later() if self.form == "async" else self._now()

    async def _later(self) -> AsyncIterator[str]:
        try:
            for number in range(self.before):
                yield f"before {number}{self.padding}"
            await self.gate.wait_async()
            for number in range(self.after):
                yield f"after {number}"
        finally:
            self.closed.set()

    def _now(self) -> Iterator[str]:
        try:
            for number in range(self.before):
                yield f"before {number}{self.padding}"
            self.gate.wait()
            for number in range(self.after):
                yield f"after {number}"
        finally:
            self.closed.set()


def stream(source: Source, **options: Any) -> Any:
    return endpoint("inline", lambda request: EventStream(source.events(), **options))


def read_until(client: Any, words: bytes) -> None:
    while words not in client.octets:
        assert client.receive(), f"the stream ended before {words!r}: {client.octets[-200:]!r}"


@pytest.mark.parametrize("form", FORMS)
def test_events_arrive_as_they_are_made_and_the_connection_is_kept(form: str):
    source = Source(form, before=2, after=1)
    with serve({"/": stream(source, retry_ms=10), "/ok": OK}) as server, server.connect() as client:
        client.send(request("/"))
        read_until(client, b"data: before 1\n\n")

        assert b"after" not in client.octets
        source.gate.open()
        reply = client.take()

        assert reply and reply.get("content-type") == "text/event-stream"
        assert reply.get("cache-control") == "no-cache"
        assert reply.content == b"retry: 10\n\ndata: before 0\n\ndata: before 1\n\ndata: after 0\n\n"
        assert client.ask("/ok").content == b"ok"


@pytest.mark.parametrize("form", FORMS)
def test_a_silent_source_is_pinged_for_and_not_disturbed(form: str):
    source = Source(form, after=2)
    with serve({"/": stream(source, ping_interval_s=0.02)}) as server, server.connect(request("/")) as client:
        read_until(client, PING)
        client.octets = client.octets.replace(PING, b"", 1)
        read_until(client, PING)
        source.gate.open()
        read_until(client, b"0\r\n\r\n")

        assert b"data: after 0\n\n" in client.octets
        assert b"data: after 1\n\n" in client.octets
        assert source.gate.count == 1


def test_who_speaks_often_is_not_pinged():
    async def ticks() -> AsyncIterator[int]:
        for number in range(50):
            yield number
            await asyncio.sleep(0.01)

    route = endpoint("inline", lambda request: EventStream(ticks(), ping_interval_s=0.3))
    with serve({"/": route}) as server:
        # A machine that stands still for 0.3 s is silent, too; it does not do that each time.
        assert any(PING not in server.ask("/").content for _ in range(10))


def test_no_pings_when_none_are_wanted():
    source = Source("async", after=1)
    with serve({"/": stream(source, ping_interval_s=0)}) as server, server.connect(request("/")) as client:
        source.gate.wait_reached()
        stream_of = server.connections[0].stream

        assert stream_of._timer is None
        source.gate.open()
        read_until(client, b"after 0")


@pytest.mark.parametrize("leave", LEAVES)
@pytest.mark.parametrize("before", [0, 3])
def test_a_client_that_leaves_in_the_silence_ends_an_async_source_at_once(leave: str, before: int):
    source = Source("async", before)
    with serve({"/": stream(source), "/ok": OK}) as server:
        client = server.connect(request("/"))
        source.gate.wait_reached()

        getattr(client, leave)()

        assert source.closed.wait(20)
        client.close()
        server.wait_idle()
        assert server.ask("/ok").status == 200


@pytest.mark.parametrize("leave", LEAVES)
def test_a_plain_source_is_closed_when_its_thread_comes_back(leave: str):
    source = Source("sync", after=1000)
    with serve({"/": stream(source), "/ok": OK}) as server:
        client = server.connect(request("/"))
        source.gate.wait_reached()

        getattr(client, leave)()
        wait_until(lambda: not server.connections or not server.connections[0].stream, "it is noticed")
        assert not source.closed.is_set()
        source.gate.open()

        assert source.closed.wait(20)
        client.close()
        server.wait_idle()


@pytest.mark.parametrize("form", FORMS)
def test_head_and_http_1_0(form: str):
    with serve({"/": endpoint("inline", lambda request: EventStream(Source(form).events()))}) as server:
        reply = server.ask("/", method="HEAD")

        assert (reply.status, reply.get("content-type")) == (200, "text/event-stream")
    source = Source(form, before=1)
    source.gate.open()
    with serve({"/": stream(source)}) as server:
        with server.connect(request("/", version="1.0")) as client:
            octets = client.take_all()

    assert b"chunked" not in octets
    assert octets.endswith(b"\r\n\r\ndata: before 0\n\n")


@pytest.mark.parametrize("form", FORMS)
def test_thousands_of_events_to_a_reader_that_is_slow(form: str):
    count = 10_000
    source = Source(form, before=count, padding="." * 1000)
    source.gate.open()
    with serve({"/": stream(source, ping_interval_s=0.01)}) as server:
        with server.connect(receive_buffer_bytes=65_536) as client:
            client.send(request("/", version="1.0"))
            wait_until(lambda: server.connections and server.connections[0].unsent, "the reader is behind")
            octets = client.take_all()

    events = octets.partition(b"\r\n\r\n")[2].replace(PING, b"").split(b"\n\n")
    assert events == [*(b"data: before %d%b" % (number, b"." * 1000) for number in range(count)), b""]


@pytest.mark.parametrize("form", FORMS)
def test_a_reader_that_is_behind_gets_no_pings_on_top(form: str):
    source = Source(form, before=1_000_000, padding="." * 1000)
    with serve({"/": stream(source, ping_interval_s=0.01)}) as server:
        with server.connect(receive_buffer_bytes=4096) as client:
            client.send(request("/"))
            wait_until(lambda: server.connections and server.connections[0].unsent, "the reader is behind")
            connection = server.connections[0]
            held = len(connection.unsent)
            later = threading.Event()
            server.call(server.reactor.loop.call_later, 0.1, later.set)
            assert later.wait(20)

            assert len(connection.unsent) <= held
    assert source.closed.wait(20)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("item", [b"octets", Event("x", id="a\nb")], ids=["octets", "split"])
def test_an_item_that_cannot_be_sent_cuts_the_stream_and_is_logged(form: str, item: Any):
    async def later() -> AsyncIterator[Any]:
        yield "good"
        yield item

    def events() -> Any:
        return later() if form == "async" else iter(["good", item])

    with serve({"/": endpoint("inline", lambda request: EventStream(events()))}, faults=True) as server:
        with server.connect(request("/")) as client:
            octets = client.take_all()

        assert b"data: good" in octets
        assert b"0\r\n\r\n" not in octets
        assert len(server.log.tracebacks()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_source_runs_in_the_context_of_the_handler_and_keeps_its_own(form: str):
    async def later() -> AsyncIterator[str]:
        for number in range(3):
            yield NAME.get()
            NAME.set(f"{number}")

    def now() -> Iterator[str]:
        for number in range(3):
            yield NAME.get()
            NAME.set(f"{number}")

    def call(request: Request) -> EventStream:
        NAME.set("handler")
        return EventStream(later() if form == "async" else now())

    with serve({"/": endpoint("inline", call)}) as server:
        assert server.ask("/").content == b"data: handler\n\ndata: 0\n\ndata: 1\n\n"


def test_plain_sources_go_on_when_the_pool_is_full():
    gate = Gate()
    blocked = endpoint("thread", lambda request: gate.wait() or TextResponse("done"))
    source = Source("sync", before=3)
    source.gate.open()
    with serve({"/": stream(source), "/blocked": blocked}, threads=1, queue_limit=1) as server:
        with server.connect(request("/blocked")) as first, server.connect(request("/blocked")) as second:
            gate.wait_reached()
            with server.connect(request("/")) as client:
                read_until(client, b"event-stream")
                gate.open()
                read_until(client, b"before 2")
                assert [first.take().status, second.take().status] == [200, 200]  # type: ignore[union-attr]


@pytest.mark.parametrize("form", FORMS)
def test_a_server_that_stops_ends_the_stream_in_order(form: str):
    source = Source(form, before=2)
    with serve({"/": stream(source)}, drain_timeout_s=0.2) as server:
        with server.connect(request("/")) as client:
            source.gate.wait_reached()
            read_until(client, b"before 1")

            server.begin_stop()
            reply = client.take()  # up to the last chunk: complete

            assert reply and reply.content == b"data: before 0\n\ndata: before 1\n\n"
            assert client.ends()
            source.gate.open()
            assert source.closed.wait(20)
        server.join()
        assert not server.log.messages("the stream failed")


def test_other_streams_are_cut_when_the_server_stops():
    source = Source("async", before=1)
    route = endpoint("inline", lambda request: StreamResponse(source.events()))
    with serve({"/": route}, drain_timeout_s=0.1) as server, server.connect(request("/")) as client:
        source.gate.wait_reached()

        server.begin_stop()

        assert b"0\r\n\r\n" not in client.take_all()
        server.join()


def test_a_source_may_end_by_itself_when_it_is_told():
    async def ticks(request: Request) -> AsyncIterator[Event]:
        for number in itertools.count():
            if request.draining:
                yield Event("bye", retry_ms=1)
                return
            yield Event(number, id=str(number))
            await asyncio.sleep(0.01)

    route = endpoint("inline", lambda request: EventStream(ticks(request)))
    with serve({"/": route}, drain_timeout_s=60) as server, server.connect(request("/")) as client:
        read_until(client, b"id: 2\n")

        server.begin_stop()
        reply = client.take()

        assert reply and reply.content.endswith(b"retry: 1\ndata: bye\n\n")
        client.close()
        server.join()


def test_a_hundred_silent_streams_do_not_keep_the_server():
    sources = [Source("async") for _ in range(100)]
    made = iter(sources)
    route = endpoint("inline", lambda request: EventStream(next(made).events()))
    with serve({"/": route}, drain_timeout_s=0.1) as server:
        clients = [server.connect(request("/")) for _ in sources]
        for source in sources:
            source.gate.wait_reached()

        server.begin_stop()
        server.join()

        assert all(source.closed.is_set() for source in sources)
        for client in clients:
            assert client.take() is not None
