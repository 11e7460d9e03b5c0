"""What handlers return, sync and async, with and without a promise in the annotation."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import pytest

from penstock.app.application import App
from penstock.http.response import HTMLResponse, JSONResponse, Response, StreamResponse
from tests.app.driver import content, get

TEXT, OCTETS, JSON = "text/plain; charset=utf-8", "application/octet-stream", "application/json"


@dataclass
class Point:
    x: int
    y: float


class Colour(StrEnum):
    RED = "red"


RESULTS = [
    ("é", 200, TEXT, "é".encode()),
    ("", 200, TEXT, b""),
    (Colour.RED, 200, TEXT, b"red"),
    (b"\x00\xff", 200, OCTETS, b"\x00\xff"),
    (bytearray(b"x"), 200, OCTETS, b"x"),
    (memoryview(b"x"), 200, OCTETS, b"x"),
    ({"a": [1, None]}, 200, JSON, b'{"a":[1,null]}'),
    ([], 200, JSON, b"[]"),
    (Point(1, 2.5), 200, JSON, b'{"x":1,"y":2.5}'),
    ([Point(1, 2)], 200, JSON, b'[{"x":1,"y":2}]'),
    (7, 200, JSON, b"7"),
    (1.5, 200, JSON, b"1.5"),
    (True, 200, JSON, b"true"),
    (("body", 201), 200, JSON, b'["body",201]'),
    ({"k": UUID(int=1)}, 200, JSON, b'{"k":"00000000-0000-0000-0000-000000000001"}'),
    (datetime(2024, 1, 1, tzinfo=UTC), 200, JSON, b'"2024-01-01T00:00:00+00:00"'),
    (None, 204, None, b""),
]
PROMISES = [
    ...,
    str,
    bytes,
    dict,
    dict[str, int],
    list,
    int,
    bool,
    None,
    str | None,
    Response,
    Iterator[str],
    object,
]


@pytest.mark.parametrize("promise", PROMISES, ids=str)
@pytest.mark.parametrize(("value", "status", "media_type", "body"), RESULTS)
def test_a_value_means_the_same_whatever_was_promised_but_a_model(promise, value, status, media_type, body):
    app = App()

    def plain():
        return value

    async def coroutine():
        return value

    for path, handler in (("/plain", plain), ("/coroutine", coroutine)):
        if promise is not ...:
            handler.__annotations__["return"] = promise
        app.get(path)(handler)

    for path in ("/plain", "/coroutine"):
        response = get(app, path)

        assert (response.status, response.media_type, response.body) == (status, media_type, body)


@pytest.mark.parametrize("promise", [Point, list[Point]])
@pytest.mark.parametrize("value", ["text", b"octets", 7, True, {"a": 1}, [{"a": 1}], [7], object()])
def test_what_is_no_part_of_a_promised_model_is_not_sent(promise, value, caplog):
    app = App()

    def plain():
        return value

    plain.__annotations__["return"] = promise
    app.get("/")(plain)

    response = get(app, "/")

    assert response.status == 500
    assert caplog.records


@pytest.mark.parametrize(
    ("value", "status"), [("x", 201), ({}, 201), (b"", 201), (Point(1, 1), 201), (None, 201), (None, 202)]
)
def test_the_status_of_the_route_is_for_plain_values(value, status):
    app = App()
    app.get("/", status=status)(lambda: value)

    assert get(app, "/").status == status


@pytest.mark.parametrize(
    "made", [Response(b"x", 418), HTMLResponse("<p>"), JSONResponse({}), StreamResponse([b"x"])]
)
def test_a_response_is_itself(made):
    app = App()

    def promised() -> Response:
        return made

    app.get("/a", status=201)(lambda: made)
    app.get("/b", status=201)(promised)

    assert get(app, "/a") is made
    assert get(app, "/b") is made


def test_generators_are_streamed():
    app = App()

    @app.get("/sync", status=202)
    def count(n: int) -> Generator[str, None, None]:
        for index in range(n):
            yield str(index)

    @app.get("/async")
    async def acount(n: int) -> AsyncIterator[bytes]:
        for index in range(n):
            yield b"%d" % index

    @app.get("/returned")
    def returned():
        return iter([b"a", b"b"])

    first, second, third = get(app, "/sync?n=3"), get(app, "/async?n=3"), get(app, "/returned")

    async def collect():
        return [piece async for piece in second.content]

    assert (first.status, first.media_type, list(first.content)) == (202, TEXT, ["0", "1", "2"])
    assert (second.media_type, asyncio.run(collect())) == (OCTETS, [b"0", b"1", b"2"])
    assert (third.is_stream, list(third.content)) == (True, [b"a", b"b"])
    assert get(app, "/async?n=x").status == 422


def test_a_coroutine_returned_by_a_plain_function_is_finished():
    app = App()

    async def work(n):
        await asyncio.sleep(0)
        if n == 3:
            raise KeyError(n)
        return {"n": n}

    app.get("/{n}")(lambda n: work(int(n)))

    assert content(get(app, "/7")) == {"n": 7}
    assert get(app, "/3").status == 500


@pytest.mark.parametrize(
    "value", [object(), {1, object()}, float("nan"), {"a": float("inf")}, "\ud800", ["\ud800"], print]
)
def test_what_cannot_be_sent_is_a_logged_500(value, caplog):
    app = App()
    app.get("/a")(lambda: value)

    @app.get("/b")
    async def b():
        return value

    for path in ("/a", "/b"):
        caplog.clear()
        assert get(app, path).status == 500
        assert "trace_id=" in caplog.text
