"""The log of slow requests: phases, whose time it was, and the stacks they were seen in."""

from __future__ import annotations

import asyncio
import ssl
import time

import pytest

from penstock.gateway.asgi import ASGIHandler
from penstock.gateway.wsgi import WSGIHandler
from penstock.http.handler import THREAD, Endpoint
from penstock.http.response import Response, StreamResponse, TextResponse
from tests.server.certificates import Authority
from tests.server.harness import Gate, endpoint, request, serve, wait_until

SLOW_S = 0.1


def wait_record(server, part="slow request"):
    """The record of a slow request, once it is written."""
    wait_until(lambda: server.log.messages(part), f"{part!r} is logged")
    return next(record for record in server.log.records if part in record.getMessage())


def wait_seen(server, looks=2):
    """Wait until a request in flight is slow, and was seen several times."""

    def is_seen():
        for connection in server.connections:
            samples = server.server._lookout.sampler.find(connection)
            age_s = (time.perf_counter_ns() - getattr(connection, "started", 0)) / 1e9
            if samples is not None and samples.count >= looks and age_s > SLOW_S:
                return True
        return False

    wait_until(is_seen, "the request is seen")


def rest_a_while(gate):
    gate.wait()
    return TextResponse("rested")


async def rest_on_the_loop(gate):
    await gate.wait_async()
    return TextResponse("rested")


@pytest.mark.parametrize(
    ("run", "where"), [("thread", "in thread penstock-0"), ("task", "in a task that waits")]
)
def test_a_slow_handler_is_told_with_its_phases_and_the_stack_it_was_seen_in(run, where):
    gate = Gate()

    async def wait_async(_):
        return await rest_on_the_loop(gate)

    call = wait_async if run == "task" else lambda _: rest_a_while(gate)
    routes = {"/slow": endpoint(run, call, route="/slow")}
    with (
        serve(routes, slow_request_s=SLOW_S) as server,
        server.connect(request("/slow?key=secret")) as client,
    ):
        wait_seen(server)
        gate.open()
        assert client.take().status == 200
        record = wait_record(server)

    assert record.levelname == "WARNING"
    assert record.name == "penstock.slow"
    assert "slow request: GET /slow took" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert (record.method, record.path, record.route, record.status) == ("GET", "/slow", "/slow", 200)
    assert record.duration_ms >= SLOW_S * 1e3
    assert record.phases["handler"] > SLOW_S * 1e3 / 2
    assert record.slow_in == "handler"
    assert len(record.trace_id) == 32
    assert where in record.stack_info
    assert ("rest_on_the_loop" if run == "task" else "rest_a_while") in record.stack_info
    assert "gate.wait" in record.stack_info, "with the lines of the source"
    assert "penstock/server" not in record.stack_info
    assert sum(each["count"] for each in record.seen_in) >= 2


def test_a_slow_handler_on_the_loop_is_seen_there():
    def think(_):
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            pass
        return TextResponse("thought")

    with serve({"/": endpoint("inline", think)}, slow_request_s=SLOW_S) as server:
        server.ask("/")
        record = wait_record(server)

    assert "on the loop" in record.stack_info
    assert " in think\n" in record.stack_info


def test_a_quick_request_is_not_told():
    with serve({"/": endpoint("thread", lambda _: TextResponse("quick"))}, slow_request_s=30.0) as server:
        server.ask("/")

    assert not server.log.messages("slow ")


def test_nothing_is_told_when_it_is_off():
    with serve({"/": endpoint("thread", lambda _: TextResponse("x"))}, slow_request_s=0.0) as server:
        server.ask("/")
        assert server.server._slow is None


def test_a_wait_for_a_thread_is_the_queue():
    gate = Gate()
    routes = {
        "/first": endpoint("thread", lambda _: rest_a_while(gate)),
        "/next": endpoint("thread", lambda _: TextResponse("at last")),
    }
    with (
        serve(routes, slow_request_s=SLOW_S, threads=1) as server,
        server.connect(request("/first")) as first,
        server.connect() as second,
    ):
        gate.wait_reached()
        second.send(request("/next"))
        wait_until(lambda: server.reactor.threads.figures()["queue_depth"] == 1)
        time.sleep(2 * SLOW_S)  # the wait that is measured
        gate.open()
        first.take(), second.take()
        record = wait_record(server, "GET /next")

    assert record.levelname == "WARNING"
    assert record.phases["queue"] >= SLOW_S * 1e3
    assert not record.stack_info


def test_a_client_slow_to_send_is_its_own_fault():
    with (
        serve({"/": endpoint("thread", lambda _: TextResponse("got"))}, slow_request_s=SLOW_S) as server,
        server.connect(request("/", "POST", "Content-Length: 4")) as client,
    ):
        wait_until(lambda: any(each.request for each in server.connections))
        time.sleep(2 * SLOW_S)  # the slowness that is measured
        client.send(b"body")
        client.take()
        record = wait_record(server, "POST / took")

    assert_is_clients(record, "content")


def test_a_client_slow_to_send_to_a_handler_that_takes_a_stream_is_its_own_fault():
    def receive(of):
        return Response(of.stream.read_sync())

    with (
        serve({"/": endpoint("thread", receive, streams_body=True)}, slow_request_s=SLOW_S) as server,
        server.connect(request("/", "POST", "Content-Length: 4")) as client,
    ):
        wait_until(lambda: any(each.request for each in server.connections))
        time.sleep(2 * SLOW_S)  # the slowness that is measured
        client.send(b"body")
        assert client.take().content == b"body"
        record = wait_record(server, "POST / took")

    assert list(record.phases)[-2:] == ["content", "handler"]
    assert_is_clients(record, "content")


