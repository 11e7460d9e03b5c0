"""Content that ends with the connection (HTTP/1.0): what is not complete ends in a reset, what is in order does not."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from penstock.http.request import Request
from penstock.http.response import Response, StreamResponse
from tests.server.certificates import Authority
from tests.server.harness import Client, Gate, Running, endpoint, request, serve, wait_until

FORMS = ["sync", "async"]
OLD = request("/", version="1.0")


def streaming(form: str, step: Callable[[], None]) -> Any:
    """A stream of "first", then `step()`, then "last"."""

    def pieces() -> Iterator[bytes]:
        yield b"first"
        step()
        yield b"last"

    async def later() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.get_running_loop().run_in_executor(None, step)
        yield b"last"

    return endpoint("inline", lambda request: StreamResponse(pieces() if form == "sync" else later()))


def fail() -> None:
    raise ValueError("on purpose")


def read_to_end(client: Client) -> tuple[bytes, bool]:
    """What comes, and whether the end was a reset."""
    received = client.octets
    try:
        while piece := client.socket.recv(65_536):
            received += piece
    except ConnectionResetError:
        return received, True
    return received, False


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_that_fails_ends_in_a_reset(form: str):
    with serve({"/": streaming(form, fail)}, faults=True) as server, server.connect(OLD) as client:
        received, was_reset = read_to_end(client)

        assert was_reset
        assert b"last" not in received


@pytest.mark.parametrize("form", FORMS)
def test_a_complete_stream_ends_in_order(form: str):
    with serve({"/": streaming(form, lambda: None)}) as server, server.connect(OLD) as client:
        received, was_reset = read_to_end(client)

        assert received.endswith(b"\r\n\r\nfirstlast")
        assert not was_reset


@pytest.mark.parametrize("form", FORMS)
def test_chunks_show_by_themselves_that_the_last_is_missing(form: str):
    with serve({"/": streaming(form, fail)}, faults=True) as server, server.connect(request("/")) as client:
        received, was_reset = read_to_end(client)

        assert received.endswith(b"5\r\nfirst\r\n")
        assert not was_reset


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_that_the_end_of_the_server_cuts_off_ends_in_a_reset(form: str):
    gate = Gate()

    with serve({"/": streaming(form, gate.wait)}, drain_timeout_s=0.2) as server:
        with server.connect(OLD) as client:
            while b"first" not in client.octets:
                client.receive()
            gate.wait_reached()
            server.begin_stop()
            wait_until(lambda: server.log.messages("cut off"), "the deadline has passed")
            gate.open()

            assert read_to_end(client)[1]


def test_a_client_that_does_not_read_the_end_gets_a_reset():
    def call(request: Request) -> Response:
        return StreamResponse(iter([bytes(2**20)] * 16))

    with serve({"/": endpoint("inline", call)}, write_timeout_s=0.3) as server:
        with server.connect(receive_buffer_bytes=4096) as client:
            client.send(OLD)
            server.wait_idle()

            assert read_to_end(client)[1]


def test_over_tls_there_is_no_close_notify_either(tmp_path: Any):
    authority = Authority(tmp_path)
    certificate, key = map(str, authority.issue("shop"))
    routes = {"/": streaming("sync", fail), "/whole": streaming("sync", lambda: None)}
    with serve(routes, faults=True, tls_cert=(certificate,), tls_key=(key,)) as server:
        assert ask_securely(server, authority, "/whole").endswith(b"firstlast")
        with pytest.raises(OSError, match=r"(?i)reset|EOF"):
            ask_securely(server, authority, "/")


def ask_securely(server: Running, authority: Authority, path: str) -> bytes:
    client = server.connect()
    context = authority.client()
    received = b""
    with context.wrap_socket(
        client.socket, server_hostname="localhost", suppress_ragged_eofs=False
    ) as secure:
        secure.sendall(request(path, version="1.0"))
        while piece := secure.recv(65_536):
            received += piece
    return received
