"""The context variable of the current request: never that of another, whatever the server does meanwhile."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import pytest

from penstock.http.current import current, trace_headers
from penstock.http.response import TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until


class Listener(logging.Handler):
    """Keeps what each record was about, as a formatter in that thread would have seen it."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.heard = []

    def emit(self, record):
        traced = current.get()
        self.heard.append((record.getMessage(), None if traced is None else traced.raw_path))

    def of(self, part):
        wait_until(lambda: any(part in message for message, _ in self.heard), f"a record with {part!r}")
        return [path for message, path in self.heard if part in message]


@contextmanager
def listening():
    listener = Listener()
    logging.getLogger("penstock").addHandler(listener)
    try:
        yield listener
    finally:
        logging.getLogger("penstock").removeHandler(listener)


def say(_):
    traced = current.get()
    return TextResponse(traced.raw_path.decode() if traced is not None else "nothing")


ROUTES = {
    "/inline": endpoint("inline", say),
    "/task": endpoint("task", say),
    "/thread": endpoint("thread", say),
    "/big": endpoint("inline", lambda _: TextResponse("x" * 5_000_000)),
}


def test_a_fault_of_a_client_is_not_told_of_the_request_before_it():
    with listening() as listener, serve(ROUTES) as running:
        running.ask("/inline")
        with running.connect(b"BAD\r\n\r\n") as client:
            client.take()

        assert listener.of("refused") == [None]


def test_a_fault_in_the_content_is_told_of_its_request():
    with listening() as listener, serve(ROUTES) as running:
        head = b"POST /inline.slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        with running.connect(head) as client:
            wait_until(lambda: [one for one in running.connections if one.request is not None])
            running.ask("/task")
            client.send(b"no chunk\r\n")
            assert client.take().status == 400

        assert listener.of("refused") == [b"/inline.slow"]


@pytest.mark.parametrize("kind", ["inline", "task", "thread"])
def test_who_waited_for_content_is_told_of_itself(kind):
    with serve(ROUTES) as running:
        head = f"POST /{kind}.late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na".encode()
        with running.connect(head) as client:
            wait_until(lambda: [one for one in running.connections if one.request is not None])
            running.ask("/task")
            client.send(b"b")

            assert client.take().content == f"/{kind}.late".encode()


def test_who_waited_until_the_client_took_the_reply_before_is_told_of_itself():
    with serve(ROUTES) as running, running.connect(receive_buffer_bytes=65_536) as client:
        client.send(request("/big") + request("/thread.behind"))
        wait_until(lambda: [one for one in running.connections if one.unsent is not None])
        running.ask("/task")

        assert len(client.take().content) == 5_000_000
        assert client.take().content == b"/thread.behind"


def test_pipelined_requests_have_each_their_own():
    with serve(ROUTES) as running, running.connect() as client:
        targets = [f"/{kind}.{number}" for number in range(5) for kind in ("inline", "task", "thread")]
        client.send(b"".join(map(request, targets)))

        assert [client.take().content.decode() for _ in targets] == targets


def test_a_handler_past_its_deadline_is_told_of_itself():
    gate = Gate()

    async def wait(_):
        await gate.wait_async()
        return TextResponse("late")

    routes = {**ROUTES, "/late": endpoint("task", wait, timeout_s=0.05)}
    with listening() as listener, serve(routes) as running:
        with running.connect(request("/late")) as client:
            running.ask("/inline")
            assert client.take().status == 504
        gate.open()

        assert listener.of("no answer for") == [b"/late"]


def test_the_fields_for_others_are_there_without_an_application():
    def tell(_):
        return TextResponse(trace_headers()["traceparent"])

    with serve({"/": endpoint("thread", tell)}) as running:
        told = {running.ask("/").content for _ in range(3)}

    assert len(told) == 3


def test_the_loop_itself_works_for_nobody():
    seen = []

    async def later(_):
        import asyncio

        asyncio.get_running_loop().call_later(0.001, lambda: seen.append(current.get().raw_path))
        return TextResponse("x")

    with serve({**ROUTES, "/later": endpoint("task", later)}) as running:
        running.ask("/later")
        running.ask("/inline")
        wait_until(lambda: seen)
        running.call(lambda: seen.append(current.get()))
        wait_until(lambda: len(seen) == 2)

    assert seen == [b"/later", None]
