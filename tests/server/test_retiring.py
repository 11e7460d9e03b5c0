"""A process that retires while others go on: no connection closes that its last reply did not announce."""

from __future__ import annotations

from penstock.http.response import StreamResponse, TextResponse
from tests.server.harness import Gate, endpoint, serve, wait_until
from tests.server.harness import request as octets_of


def test_a_connection_whose_thread_streams_when_it_retires_brings_one_more_request():
    gate = Gate()

    def stream(request):
        def pieces():
            yield b"a"
            gate.wait()
            yield b"b"

        return StreamResponse(pieces())

    routes = {
        "/stream": endpoint("thread", stream),
        "/": endpoint("inline", lambda request: TextResponse("more")),
    }
    with serve(routes) as running, running.connect(octets_of("/stream")) as client:
        wait_until(lambda: b"a" in client.octets or not client.receive(), "the stream begins")
        running.call(lambda: running.reactor.drain(lambda: None, patience_s=10.0))
        wait_until(lambda: running.reactor.is_retiring)
        gate.open()
        assert client.take().content == b"ab"
        last = client.ask("/")
    assert (last.content, last.closes) == (b"more", True)
