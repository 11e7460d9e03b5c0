"""HTTP/2 where it is asked for, HTTP/1.1 where it is not, with every client that has both."""

from __future__ import annotations

import ssl

import pytest
import trustme

from http_benchmark.clients.adapter import Call
from http_benchmark.clients.registry import find_adapter
from tests.http_benchmark.clients.h2_server import serving_h2
from tests.http_benchmark.clients.subjects import SUBJECTS, open_client

both = pytest.mark.parametrize(
    "subject", [each for each in SUBJECTS if find_adapter(each[0]).has_http2], ids=" ".join
)


@pytest.fixture(scope="module")
def server():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving_h2(context) as made:
        yield made


@both
def test_http2_is_spoken_when_it_is_asked_for(server, subject):
    server.protocols.clear()
    with open_client(subject, verify=False, http2=True) as client:
        got = [client.get(f"{server.origin}/a?b") for _ in range(3)]
        posted = client.send(Call("POST", f"{server.origin}/c", {"X-A": "b"}, b"body", keeps_content=True))
        streamed = client.send(Call("GET", f"{server.origin}/d", streams=True))
        head = client.send(Call("HEAD", f"{server.origin}/e"))

        assert [(each.status, each.content) for each in got] == [(200, b"GET /a?b ")] * 3
        assert posted.content == b"POST /c body"
        assert (streamed.octets, streamed.content) == (7, None)
        assert (head.status, head.octets) == (200, 0)
        assert client.opened == 1
    assert server.protocols == ["h2"]


@both
def test_http1_is_spoken_when_it_is_not(server, subject):
    server.protocols.clear()
    with open_client(subject, verify=False) as client:
        exchange = client.get(f"{server.origin}/")

    assert exchange.content == b"h1"
    assert server.protocols in ([None], ["http/1.1"])


@pytest.mark.parametrize("subject", [each for each in both.args[1] if each[1] == "async"], ids=" ".join)
def test_tasks_may_share_a_connection(server, subject):
    with open_client(subject, connections=8, verify=False, http2=True) as client:
        exchanges = client.together(Call("GET", f"{server.origin}/a", keeps_content=True), tasks=8, each=5)

        assert [each.content for each in exchanges] == [b"GET /a "] * 40
        assert 1 <= client.opened <= 8
