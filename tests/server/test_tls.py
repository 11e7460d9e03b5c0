"""TLS over real sockets: what is served, what is refused, and certificates that change while it runs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import ssl
import time
import warnings
from pathlib import Path

import pytest

from penstock.errors import ConfigError
from penstock.http.file_response import FileResponse
from penstock.http.response import JSONResponse, Response, StreamResponse, TextResponse
from penstock.server.bind import open_all
from penstock.server.certificates import names_of
from penstock.server.config import Config
from tests.server.certificates import Authority, openssl
from tests.server.harness import WAIT_S, Client, endpoint, request, serve, wait_until

BIG = os.urandom(65_536) * 48  # 3 MiB: more than the kernel buffers for a client that does not read


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue("server")


@pytest.fixture
def files(pair, tmp_path):
    """The certificate and the key where a test may change them."""
    for source, name in zip(pair, ("cert.pem", "key.pem"), strict=True):
        (tmp_path / name).write_bytes(source.read_bytes())
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def secure(client: Client, context: ssl.SSLContext, name: str = "localhost") -> Client:
    client.socket = context.wrap_socket(client.socket, server_hostname=name)
    return client


def settings(pair, **others):
    return {"tls_cert": str(pair[0]), "tls_key": str(pair[1]), **others}


def pieces(count: int):
    async def produce():
        for _ in range(count):
            yield BIG[:65_536]

    return produce()


def produce_in_thread(count: int):
    for _ in range(count):
        yield BIG[:65_536]


ROUTES = {
    "/": endpoint("inline", lambda request: TextResponse(f"{request.scheme} {request.url}")),
    "/thread": endpoint("thread", lambda request: TextResponse("threaded")),
    "/certificate": endpoint("thread", lambda request: JSONResponse(request.client_certificate)),
    "/task": endpoint("task", lambda request: TextResponse("task")),
    "/echo": endpoint("thread", lambda request: Response(request.body), body_limit=2**23),
    "/big": endpoint("inline", lambda request: Response(BIG)),
    "/big-thread": endpoint("thread", lambda request: Response(BIG)),
    "/stream": endpoint("task", lambda request: StreamResponse(pieces(48))),
    "/stream-thread": endpoint("thread", lambda request: StreamResponse(produce_in_thread(48))),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("target", ["/", "/thread", "/task"])
def test_requests_are_answered_one_after_the_other(authority, pair, version, target):
    context = authority.client()
    context.maximum_version = context.minimum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])

    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), context)
        replies = [client.ask(target) for _ in range(3)]
        protocol = client.socket.selected_alpn_protocol()

    assert [reply.status for reply in replies] == [200] * 3
    assert protocol == "http/1.1"
    assert server.urls[0].startswith("https://")
    if target == "/":
        assert replies[0].content == b"https https://test/"


def test_versions_before_1_2_are_refused(authority, pair):
    context = authority.client()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with serve(ROUTES, **settings(pair)) as server, pytest.raises(ssl.SSLError):
        secure(server.connect(), context)


@pytest.mark.parametrize("target", ["/big", "/big-thread", "/stream", "/stream-thread"])
@pytest.mark.parametrize("pause_s", [0.0, 0.2])
def test_large_replies_arrive_whole(authority, pair, target, pause_s):
    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(receive_buffer_bytes=8192), authority.client())
        client.send(request(target) * 2)
        time.sleep(pause_s)  # the client does not read: sends stop half-way and are taken up again
        first, second = client.take(), client.take()

    assert first.content == second.content == BIG


@pytest.mark.parametrize("size", [1, 16_383, 16_384, 16_385, 65_536, 5_000_000])
def test_content_of_any_size_is_received(authority, pair, size):
    body = os.urandom(size)

    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), authority.client())
        replies = [client.ask("/echo", "POST", body=body) for _ in range(2)]

    digest = hashlib.sha256(body).digest()
    assert [hashlib.sha256(reply.content).digest() for reply in replies] == [digest] * 2


def test_a_thread_may_send_while_the_client_sends(authority, pair):
    count = 400
    octets = b"".join(request("/echo", "POST", body=bytes([n % 251]) * 3000) for n in range(count))

    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), authority.client())
        client.socket.setblocking(
            False
        )  # one thread: of a client's socket, too, only one side may be at work
        while octets:
            try:
                octets = octets[client.socket.send(octets[:777]) :]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            try:
                client.receive()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        client.socket.settimeout(WAIT_S)
        contents = [client.take().content for _ in range(count)]

    assert contents == [bytes([n % 251]) * 3000 for n in range(count)]


def test_the_end_is_told_by_close_notify(authority, pair):
    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), authority.client())
        client.socket.suppress_ragged_eofs = False  # an end without close_notify is an error from here on
        client.send(request("/", "GET", "Connection: close"))
        reply = client.take()

        assert reply.status == 200
        assert client.ends()


def test_an_idle_connection_ends_with_close_notify(authority, pair):
    with serve(ROUTES, idle_timeout_s=0.2, **settings(pair)) as server:
        client = secure(server.connect(), authority.client())
        client.socket.suppress_ragged_eofs = False
        client.ask("/")

        assert client.ends()


def test_a_client_that_says_goodbye_is_let_go(authority, pair):
    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), authority.client())
        client.ask("/")
        client.socket.unwrap()
        server.wait_idle()


def test_a_client_that_leaves_without_a_word_is_let_go(authority, pair):
    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), authority.client())
        client.ask("/")
        client.reset()
        server.wait_idle()


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\n"])
def test_plain_http_gets_a_readable_400(pair, before):
    with serve(ROUTES, **settings(pair)) as server:
        client = server.connect(before + request("/"))
        reply = client.take()

        assert reply.status == 400
        assert b"https://" in reply.content
        assert client.ends()
        wait_until(lambda: server.log.messages("plain HTTP"), "it is logged")


@pytest.mark.parametrize(
    "octets",
    [b"\x16\x03\x01\x02\x00" + b"\xff" * 512, b"\x00" * 100, b"\x80\x2e\x01\x03\x01", b"\x16\x15\x03\x01"],
)
def test_garbage_is_closed_with_one_line(pair, octets):
    with serve(ROUTES, tls_handshake_timeout_s=1.0, **settings(pair)) as server:
        client = server.connect(octets)
        try:
            client.take_all()
        except ConnectionResetError:
            pass
        server.wait_idle()

        assert len(server.log.messages("no TLS handshake")) == 1


def test_a_handshake_that_stops_is_cut_off(pair):
    with serve(ROUTES, tls_handshake_timeout_s=0.2, **settings(pair)) as server:
        clients = [server.connect(), server.connect(b"\x16"), server.connect(b"\x16\x03\x01\x02\x00\x01")]

        assert all(client.ends() for client in clients)
        wait_until(lambda: len(server.log.messages("no TLS handshake within 0.2 s")) == 3, "each is logged")


def test_a_stop_does_not_wait_for_a_handshake(pair):
    with serve(ROUTES, **settings(pair)) as server:
        server.connect(b"\x16")
        wait_until(lambda: server.connections, "it is accepted")
        begun = time.monotonic()
        server.stop()

    assert time.monotonic() - begun < 15


def test_the_name_asked_for_chooses_the_certificate(authority):
    pairs = [authority.issue("first", "a.test", "*.a.test"), authority.issue("second", "b.test")]
    certificates, keys = zip(*pairs, strict=True)

    with serve(ROUTES, tls_cert=list(map(str, certificates)), tls_key=list(map(str, keys))) as server:
        found = {}
        for name in ("a.test", "www.a.test", "b.test", "B.TEST"):
            client = secure(server.connect(), authority.client(), name)
            assert client.ask("/").status == 200
            found[name] = dict(field[0] for field in client.socket.getpeercert()["subject"])["commonName"]
        context = authority.client()
        context.check_hostname = False
        client = secure(server.connect(), context, "unknown.test")
        found[""] = dict(field[0] for field in client.socket.getpeercert()["subject"])["commonName"]

    assert found == {
        "a.test": "first", "www.a.test": "first", "b.test": "second", "B.TEST": "second", "": "first"
    }  # fmt: skip


def test_clients_show_a_certificate_where_one_is_asked_for(authority, pair, tmp_path):
    stranger = Authority(tmp_path, "stranger")

    with serve(ROUTES, **settings(pair, tls_client_ca=str(authority.certificate))) as server:
        known = secure(server.connect(), authority.client(*authority.issue("client")))
        assert known.ask("/").status == 200
        certificate = json.loads(known.ask("/certificate").content)
        assert ["DNS", "localhost"] in certificate["subjectAltName"]
        assert certificate == json.loads(known.ask("/certificate").content)

        for shown in ((), stranger.issue("client")):
            with pytest.raises(OSError):
                secure(server.connect(), authority.client(*shown)).ask("/")
        wait_until(lambda: len(server.log.messages("no TLS handshake")) == 2, "they are logged")


def test_who_is_not_asked_for_a_certificate_has_none(authority, pair):
    with serve(ROUTES, **settings(pair)) as server:
        client = secure(server.connect(), authority.client(*authority.issue("unasked")))

        assert client.ask("/certificate").content == b"null"


def serial(server, authority) -> str:
    client = secure(server.connect(), authority.client())
    return client.socket.getpeercert()["serialNumber"]


def test_new_certificates_are_used_and_nobody_is_dropped(authority, files):
    with serve(ROUTES, **settings(files)) as server:
        old = secure(server.connect(), authority.client())
        old.ask("/")
        before = serial(server, authority)
        server.reactor.tls._check_at = 0.0

        for source, target in zip(authority.issue("next"), files, strict=True):
            fresh = target.with_suffix(".new")
            fresh.write_bytes(source.read_bytes())
            fresh.replace(target)
        wait_until(lambda: server.log.messages("certificates reloaded"), "the change is seen")

        assert serial(server, authority) != before
        assert old.ask("/").status == 200


def test_old_certificates_stay_when_the_new_ones_are_broken(authority, files, pair):
    with serve(ROUTES, **settings(files)) as server:
        before = serial(server, authority)

        files[0].write_text("broken")
        wait_until(lambda: server.log.messages("the old certificates stay"), "the fault is seen")
        assert serial(server, authority) == before

        files[0].write_bytes(pair[0].read_bytes())
        wait_until(lambda: server.log.messages("certificates reloaded"), "the repair is seen")
        assert serial(server, authority) == before
        assert len(server.log.messages("the old certificates stay")) == 1


def fault(**values) -> str:
    with pytest.raises(ConfigError) as caught:
        open_all(Config(port=0, **values))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_is_told_at_the_start(authority, pair, tmp_path):
    other = authority.issue("other")
    text = tmp_path / "text.pem"
    text.write_text("text")

    assert "is not the key of the certificate" in fault(**settings((pair[0], other[1])))
    assert "cannot read" in fault(**settings((pair[0], tmp_path / "none")))
    assert "are not a certificate and a key" in fault(**settings((text, pair[1])))
    assert "is --tls-key missing?" in fault(tls_cert=str(pair[0]))
    assert "they go in pairs" in fault(tls_cert=str(pair[0]), tls_key=f"{pair[1]},{other[1]}")
    assert "holds no certificate" in fault(**settings(pair, tls_client_ca=str(text)))
    assert "set tls_cert" in fault(tls_client_ca=str(pair[0]))
    assert "one of the two" in fault(**settings(pair, tls_self_signed=True))


def test_an_encrypted_key_needs_its_password(authority, pair, tmp_path):
    locked = tmp_path / "locked.key"
    openssl("ec", "-aes256", "-in", str(pair[1]), "-out", str(locked), "-passout", "pass:open sesame")

    assert "--tls-key-password does not open it" in fault(**settings((pair[0], locked)))
    assert "does not open it" in fault(**settings((pair[0], locked), tls_key_password="wrong"))
    with serve(ROUTES, **settings((pair[0], locked), tls_key_password="open sesame")) as server:
        assert secure(server.connect(), authority.client()).ask("/").status == 200


def test_a_certificate_for_development_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    for _ in range(2):
        with serve(ROUTES, tls_self_signed=True) as server:
            context = ssl.create_default_context(cafile=str(tmp_path / "penstock" / "self-signed.pem"))
            client = secure(server.connect(), context, "localhost")
            assert client.ask("/").status == 200

    (kept,) = (tmp_path / "penstock").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_without_openssl_there_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    message = fault(tls_self_signed=True)

    assert "the program openssl is needed" in message
    assert "--tls-cert" in message


def test_names_are_read_from_a_certificate(authority):
    certificate, _ = authority.issue("names", "One.test", "*.two.test")

    assert names_of(certificate.read_bytes()) == ["one.test", "*.two.test"]
    assert names_of(b"no certificate") == []


def test_a_certificate_cut_short_names_nobody(pair):
    der = ssl.PEM_cert_to_DER_cert(Path(pair[0]).read_text())

    for size in range(len(der)):
        names_of(ssl.DER_cert_to_PEM_cert(der[:size]).encode())


def test_unix_sockets_speak_tls_as_well(authority, pair, tmp_path):
    path = tmp_path / "s"
    with serve(ROUTES, bind=f"unix:{path}", **settings(pair)), socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(WAIT_S)
        plain.connect(str(path))
        with authority.client().wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(request("/"))

            assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_the_log_of_a_secure_server_is_quiet(authority, pair):
    with serve(ROUTES, **settings(pair)) as server:
        secure(server.connect(), authority.client()).ask("/")
        server.stop()

    assert not [record for record in server.log.records if record.levelno > logging.INFO]


def test_files_are_sent_over_tls(authority, pair, tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(BIG)
    routes = {"/": endpoint("inline", lambda request: FileResponse(path))}

    with serve(routes, **settings(pair)) as server:
        client = secure(server.connect(receive_buffer_bytes=8192), authority.client())
        client.send(request("/") * 2)
        replies = [client.take() for _ in range(2)]
        part = client.ask("/", "GET", "Range: bytes=1000000-1999999")

    assert [reply.content for reply in replies] == [BIG] * 2
    assert part.content == BIG[1_000_000:2_000_000]


def test_a_client_that_ends_with_its_request_gets_the_reply(authority, pair):
    """Its close_notify is met while ours is sent; whatever is read after that is the end and no fault."""
    with serve(ROUTES, **settings(pair)) as server:
        for _ in range(5):
            client = server.connect()
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = authority.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
            is_ready = False
            while not is_ready:
                try:
                    session.do_handshake()
                    is_ready = True
                except ssl.SSLWantReadError:
                    client.send(outgoing.read())
                    incoming.write(client.socket.recv(65_536))
            session.write(request("/", "GET", "Connection: close"))
            with pytest.raises(ssl.SSLWantReadError):
                session.unwrap()
            client.send(outgoing.read())
            incoming.write(client.take_all())
            client.close()

            assert session.read(65_536).startswith(b"HTTP/1.1 200 ")
        server.wait_idle()
