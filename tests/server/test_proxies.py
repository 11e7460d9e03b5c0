"""Proxies over real sockets: whose word counts, for which parts of a request, and what comes ahead of TLS."""

from __future__ import annotations

import json
import socket
import struct
import time

import pytest

from penstock.errors import ConfigError
from penstock.http.response import JSONResponse
from penstock.server.bind import open_all
from penstock.server.config import Config
from tests.server.certificates import Authority
from tests.server.harness import WAIT_S, endpoint, request, serve, wait_until


def tell(request):
    return JSONResponse(
        {
            "client": request.client,
            "scheme": request.scheme,
            "host": request.host,
            "prefix": request.prefix,
            "url": request.url,
            "has_server": request.server is not None,
        }
    )


ROUTES = {f"/{run}": endpoint(run, tell) for run in ("inline", "task", "thread")}
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
HEADER_1 = b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n"
HEADER_2 = (
    SIGNATURE + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 192, 0, 2, 1]) + struct.pack("!HH", 4711, 443)
)
LOCAL_2 = SIGNATURE + b"\x20\x00\x00\x00"


@pytest.mark.parametrize("run", ["inline", "task", "thread"])
def test_a_trusted_proxy_tells_of_the_client(run):
    fields = [
        "X-Forwarded-For: 192.0.2.66, 203.0.113.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-Port: 8443",
        "X-Forwarded-Prefix: /shop",
    ]

    with serve(ROUTES, proxy_trust="127.0.0.1") as server, server.connect() as client:
        told = json.loads(client.ask(f"/{run}", "GET", *fields).content)
        untold = json.loads(client.ask(f"/{run}").content)

    assert told == {
        "client": ["203.0.113.9", 0],
        "scheme": "https",
        "host": "shop.example:8443",
        "prefix": "/shop",
        "url": f"https://shop.example:8443/shop/{run}",
        "has_server": True,
    }
    assert untold["client"][0] == "127.0.0.1", "what one request said does not stay with the connection"
    assert untold["url"] == f"http://test/{run}"


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        (["X-Forwarded-Host: a.test:81", "X-Forwarded-Port: 82"], "a.test:81"),
        (["X-Forwarded-Host: a.test", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"], "a.test"),
        (["X-Forwarded-Host: a.test", "X-Forwarded-Port: 443"], "a.test:443"),
        (["X-Forwarded-Host: [::1]", "X-Forwarded-Port: 82"], "[::1]:82"),
        (["X-Forwarded-Port: 82"], "test"),
        (["X-Forwarded-Host: a.test/b"], "test"),
    ],
)
def test_the_port_is_told_where_it_says_more(fields, host):
    with serve(ROUTES, proxy_trust="127.0.0.1") as server, server.connect() as client:
        assert json.loads(client.ask("/inline", "GET", *fields).content)["host"] == host


def test_a_peer_of_a_unix_socket_is_trusted_by_that_name(tmp_path):
    path = tmp_path / "s"
    with serve(ROUTES, bind=f"unix:{path}", proxy_trust="unix"), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        client.sendall(request("/inline", "GET", "X-Forwarded-For: 203.0.113.9"))

        assert b'"client":["203.0.113.9",0]' in client.recv(65_536)


@pytest.mark.parametrize("header", [HEADER_1, HEADER_2])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_header_of_the_proxy_protocol_may_come_in_pieces(header, step):
    octets = header + request("/inline") * 2

    with serve(ROUTES, proxy_trust="127.0.0.1", proxy_protocol=True) as server, server.connect() as client:
        for at in range(0, len(octets), step):
            client.send(octets[at : at + step])
            if step == 1 and at < len(header):
                time.sleep(0.0005)
        replies = [json.loads(client.take().content) for _ in range(2)]

    expected = ["2001:db8::1", 4711] if header is HEADER_1 else ["203.0.113.9", 4711]
    assert [reply["client"] for reply in replies] == [expected] * 2


def test_a_proxy_that_speaks_for_itself_keeps_its_address():
    with serve(ROUTES, proxy_trust="127.0.0.1", proxy_protocol=True) as server:
        client = server.connect(LOCAL_2 + request("/inline"))

        assert json.loads(client.take().content)["client"][0] == "127.0.0.1"


def test_fields_are_believed_of_whom_the_header_names():
    octets = request("/inline", "GET", "X-Forwarded-For: 192.0.2.66")

    with serve(ROUTES, proxy_trust="127.0.0.1", proxy_protocol=True) as server:
        client = server.connect(HEADER_2 + octets)

        assert json.loads(client.take().content)["client"] == ["203.0.113.9", 4711]


@pytest.mark.parametrize(
    "octets", [request("/inline"), b"PROXY TCP4 1.2.3.4\r\n", SIGNATURE + b"\x31", b"\x16\x03\x01"]
)
def test_anything_but_a_header_is_closed_with_one_line(octets):
    with serve(ROUTES, proxy_trust="127.0.0.1", proxy_protocol=True) as server:
        client = server.connect(octets)
        try:
            assert client.take_all() == b""
        except ConnectionResetError:
            pass
        wait_until(lambda: len(server.log.messages("refused, ")) == 1, "it is logged")

    (line,) = server.log.messages("refused, ")
    assert "PROXY" in line


def test_a_header_that_does_not_end_is_cut_off():
    with serve(ROUTES, proxy_trust="127.0.0.1", proxy_protocol=True, head_timeout_s=0.2) as server:
        clients = [server.connect(), server.connect(b"PROXY TCP4 ")]

        assert all(client.ends() for client in clients)
        assert len(server.log.messages("no PROXY protocol header within 0.2 s")) == 2


def test_a_peer_that_leaves_ahead_of_its_header_is_let_go():
    with serve(ROUTES, proxy_trust="127.0.0.1", proxy_protocol=True) as server:
        for octets in (b"", b"PROXY "):
            server.connect(octets).end()
        server.wait_idle()


def test_who_is_not_trusted_sends_no_header():
    with serve(ROUTES, proxy_trust="192.0.2.1", proxy_protocol=True) as server:
        assert server.ask("/inline").status == 200
        assert server.connect(HEADER_1 + request("/inline")).take().status == 400


def test_the_header_comes_ahead_of_tls(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    settings = {"tls_cert": str(certificate), "tls_key": str(key), "proxy_trust": "127.0.0.1"}

    with serve(ROUTES, proxy_protocol=True, **settings) as server:
        client = server.connect(HEADER_2)
        client.socket = authority.client().wrap_socket(client.socket, server_hostname="localhost")
        told = json.loads(client.ask("/inline").content)

        assert told["client"] == ["203.0.113.9", 4711]
        assert told["scheme"] == "https"


def test_a_server_that_trusts_nobody_has_nothing_on_the_path():
    routes = dict(ROUTES)
    with serve(routes) as server:
        assert server.reactor.resolve == server.routes.resolve


def test_what_cannot_be_is_told_at_the_start():
    with pytest.raises(ConfigError, match=r"proxy_trust: expected an address, .*, got '10.0.0.1/8'"):
        Config(proxy_trust=("10.0.0.1/8",))
    with pytest.raises(ConfigError, match="nobody is trusted to send it"):
        open_all(Config(proxy_protocol=True))
