"""EventStream and Event: what is sent for what a source gives, and what is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from penstock.errors import LocalProtocolError
from penstock.http.event_stream import EventStream
from penstock.http.events import Event, encode_item
from penstock.http.request import Request
from penstock.http.response import StreamResponse


@dataclass
class Reading:
    level: float


@pytest.mark.parametrize(
    ("item", "octets"),
    [
        ("text", b"data: text\n\n"),
        ("two\nlines", b"data: two\ndata: lines\n\n"),
        ("", b"data: \n\n"),
        ({"n": 1}, b'data: {"n":1}\n\n'),
        ([1, "ü"], 'data: [1,"ü"]\n\n'.encode()),
        (7, b"data: 7\n\n"),
        (None, b"data: null\n\n"),
        (Reading(0.5), b'data: {"level":0.5}\n\n'),
        (Event("text"), b"data: text\n\n"),
        (Event({"n": 1}, event="count"), b'event: count\ndata: {"n":1}\n\n'),
        (Event("x", id="7", retry_ms=100), b"id: 7\nretry: 100\ndata: x\n\n"),
        (Event(id="8"), b"id: 8\n\n"),
        (Event(comment="a\nb"), b": a\n: b\n\n"),
        (Event("x", comment="why"), b": why\n\ndata: x\n\n"),
        (Event(""), b"data: \n\n"),
    ],
)
def test_an_item_becomes_an_event(item: object, octets: bytes):
    assert encode_item(item) == octets


@pytest.mark.parametrize("item", [b"octets", object(), Event(b"octets")])
def test_what_is_neither_text_nor_json_is_refused(item: object):
    with pytest.raises(TypeError):
        encode_item(item)


@pytest.mark.parametrize("event", [Event(), Event("x", id="a\nb"), Event("x", event="a\nb")])
def test_an_event_that_would_break_the_stream_is_refused(event: Event):
    with pytest.raises(LocalProtocolError):
        event.encode()


def test_a_response_says_that_it_is_neither_to_be_kept_nor_held_back():
    response = EventStream([])

    assert isinstance(response, StreamResponse)
    assert response.media_type == "text/event-stream"
    assert response.headers.items() == [("cache-control", "no-cache"), ("x-accel-buffering", "no")]


def test_the_fields_may_be_chosen():
    response = EventStream([], status=201, headers={"Cache-Control": "no-store", "X-Own": "1"})

    assert response.status == 201
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-own"] == "1"


@pytest.mark.parametrize("source", ["text", b"octets", {"a": 1}, None, 5])
def test_a_source_that_is_no_iterator_is_refused_at_once(source: object):
    with pytest.raises(TypeError, match="EventStream takes an iterator"):
        EventStream(source)  # type: ignore[arg-type]


def test_a_generator_function_that_was_not_called_is_told():
    def source():
        yield "x"

    with pytest.raises(TypeError, match="call the function"):
        EventStream(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"retry_ms": -1}, {"retry_ms": "1"}, {"ping_interval_s": -1}])
def test_amounts_that_are_none_are_refused(options: dict[str, object]):
    with pytest.raises((LocalProtocolError, ValueError)):
        EventStream([], **options)  # type: ignore[arg-type]


def test_the_pieces_of_a_plain_source_are_events_after_the_retry():
    assert list(EventStream(["a"], retry_ms=5).content) == [b"retry: 5\n\n", b"data: a\n\n"]  # type: ignore[arg-type]


def test_the_pieces_of_an_async_source_are_events_after_the_retry():
    class Source:  # an iterable, of which each iteration is a generator
        async def __aiter__(self):
            yield "a"

    async def collect():
        return [piece async for piece in EventStream(Source(), retry_ms=5).content]  # type: ignore[union-attr]

    assert asyncio.run(collect()) == [b"retry: 5\n\n", b"data: a\n\n"]


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ([], None),
        ([("Last-Event-ID", "7")], "7"),
        ([("Last-Event-ID", "")], None),
        ([("Last-Event-ID", "ü".encode().decode("latin-1"))], "ü"),
    ],
)
def test_a_request_tells_the_last_event(fields: list[tuple[str, str]], value: str | None):
    assert Request.build(headers=fields).last_event_id == value
