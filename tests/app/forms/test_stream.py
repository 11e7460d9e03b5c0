"""`MultipartStream`: parts as they arrive."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from penstock import App, File, FormLimits, MultipartStream, TestClient, UploadFile
from penstock.errors import ApplicationError
from tests.app.driver import content
from tests.app.forms.bodies import MULTIPART, URLENCODED, multipart, part, post
from tests.server.harness import Gate, request, serve, wait_until

BODY = multipart(part("title", b"x"), part("photo", b"0123456789" * 30_000, "a.bin"), part("end", b""))
SHOWN = [["title", None, 1], ["photo", "a.bin", 300_000], ["end", None, 0]]
SMALL = multipart(part("a", b"x"), part("b", b"y" * 2_000, "f"))
HEAD = ": ".join(MULTIPART)


def app_with(handler, **options) -> App:
    app = App()
    app.post("/", **options)(handler)
    return app


def in_thread(form: MultipartStream) -> list:
    return [[one.name, one.filename, sum(map(len, one))] for one in form]


async def in_task(form: MultipartStream) -> list:
    return [[one.name, one.filename, sum([len(piece) async for piece in one])] async for one in form]


def read_in_thread(form: MultipartStream) -> list:
    found = []
    for one in form:
        first = one.read(7)
        rest = list(iter(lambda one=one: one.read(1_000), b""))
        assert all(len(piece) <= 1_000 for piece in rest)
        found.append([one.name, one.filename, len(first) + sum(map(len, rest)) + len(one.read())])
    return found


async def read_in_task(form: MultipartStream) -> list:
    found = []
    async for one in form:
        first = await one.aread(7)
        found.append([one.name, one.filename, len(first) + len(await one.aread())])
        assert await one.aread() == await one.aread(5) == b""
    return found


HANDLERS = [in_thread, in_task, read_in_thread, read_in_task]


@pytest.mark.parametrize("handler", HANDLERS)
def test_parts_are_read_in_a_thread_and_on_the_loop(handler):
    app = app_with(handler)

    assert content(post(app, BODY)) == SHOWN
    with TestClient(app) as client:
        assert client.post("/", content=BODY, headers=dict([MULTIPART])).json() == SHOWN
    with serve(app) as server, server.connect() as client:
        for _ in range(2):
            assert msgspec.json.decode(client.ask("/", "POST", HEAD, body=BODY).content) == SHOWN


@pytest.mark.parametrize("is_async", [True, False])
def test_a_part_is_read_while_the_next_has_not_been_sent(is_async):
    gate = Gate()

    def thread(form: MultipartStream) -> int:
        parts = iter(form)
        next(parts).read(3)
        gate.wait()
        return sum(len(one.read()) for one in parts)

    async def task(form: MultipartStream) -> int:
        parts = aiter(form)
        await (await anext(parts)).aread(3)
        await gate.wait_async()
        return sum([len(await one.aread()) async for one in parts])

    first, second = part("a", b"abc", "a"), multipart(part("b", b"de", "b"))
    with serve(app_with(task if is_async else thread)) as server, server.connect() as client:
        length = len(first + second)
        client.send(request("/", "POST", HEAD, f"Content-Length: {length}") + first[:-2])
        gate.wait_reached()
        client.send(first[-2:] + second)
        gate.open()
        reply = client.take()

    assert reply is not None
    assert reply.content == b"2"


@pytest.mark.parametrize("is_async", [True, False])
def test_parts_that_are_not_read_are_passed_over_and_cannot_be_read_later(is_async):
    def thread(form: MultipartStream) -> list:
        first, second, _ = form
        with pytest.raises(RuntimeError, match="passed over"):
            first.read()
        return [first.name, second.name]

    async def task(form: MultipartStream) -> list:
        first, second, _ = [one async for one in form]
        with pytest.raises(RuntimeError, match="passed over"):
            await first.aread()
        return [first.name, second.name]

    with serve(app_with(task if is_async else thread)) as server, server.connect() as client:
        assert client.ask("/", "POST", HEAD, body=BODY).content == b'["title","photo"]'


@pytest.mark.parametrize("handler", [in_thread, in_task])
@pytest.mark.parametrize(
    ("body", "fields", "status"),
    [
        (SMALL[:-6], HEAD, 400),
        (SMALL.replace(b"form-data", b"form+data"), HEAD, 400),
        (multipart(*[part("a", b"")] * 3), HEAD, 413),
        (SMALL, ": ".join(URLENCODED), 415),
        (SMALL, "X: y", 415),
    ],
)
def test_a_stream_that_is_no_form_is_refused(handler, body, fields, status):
    app = app_with(handler, form_limits=FormLimits(fields=2))

    with serve(app) as server, server.connect() as client:
        assert client.ask("/", "POST", fields, body=body).status == status


@pytest.mark.parametrize("handler", [in_thread, in_task])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_stream_has_the_limit_of_its_route(handler, is_chunked):
    app = app_with(handler, body_limit=1_000)

    with serve(app) as server, server.connect() as client:
        if is_chunked:
            client.send(request("/", "POST", HEAD, "Transfer-Encoding: chunked"))
            client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMALL), SMALL))
            reply = client.take()
        else:
            reply = client.ask("/", "POST", HEAD, body=SMALL)

    assert reply.status == 413
    assert msgspec.json.decode(reply.content)["limit"] == "total_bytes"


@pytest.mark.parametrize("is_async", [True, False])
def test_a_client_that_leaves_ends_the_stream(is_async):
    ends = []

    def thread(form: MultipartStream) -> None:
        try:
            in_thread(form)
        except BaseException as error:
            ends.append(type(error).__name__)
            raise

    async def task(form: MultipartStream) -> None:
        try:
            await in_task(form)
        except BaseException as error:
            ends.append(type(error).__name__)
            raise

    with serve(app_with(task if is_async else thread)) as server:
        client = server.connect()
        client.send(request("/", "POST", HEAD, f"Content-Length: {len(BODY)}") + BODY[:200])
        wait_until(lambda: any(one.request is not None for one in server.connections), "it is at work")
        client.reset()
        wait_until(lambda: ends, "the handler is told")

    assert ends == ["ClientDisconnected"]


def test_reading_in_the_wrong_way_on_the_loop_is_an_error_and_no_hang():
    async def handler(form: MultipartStream) -> str:
        with pytest.raises(RuntimeError, match="async for"):
            list(form)
        return "told"

    with serve(app_with(handler)) as server, server.connect() as client:
        assert client.ask("/", "POST", HEAD, body=BODY).content == b"told"


def inline(form: MultipartStream) -> None: ...


def two(form: MultipartStream, more: MultipartStream) -> None: ...


def with_file(form: MultipartStream, photo: UploadFile) -> None: ...


def with_octets(form: MultipartStream, photo: Annotated[bytes, File()]) -> None: ...


@pytest.mark.parametrize(
    ("handler", "options", "message"),
    [
        (inline, {"run": "inline"}, "cannot run inline"),
        (inline, {"run": "process"}, "cannot go to another process"),
        (two, {}, "keep one"),
        (with_file, {}, "form wants the form as it comes, photo wants the form; keep one"),
        (with_octets, {}, "keep one"),
    ],
)
def test_what_cannot_be_is_an_error_at_start_up(handler, options, message):
    with pytest.raises(ApplicationError, match=message):
        app_with(handler, **options).compile()
