"""TLS: a certificate that is good, one that is not, and a server that speaks something else."""

import ssl

import pytest
import trustme

from http_benchmark.errors import NothingMeasured
from http_benchmark.load.generator import LoadOptions, run_load
from http_benchmark.load.scenario import Request, Scenario
from tests.http_benchmark.load.liar import HELLO, answering, lying


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    return made


def load(url, **options):
    options = {"connections": 2, "requests": 20, "warm_up_s": 0.0, "timeout_s": 20.0} | options
    return run_load(Scenario(requests=(Request(url=url),)), LoadOptions(**options))


@pytest.mark.parametrize("more", [{}, {"requests_per_connection": 2}], ids=["kept", "churn"])
def test_a_certificate_that_is_trusted(context, authority, monkeypatch, tmp_path, more):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    with lying(answering(HELLO), context=context) as server:
        made = load(server.url, **more)

    assert (made.requests, made.errors) == (20, {})


def test_a_certificate_nobody_trusts(context):
    with (
        lying(answering(HELLO), context=context) as server,
        pytest.raises(NothingMeasured, match=r"TLS: .*--no-verify-ssl"),
    ):
        load(server.url)

    assert server.requests == []


def test_verification_can_be_switched_off(context):
    with lying(
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + bytes(40_000)), context=context
    ) as server:
        made = load(server.url, verify=False, expect_body=bytes(40_000))

    assert (made.requests, made.errors) == (20, {})


def test_a_server_that_speaks_no_tls():
    def script(peer):
        peer.sock.recv(1)
        peer.say(b"HTTP/1.1 400 What\r\n\r\n")

    with lying(script) as server, pytest.raises(NothingMeasured, match="is it an https server"):
        load(server.url.replace("http:", "https:"))
