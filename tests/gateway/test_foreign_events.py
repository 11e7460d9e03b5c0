"""Event streams of an App under the servers of others: pings, clients that leave, HTTP/2 and HTTP/3."""

from __future__ import annotations

import json
import socket
import urllib.request
from contextlib import closing

import pytest

from tests.codings import decode
from tests.e2e.workers import wait_until
from tests.gateway.foreign import COMMANDS, serving
from tests.gateway.test_http2_http3 import Http2, Http3
from tests.ports import free_port
from tests.server.certificates import Authority

APPLICATION = "tests.apps.events:app"
EVENTS = b"".join(b"id: %d\ndata: %d\n\n" % (number, number) for number in range(100))


@pytest.mark.parametrize("name", list(COMMANDS))
def test_pings_come_and_a_client_that_leaves_closes_the_source(name, need_package):
    need_package(name)
    with serving(name, APPLICATION) as port:
        with socket.create_connection(("127.0.0.1", port), 10) as client, client.makefile("rb") as lines:
            client.sendall(b"GET /silent HTTP/1.1\r\nHost: t\r\n\r\n")
            for _ in range(2):
                while lines.readline() != b": ping\n":
                    pass

        def is_left():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/left", timeout=10) as reply:
                return json.loads(reply.read()) == ["silent"]

        wait_until(is_left, "the source is closed")


def test_compressed_events_over_http_2_and_http_3(tmp_path, need_package):
    for package in ("hypercorn", "aioquic", "httpx", "h2"):
        need_package(package)
    authority, port = Authority(tmp_path), free_port()
    certificate, key = authority.issue("shop")
    words = [
        "--certfile",
        str(certificate),
        "--keyfile",
        str(key),
        "--quic-bind",
        f"127.0.0.1:{port}",
        "--graceful-timeout",
        "0",
    ]
    with serving("hypercorn", APPLICATION, *words, port=port):
        fields = [("accept-encoding", "gzip")]
        with closing(Http2(port, authority)) as client:
            _, head, content = client.ask("/count", headers=fields)  # decoded by httpx
            assert (head["content-type"], head["content-encoding"]) == ("text/event-stream", "gzip")
            assert content == EVENTS
            client.leave("/silent")
            wait_until(lambda: json.loads(client.ask("/left")[2]) == ["silent"], "the source is closed")
        _, head, content = Http3(port, authority).ask("/count", headers=fields)

    assert head["content-encoding"] == "gzip"
    assert decode("gzip", content) == EVENTS
