"""Every client that is installed does the same with the same server, in every mode it has."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from contextlib import contextmanager
from time import monotonic, perf_counter_ns

import pytest
import trustme

from http_benchmark.clients.adapter import Call
from tests.http_benchmark.clients.recorder import CONTENT, recording
from tests.http_benchmark.clients.subjects import SUBJECTS, class_of, open_client

every = pytest.mark.parametrize("subject", SUBJECTS, ids=" ".join)


@pytest.fixture(scope="module")
def server():
    with recording() as made:
        yield made


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def secure_server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with recording(context) as made:
        yield made


@contextmanager
def free_port():
    with socket.socket() as bound:  # bound and not listening: nobody else gets it
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def fields_of(request: bytes) -> Counter:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return Counter(
        (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
    )


@every
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_a_request_arrives_as_it_was_given(server, subject, method):
    body = bytes(range(256)) * 3 if method in {"POST", "PUT", "PATCH"} else b""
    with open_client(subject) as client:
        call = Call(
            method,
            f"{server.origin}/echo?a=1&b=%20c",
            {"X-One": "a, b", "Accept": "text/x"},
            body,
            keeps_content=True,
        )

        exchange = client.send(call)

    if method == "HEAD":
        assert (exchange.status, exchange.octets, exchange.content) == (200, 0, b"")
        return
    assert (exchange.status, exchange.octets) == (200, len(exchange.content))
    assert exchange.content.startswith(f"{method} /echo?a=1&b=%20c HTTP/1.1\r\n".encode())
    assert exchange.content.partition(b"\r\n\r\n")[2] == body
    fields = fields_of(exchange.content)
    assert fields["x-one", "a, b"] == fields["accept", "text/x"] == fields["accept-encoding", "identity"] == 1
    names = Counter(name for name, _ in fields)
    assert names["content-type"] == names["cookie"] == names["transfer-encoding"] == names["expect"] == 0
    assert (
        names["content-length"] == fields["content-length", str(len(body))]
    )  # some say 0 where there is none
    assert names["content-length"] == 1 or not body


@every
def test_a_post_without_a_body_says_so(server, subject):
    with open_client(subject) as client:
        exchange = client.send(Call("POST", f"{server.origin}/echo", keeps_content=True))

    assert fields_of(exchange.content)["content-length", "0"] == 1


@every
def test_user_and_password_of_a_url_are_sent(server, subject):
    with open_client(subject) as client:
        exchange = client.get(f"{server.origin.replace('//', '//bob:se%20cret@')}/echo")

    sent = fields_of(exchange.content)
    assert sent["authorization", "Basic Ym9iOnNlIGNyZXQ="] == 1
    assert sent["host", server.origin.partition("//")[2]] == 1


@every
def test_the_users_fields_win(server, subject):
    fields = {"accept-encoding": "gzip", "User-Agent": "mine/1"}
    with open_client(subject) as client:
        exchange = client.get(f"{server.origin}/echo", headers=fields)

    sent = fields_of(exchange.content)
    assert sent["accept-encoding", "gzip"] == sent["user-agent", "mine/1"] == 1
    assert sorted(name for name, _ in sent if name in {"accept-encoding", "user-agent"}) == [
        "accept-encoding",
        "user-agent",
    ]


@every
@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("plain", 200, CONTENT),
        ("chunked", 200, b"c" * 100),
        ("until-closed", 200, CONTENT),
        ("interim", 200, CONTENT),
        ("no-content", 204, b""),
        ("not-modified", 304, b""),
        ("redirect", 302, b"elsewhere"),
        ("nowhere", 404, b"no such thing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_every_framing_is_read_to_its_end_and_the_next_request_is_answered(
    server, subject, path, status, content, streams
):
    with open_client(subject) as client:
        first = client.get(f"{server.origin}/{path}", streams=streams)
        uncounted = client.send(Call("GET", f"{server.origin}/{path}", streams=streams))
        second = client.get(f"{server.origin}/plain")

    assert (first.status, first.octets, first.content) == (status, len(content), content)
    assert (uncounted.status, uncounted.octets) == (status, len(content))
    assert (second.status, second.content) == (200, CONTENT)


ON_HTTP_CLIENT = {"http.client", "requests", "urllib3"}


@pytest.mark.parametrize(
    "subject", [each for each in SUBJECTS if each[0] not in ON_HTTP_CLIENT], ids=" ".join
)
def test_early_hints_are_read_over(server, subject):
    with open_client(subject) as client:
        exchange = client.get(f"{server.origin}/hints")

    assert (exchange.status, exchange.content) == (200, CONTENT)


@every
def test_the_clock_runs_from_send_to_last_octet(server, subject):
    with open_client(subject) as client:
        before = perf_counter_ns()
        exchange = client.get(f"{server.origin}/plain")
        after = perf_counter_ns()

    assert before <= exchange.started_ns < exchange.first_octet_ns <= exchange.finished_ns <= after


@every
def test_content_is_kept_only_when_it_is_wanted_of_a_stream(server, subject):
    with open_client(subject) as client:
        exchange = client.send(Call("GET", f"{server.origin}/plain", streams=True))

    assert (exchange.octets, exchange.content) == (100, None)


@every
@pytest.mark.parametrize(("path", "opened"), [("plain", 1), ("close", 5), ("drop", 5)])
def test_connections_opened_are_counted(server, subject, path, opened):
    before = server.connections
    with open_client(subject) as client:
        for _ in range(5):
            try:
                client.get(f"{server.origin}/{path}")
            except Exception:  # of a connection that was closed while idle
                assert path == "drop"

        assert client.opened == server.connections - before
        assert client.opened == opened or path == "drop"


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject[1] == "async"], ids=" ".join)
def test_tasks_share_a_pool_of_that_many_connections(server, subject):
    before = server.connections
    with open_client(subject, connections=4) as client:
        exchanges = client.together(Call("GET", f"{server.origin}/plain"), tasks=4, each=10)

        assert [exchange.octets for exchange in exchanges] == [100] * 40
        assert 1 <= client.opened == server.connections - before <= 4


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject[1] == "async"], ids=" ".join)
def test_more_tasks_than_connections_wait_for_one(server, subject):
    with open_client(subject, connections=2) as client:
        exchanges = client.together(Call("GET", f"{server.origin}/plain"), tasks=6, each=5)

        assert [exchange.octets for exchange in exchanges] == [100] * 30
        assert 1 <= client.opened <= 2


def test_the_own_client_looks_before_it_uses_an_idle_connection(server):
    with open_client(("penstock", "sync")) as client:
        client.get(f"{server.origin}/plain")
        client.client._used_ns = 0  # long ago
        assert client.get(f"{server.origin}/drop").status == 200
        assert client.opened == 1
        until_s = monotonic() + 20
        while client.client._socket and monotonic() < until_s:  # until the end of the connection has come
            client.client._drop_if_closed()

        assert client.get(f"{server.origin}/plain").status == 200
        assert client.opened == 2


@every
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ["short", "short-chunked"])
def test_content_that_is_cut_short_is_an_error(server, subject, path, streams):
    with open_client(subject) as client, pytest.raises(Exception) as caught:
        client.get(f"{server.origin}/{path}", streams=streams)

    assert class_of(subject[0], caught.value) == "short"


@every
@pytest.mark.parametrize(
    ("path", "kind"),
    [("reset", "reset"), ("nothing", "reset"), ("garbage", "protocol")],
)
def test_errors_are_told_apart_and_leave_a_client_that_works(server, subject, path, kind):
    before = server.requests
    with open_client(subject) as client:
        with pytest.raises(Exception) as caught:
            client.get(f"{server.origin}/{path}")
        tried = server.requests - before
        after = client.get(f"{server.origin}/plain")

    assert class_of(subject[0], caught.value) == kind
    assert tried == 1
    assert after.content == CONTENT


@every
def test_silence_times_out_and_leaves_a_client_that_works(server, subject):
    with open_client(subject, timeout_s=0.3) as client:
        with pytest.raises(Exception) as caught:
            client.get(f"{server.origin}/silent")
        after = None
        for _ in range(100):  # a busy machine may need longer than the timeout
            try:
                after = client.get(f"{server.origin}/plain")
                break
            except Exception as error:
                last = error

    assert class_of(subject[0], caught.value) == "timeout"
    assert after is not None, last
    assert after.content == CONTENT


@every
def test_a_port_nobody_listens_on_is_refused(subject):
    with free_port() as port, open_client(subject) as client, pytest.raises(Exception) as caught:
        client.get(f"http://127.0.0.1:{port}/")

    assert class_of(subject[0], caught.value) == "refused"


@every
def test_cookies_are_not_kept(server, subject):
    with open_client(subject) as client:
        client.get(f"{server.origin}/cookie")
        exchange = client.get(f"{server.origin}/echo")

    assert "cookie" not in {name for name, _ in fields_of(exchange.content)}


@every
def test_the_environment_changes_nothing(server, subject, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1\nlogin who\npassword secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("REQUEST_METHOD", raising=False)

    with open_client(subject) as client:
        exchange = client.get(f"{server.origin}/echo")

    assert exchange.content.startswith(b"GET /echo HTTP/1.1\r\n")
    assert "authorization" not in {name for name, _ in fields_of(exchange.content)}


@every
def test_a_certificate_of_a_known_authority_is_taken(
    secure_server, authority, subject, monkeypatch, tmp_path
):
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with open_client(subject) as client:
        exchanges = [client.get(f"{secure_server.origin}/plain") for _ in range(3)]

        assert [exchange.content for exchange in exchanges] == [CONTENT] * 3
        assert client.opened == 1


@every
def test_silence_over_tls_times_out(secure_server, subject):
    with open_client(subject, timeout_s=0.3, verify=False) as client, pytest.raises(Exception) as caught:
        client.get(f"{secure_server.origin}/silent")

    assert class_of(subject[0], caught.value) == "timeout"


SENDS_AGAIN = {"pycurl"}


@every
def test_a_request_that_a_kept_connection_loses_is_not_sent_again(server, subject):
    with open_client(subject) as client:
        client.get(f"{server.origin}/plain")
        before = server.requests
        with pytest.raises(Exception) as caught:
            client.get(f"{server.origin}/nothing")

    assert class_of(subject[0], caught.value) == "reset"
    assert (server.requests - before > 1) == (subject[0] in SENDS_AGAIN)


@every
def test_a_certificate_of_an_unknown_authority_is_refused(secure_server, subject, monkeypatch, tmp_path):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    before = secure_server.requests
    with open_client(subject) as client, pytest.raises(Exception) as caught:
        client.get(f"{secure_server.origin}/plain")

    assert class_of(subject[0], caught.value) == "tls"
    assert secure_server.requests == before


@every
def test_without_verification_it_is_taken_in_silence(secure_server, subject, capfd):
    with open_client(subject, verify=False) as client:
        exchanges = [client.get(f"{secure_server.origin}/plain") for _ in range(3)]

        assert [exchange.content for exchange in exchanges] == [CONTENT] * 3
        assert client.opened == 1
    assert capfd.readouterr() == ("", "")


@every
def test_a_server_of_another_name_is_refused(subject, authority, monkeypatch, tmp_path):
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with recording(context) as server, open_client(subject) as client, pytest.raises(Exception) as caught:
        client.get(f"{server.origin}/plain")

    assert class_of(subject[0], caught.value) == "tls"


@every
def test_without_any_authority_nothing_is_verified_by_mistake(
    server, secure_server, subject, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with open_client(subject) as client:
        assert client.get(f"{server.origin}/plain").content == CONTENT
        with pytest.raises(Exception) as caught:
            client.get(f"{secure_server.origin}/plain")

    assert class_of(subject[0], caught.value) == "tls"
