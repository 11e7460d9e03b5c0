"""Keep-alive, pipelining, order of replies, the end of a connection."""

from __future__ import annotations

import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Iterator

import pytest

from penstock.http.handler import Endpoint
from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, request, serve, wait_until

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="unset")
KINDS = ["inline", "task", "waiting_task", "thread", "stream", "async_stream", "thread_stream"]


def path_of(request: Request) -> str:
    return request.raw_path.decode()


def answer(request: Request) -> Response:
    return TextResponse(path_of(request))


async def answer_late(request: Request) -> Response:
    import asyncio

    await asyncio.sleep(0)
    return TextResponse(path_of(request))


def stream(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        for letter in path_of(request):
            yield letter.encode()

    return StreamResponse(pieces())


def async_stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for letter in path_of(request):
            yield letter.encode()

    return StreamResponse(pieces())


ENDPOINTS: dict[str, Endpoint] = {
    "/inline": endpoint("inline", answer),
    "/task": endpoint("task", answer),
    "/waiting_task": endpoint("task", answer_late),
    "/thread": endpoint("thread", answer),
    "/stream": endpoint("inline", stream),
    "/async_stream": endpoint("inline", async_stream),
    "/thread_stream": endpoint("thread", stream),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_kept_for_many_requests(kind: str):
    with serve(ENDPOINTS) as server, server.connect() as client:
        for number in range(50):
            reply = client.ask(f"/{kind}.{number}")

            assert reply.content == f"/{kind}.{number}".encode()
            assert not reply.closes
        assert len(server.connections) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_requests_in_one_send_are_answered_in_order(kind: str):
    targets = [f"/{kind}.{number}" for number in range(1_000)]
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(b"".join(request(target) for target in targets))

        replies = [client.take() for _ in targets]

        assert [reply.content.decode() for reply in replies if reply] == targets


def test_kinds_of_handlers_mixed_are_answered_in_order():
    targets = [f"/{KINDS[number * 5 % len(KINDS)]}.{number}" for number in range(1_000)]
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(b"".join(request(target) for target in targets))

        replies = [client.take() for _ in targets]

        assert [reply.content.decode() for reply in replies if reply] == targets


def test_a_batch_of_ready_replies_leaves_in_one_send():
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(request("/inline") * 20)
        for _ in range(20):
            client.take()

        assert len(client.sizes) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_request_after_good_ones_is_refused_in_its_turn(kind: str):
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(
            request(f"/{kind}.1")
            + request(f"/{kind}.2")
            + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"
            + request("/inline")
        )

        first, second, error = client.take(), client.take(), client.take()

        assert first and second and error
        assert (first.content, second.content) == (f"/{kind}.1".encode(), f"/{kind}.2".encode())
        assert error.status == 400
        assert error.closes
        assert client.ends()
        assert len(server.log.messages("refused")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_connection_close_is_honoured_and_what_follows_ignored(kind: str):
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(request(f"/{kind}", "GET", "Connection: close") + request("/inline"))

        reply = client.take()

        assert reply
        assert reply.closes
        assert client.ends()


@pytest.mark.parametrize("kind", KINDS)
def test_an_application_may_close_the_connection(kind: str):
    call = ENDPOINTS[f"/{kind}"].call

    def close(response: Response) -> Response:
        response.headers["Connection"] = "close"
        return response

    async def closing(request: Request) -> Response:
        return close(await call(request))  # type: ignore[misc]

    one = (
        Endpoint(closing, 1)
        if "task" in kind
        else Endpoint(lambda request: close(call(request)), ENDPOINTS[f"/{kind}"].run)
    )
    with serve({"/": one}) as server, server.connect() as client:
        reply = client.ask("/")

        assert reply.closes
        assert client.ends()


@pytest.mark.parametrize("kind", KINDS)
def test_http_10_closes_unless_it_asks_for_more(kind: str):
    with serve(ENDPOINTS) as server:
        with server.connect() as client:
            reply = client.ask(f"/{kind}", version="1.0")

            assert reply.content == f"/{kind}".encode()
            assert reply.get("transfer-encoding") is None
            assert client.ends()
        with server.connect() as client:
            reply = client.ask(f"/{kind}", "GET", "Connection: keep-alive", version="1.0")

            assert reply.content == f"/{kind}".encode()
            if "stream" in kind:  # its length is not known, so the end of the connection is its end
                assert reply.closes
                assert client.ends()
            else:
                assert reply.get("connection") == "keep-alive"
                assert client.ask(f"/{kind}").status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_head_has_the_fields_and_no_content(kind: str):
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(request(f"/{kind}", "HEAD") + request("/inline.next"))

        head, following = client.take("HEAD"), client.take()

        assert head and following
        assert head.get("transfer-encoding" if "stream" in kind else "content-length")
        assert following.content == b"/inline.next"


# For a stream, the end of input is the sign that the client has left.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "stream" not in kind])
def test_a_client_that_shuts_its_side_after_requests_gets_every_reply(kind: str):
    with serve(ENDPOINTS) as server, server.connect() as client:
        client.send(request(f"/{kind}.1") + request(f"/{kind}.2") + request(f"/{kind}.3"))
        client.end()

        replies = [client.take() for _ in range(3)]

        assert [reply and reply.content for reply in replies] == [f"/{kind}.{n}".encode() for n in (1, 2, 3)]
        assert client.ends()


@pytest.mark.parametrize("run", ["task", "thread"])
def test_a_request_cut_short_behind_one_that_runs_is_refused(run: str):
    gate = Gate()

    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return answer(request)

    def block(request: Request) -> Response:
        gate.wait()
        return answer(request)

    with serve({"/": endpoint(run, wait if run == "task" else block)}) as server, server.connect() as client:
        client.send(request("/") + b"GET / HTTP/1.1\r\nHo")
        client.end()
        gate.wait_reached()
        gate.open()

        first, second = client.take(), client.take()

        assert first and first.status == 200
        assert second and second.status == 400
        assert client.ends()


@pytest.mark.parametrize("run", ["task", "thread"])
def test_octets_sent_ahead_are_held_up_to_a_bound_and_then_served(run: str):
    gate = Gate()

    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return answer(request)

    def block(request: Request) -> Response:
        gate.wait()
        return answer(request)

    call = wait if run == "task" else block
    with serve({"/": endpoint(run, call)}, pipeline_buffer_bytes=4_096) as server, server.connect() as client:
        count = 4_000
        client.socket.settimeout(0.2)
        octets = request("/." + "x" * 2_000) * count
        sent = 0
        try:
            while sent < len(octets):
                sent += client.socket.send(octets[sent : sent + 65_536])
        except TimeoutError:
            pass  # the server does not read any more

        connection = server.connections[0]

        assert sent < len(octets)
        assert connection.reader.buffered < 4_096 + 2 * 65_536

        client.socket.settimeout(20)
        gate.open()
        complete = sent // (len(octets) // count)
        assert [client.take().status for _ in range(complete)] == [200] * complete  # type: ignore[union-attr]


def test_a_reader_that_pauses_a_connection_does_not_spin():
    gate = Gate()

    async def wait(request: Request) -> Response:
        await gate.wait_async()
        return answer(request)

    with (
        serve({"/": endpoint("task", wait)}, pipeline_buffer_bytes=1_024) as server,
        server.connect() as client,
    ):
        turns = 0
        turn = server.reactor._turn

        def count(ready: list[tuple[int, int]]) -> None:
            nonlocal turns
            turns += 1
            turn(ready)

        server.reactor.poller._dispatch = count
        client.send(request("/") * 100)
        gate.wait_reached()
        client.end()
        wait_until(lambda: server.connections[0].mask == 0, "reading pauses")
        before = turns

        time.sleep(0.2)

        assert turns - before < 5
        gate.open()


@pytest.mark.parametrize("kind", KINDS)
def test_context_variables_of_a_request_do_not_reach_the_next(kind: str):
    call = ENDPOINTS[f"/{kind}"].call
    seen: list[str] = []

    def look(request: Request) -> None:
        seen.append(NAME.get())
        NAME.set(path_of(request))

    async def looking(request: Request) -> Response:
        look(request)
        return await call(request)  # type: ignore[misc]

    def looking_sync(request: Request) -> Response:
        look(request)
        return call(request)  # type: ignore[return-value]

    run = ENDPOINTS[f"/{kind}"].run
    one = Endpoint(looking if run == 1 else looking_sync, run)
    with serve({"/": one, "/1": ENDPOINTS["/inline"]}) as server, server.connect() as client:
        for _ in range(3):
            client.send(request("/.x") * 5)
            assert all(client.take() for _ in range(5))

        assert seen == ["unset"] * 15


@pytest.mark.parametrize("run", ["inline", "thread"])
def test_an_awaitable_is_finished_in_the_context_of_the_handler_that_made_it(run: str):
    async def later() -> Response:
        return TextResponse(NAME.get())

    def call(request: Request) -> Awaitable[Response]:
        NAME.set(path_of(request))
        return later()

    with serve({"/": endpoint(run, call)}) as server:
        assert server.ask("/.mine").content == b"/.mine"


def test_a_request_in_octets_one_by_one_is_read():
    with serve(ENDPOINTS) as server, server.connect() as client:
        for octet in request("/thread.x", "POST", body=b"abc") + request("/inline.y"):
            client.send(bytes([octet]))

        first, second = client.take(), client.take()

        assert first and first.content == b"/thread.x"
        assert second and second.content == b"/inline.y"


def test_a_connection_that_says_nothing_and_leaves_is_forgotten():
    with serve(ENDPOINTS) as server:
        for _ in range(20):
            server.connect().close()
            server.connect().reset()
        server.wait_idle()

        assert server.ask("/inline").status == 200
        assert server.log.messages() == []