def test_a_client_slow_over_its_handshake_waits_for_its_accept(tmp_path):
    cert, key = Authority(tmp_path).issue("server")
    gate = Gate()
    routes = {"/": endpoint("thread", lambda _: rest_a_while(gate))}
    with (
        serve(routes, slow_request_s=SLOW_S, tls_cert=str(cert), tls_key=str(key)) as server,
        server.connect() as client,
    ):
        wait_until(lambda: server.connections, "it is accepted")
        time.sleep(2 * SLOW_S)  # the slowness that is measured
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.socket = context.wrap_socket(client.socket)
        client.send(request("/"))
        wait_seen(server)
        gate.open()
        client.take()
        record = wait_record(server)

    assert record.phases["accept"] >= 2 * SLOW_S * 1e3
    assert record.duration_ms == pytest.approx(record.phases["queue"] + record.phases["handler"], abs=0.01)


def test_a_client_slow_to_read_is_its_own_fault():
    routes = {"/": endpoint("inline", lambda _: Response(b"x" * 12_000_000))}
    with (
        serve(routes, slow_request_s=SLOW_S) as server,
        server.connect(request("/", "GET", "Connection: close")) as client,
    ):
        wait_until(lambda: any(each.unsent for each in server.connections))
        time.sleep(2 * SLOW_S)  # the slowness that is measured
        client.take_all()
        record = wait_record(server, "GET / took")

    assert_is_clients(record, "write")


def assert_is_clients(record, phase):
    """The time was the client's, in this phase; on a busy machine the server may have been slow as well."""
    assert record.phases[phase] >= SLOW_S * 1e3
    if record.phases.get("queue", 0.0) + record.phases["handler"] < SLOW_S * 1e3:
        assert (record.slow_in, record.levelname) == ("client", "INFO")
        assert "slow client: " in record.getMessage()


def test_a_stream_is_not_slow_because_it_is_long():
    async def pieces():
        yield b"first"
        await asyncio.sleep(2.0)
        yield b"last"

    routes = {"/": endpoint("task", lambda _: StreamResponse(pieces()))}
    with serve(routes, slow_request_s=1.5) as server, server.connect(request("/")) as client:
        assert client.take().content == b"firstlast"
        wait_until(lambda: not any(each.request for each in server.connections))

    assert not server.log.messages("slow ")


def test_a_stream_whose_head_took_long_is_slow():
    gate = Gate()

    async def begin(_):
        await gate.wait_async()
        return StreamResponse(iter([b"piece"]))

    with (
        serve({"/": endpoint("task", begin)}, slow_request_s=SLOW_S) as server,
        server.connect(request("/")) as client,
    ):
        wait_seen(server)
        gate.open()
        client.take()
        record = wait_record(server)

    assert record.slow_in == "handler"
    assert "write" not in record.phases


def test_a_request_whose_client_gave_up_is_told():
    gate = Gate()

    async def wait_async(_):
        return await rest_on_the_loop(gate)

    with serve({"/": endpoint("task", wait_async)}, slow_request_s=SLOW_S) as server:
        with server.connect(request("/")) as client:
            wait_seen(server)
            client.reset()
        record = wait_record(server)
        gate.open()

    assert record.status == 499
    assert "rest_on_the_loop" in record.stack_info


def test_where_a_hosted_asgi_application_was_is_told():
    gate = Gate()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("none")
        await deep_inside(gate)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    with serve(ASGIHandler(app), slow_request_s=SLOW_S) as server, server.connect(request("/x")) as client:
        wait_seen(server)
        gate.open()
        client.take()
        record = wait_record(server)

    assert "in deep_inside" in record.stack_info


async def deep_inside(gate):
    await gate.wait_async()


def test_where_a_hosted_wsgi_application_was_is_told():
    gate = Gate()

    def app(environ, start_response):
        rest_a_while(gate)
        start_response("200 OK", [])
        return [b"done"]

    with serve(WSGIHandler(app), slow_request_s=SLOW_S) as server, server.connect(request("/x")) as client:
        wait_seen(server)
        gate.open()
        client.take()
        record = wait_record(server)

    assert "in thread penstock-0" in record.stack_info
    assert "in rest_a_while" in record.stack_info


def test_a_thread_that_an_async_handler_waits_for_is_where_it_is():
    gate = Gate()

    async def call(of):
        await of.server.run_in_thread(gate.wait)
        return TextResponse("done")

    with serve({"/": endpoint("task", call)}, slow_request_s=SLOW_S) as server:
        with server.connect(request("/")) as client:
            wait_seen(server)
            gate.open()
            client.take()
        record = wait_record(server)

    assert "in thread penstock-0" in record.stack_info
    assert "self._is_open.wait" in record.stack_info


def test_what_is_too_much_is_counted_and_not_told():
    with serve({"/": Endpoint(lambda _: TextResponse("x"), THREAD)}, slow_request_s=1e-6) as server:
        server.server._lookout.stop()
        with server.connect() as client:
            for _ in range(600):
                client.ask("/")
        slow = server.server._slow
        wait_until(lambda: len(slow._waiting) + slow._dropped == 600, "all are put down")
        slow.write()

    told = len(server.log.messages("slow request: "))
    assert 512 <= told < 520, "or some more: one may be told before the lookout stops"
    assert server.log.messages(f"{600 - told} more slow requests are not told")
