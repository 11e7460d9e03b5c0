"""An App over HTTP/2 and HTTP/3 through Hypercorn, asked by httpx and aioquic: what the page docs/http3.md promises."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import socket
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.apps import shop
from tests.gateway.foreign import serving
from tests.ports import free_port
from tests.server.certificates import Authority

BIG = random.Random(1).randbytes(2_500_000)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def port(authority, need_package):
    for package in ("hypercorn", "aioquic", "httpx", "h2"):
        need_package(package)
    certificate, key = authority.issue("shop")
    port = free_port()
    words = ["--certfile", str(certificate), "--keyfile", str(key), "--quic-bind", f"127.0.0.1:{port}"]
    with serving("hypercorn", "tests.apps.shop:app", *words, port=port):
        yield port


class Http2:
    """httpx, brought to the form of the other client."""

    name = "2"

    def __init__(self, port, authority):
        import httpx

        url, context = f"https://localhost:{port}", authority.client()
        self._make = partial(httpx.Client, http1=False, http2=True, verify=context, base_url=url, timeout=20)
        self._client = self._make()

    def ask(self, path, method="GET", headers=(), body=b""):
        reply = self._client.request(method, path, headers=list(headers), content=body or None)
        assert reply.http_version == "HTTP/2"
        return reply.status_code, dict(reply.headers), reply.content

    def leave(self, path):
        """Begin to read a stream, and close the connection."""
        with self._make() as client, client.stream("GET", path) as reply:
            next(reply.iter_raw())
            client.close()

    def close(self):
        self._client.close()


class Http3:
    """aioquic, one connection for each exchange."""

    name = "3"

    def __init__(self, port, authority):
        self._port, self._file = port, authority.certificate

    def _run(self, use):
        from tests.gateway.http3 import connected

        async def main():
            async with connected(self._port, self._file) as client:
                return await use(client)

        return asyncio.run(main())

    def ask(self, path, method="GET", headers=(), body=b""):
        exchange = self.exchange(path, method, headers, body=body)
        head = exchange.sections[0]
        assert all(name == name.lower() for name in head)
        return exchange.status, head, exchange.content

    def exchange(self, path, method="GET", headers=(), body=b""):
        host = f"localhost:{self._port}"
        return self._run(lambda client: client.ask(path, method, headers, body=body, authority=host))

    def close(self):
        pass


@pytest.fixture(params=[Http2, Http3], ids=["h2", "h3"])
def client(request, port, authority):
    client = request.param(port, authority)
    yield client
    client.close()


def test_request_is_that_of_the_client(client, port):
    headers = [("x-own", "a"), ("x-own", "b"), ("cookie", "a=1"), ("cookie", "b=2")]
    status, _, content = client.ask("/?x=%20", headers=headers)

    seen = json.loads(content)
    fields = [tuple(pair) for pair in seen.pop("fields")]
    assert status == 200
    assert seen == {
        "version": client.name,
        "host": f"localhost:{port}",
        "url": f"https://localhost:{port}/?x=%20",
        "client": "127.0.0.1",
        "cookies": {"a": "1", "b": "2"},
    }
    assert ("x-own", "a") in fields
    assert not any(name.startswith(":") for name, _ in fields)


def test_alt_svc_names_the_port_of_quic(client, port):
    _, head, _ = client.ask("/")

    assert re.fullmatch(rf'h3=":{port}"; ma=[0-9]+', head["alt-svc"].split(",")[0])


def test_fields_of_the_connection_stay_behind(client):
    status, head, content = client.ask("/fields")

    assert (status, content, head["content-length"]) == (200, b"x", "1")
    assert head["set-cookie"] == "a=1"
    assert not {"connection", "keep-alive", "upgrade", "transfer-encoding"} & set(head)


def test_handler_in_a_thread_answers(client):
    assert json.loads(client.ask("/thread")[2])[0] == "up"


@pytest.mark.parametrize("path", ["/digest", "/digest-in-thread"])
def test_large_upload_arrives_whole(client, path):
    _, _, content = client.ask(path, "POST", body=BIG)

    assert json.loads(content) == [len(BIG), hashlib.sha256(BIG).hexdigest()]


def test_upload_beyond_the_limit_is_413(client):
    assert client.ask("/echo", "POST", body=BIG[:1_500_000])[0] == 413


def test_stream_is_complete_and_not_chunked(client):
    status, head, content = client.ask("/stream")

    assert (status, content) == (200, "".join(f"{number}\n" for number in range(100)).encode())
    assert not {"transfer-encoding", "content-length"} & set(head)


def test_stream_of_a_thread_is_complete(client):
    assert client.ask("/stream-in-thread")[2] == b"0123456789"


def test_file_is_sent_whole_and_in_parts(client):
    content = Path(shop.__file__).read_bytes()
    whole = client.ask("/file")
    part = client.ask("/file", headers=[("range", "bytes=5-9")])
    again = client.ask("/file", headers=[("if-none-match", whole[1]["etag"])])

    assert (whole[0], whole[2]) == (200, content)
    assert (part[0], part[2], part[1]["content-range"]) == (206, content[5:10], f"bytes 5-9/{len(content)}")
    assert again[0] == 304


def test_folder_is_served(client):
    path, content = "/static/shop.py", Path(shop.__file__).read_bytes()
    plain = ("accept-encoding", "identity")
    replies = [client.ask(path, headers=[plain]) for _ in range(2)]
    part = client.ask(path, headers=[plain, ("range", "bytes=5-9")])
    again = client.ask(path, headers=[plain, ("if-none-match", replies[0][1]["etag"])])

    assert [(status, found) for status, _, found in replies] == [(200, content)] * 2
    assert (part[0], part[2]) == (206, content[5:10])
    assert again[0] == 304
    assert client.ask("/static/none")[0] == 404


def test_events_arrive(client):
    status, head, content = client.ask("/news")

    assert (status, head["content-type"]) == (200, "text/event-stream")
    assert content.split(b"\n\n")[:3] == [b"id: %d\ndata: %d" % (number, number) for number in range(3)]


def test_reply_to_head_has_the_length_alone(port, authority):
    # Not over HTTP/3: the client in aioquic takes a length without content for a fault of the server.
    with closing(Http2(port, authority)) as client:
        status, head, content = client.ask("/file", "HEAD")

    assert (status, head["content-length"], content) == (200, str(Path(shop.__file__).stat().st_size), b"")


def test_faults_have_their_status(client):
    assert client.ask("/none")[0] == 404
    assert client.ask("/echo")[0] == 405
    assert client.ask("/fail")[0] == 500
    assert client.ask("/%ff")[0] in (400, 404)
    assert client.ask("/")[0] == 200


def test_stream_over_http_2_is_closed_when_the_client_leaves(port, authority):
    with closing(Http2(port, authority)) as client:
        before = json.loads(client.ask("/events")[2]).count("stream closed")
        client.leave("/forever")

        end = time.monotonic() + 20
        while json.loads(client.ask("/events")[2]).count("stream closed") == before:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.mark.parametrize(("fields", "trailers"), [([("te", "trailers")], [{"x-total": "290"}]), ([], [])])
def test_trailers_follow_over_http_2_for_who_takes_them(port, authority, fields, trailers):
    assert ask_h2(port, authority, "/stream", fields)[1:] == trailers


def test_trailers_are_left_out_over_http_3(port, authority):
    exchange = Http3(port, authority).exchange("/stream", headers=[("te", "trailers")])

    assert len(exchange.sections) == 1


def ask_h2(port, authority, path, fields):
    """The sections of fields of a reply, trailers included, which httpx does not show."""
    import h2.config
    import h2.connection
    import h2.events

    context = authority.client()
    context.set_alpn_protocols(["h2"])
    http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    sections, is_over = [], False
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
    plain = socket.create_connection(("127.0.0.1", port), 20)
    with context.wrap_socket(plain, server_hostname="localhost") as client:
        http.initiate_connection()
        http.send_headers(1, [*pseudo, *fields], end_stream=True)
        while not is_over:
            client.sendall(http.data_to_send())
            for event in http.receive_data(client.recv(65_536)):
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    sections.append(dict(event.headers))
                is_over = is_over or isinstance(event, h2.events.StreamEnded | h2.events.ConnectionTerminated)
    return sections


def test_requests_of_one_connection_run_beside_each_other(port, authority):
    from tests.gateway.http3 import connected

    async def main():
        async with connected(port, authority.certificate) as client:
            slow = client.begin("/wait")
            quick = await asyncio.gather(*[client.ask("/") for _ in range(20)])
            return slow.is_over, [exchange.status for exchange in quick]

    assert asyncio.run(main()) == (False, [200] * 20)
