"""HTTPS by a process of its own: curl, and certificates that change under load without a failed request."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
import time

import pytest

from tests.e2e.serving import ROOT, WAIT_S, serving
from tests.e2e.workers import children, wait_until
from tests.server.certificates import Authority

APPLICATION = "tests.server.mixed_app:app"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def files(authority, tmp_path):
    """A certificate and its key where they may change."""
    for source, name in zip(authority.issue("server"), ("cert.pem", "key.pem"), strict=True):
        (tmp_path / name).write_bytes(source.read_bytes())
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def flags(files):
    return ["--tls-cert", str(files[0]), "--tls-key", str(files[1]), "--no-access-log"]


class Clients:
    """Threads that ask all the time, half of them on one connection, half on a new one each time."""

    def __init__(self, port, authority, count=6):
        self.context = authority.client()
        self.port = port
        self.replies = 0
        self.failures = []
        self.serials = set()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(at % 2 == 0,)) for at in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._is_over.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def _connect(self):
        return http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=WAIT_S)

    def _run(self, keeps):
        connection = self._connect()
        try:
            while not self._is_over.is_set():
                connection.request("GET", "/")
                reply = connection.getresponse()
                reply.read()
                self.replies += reply.status == 200
                if connection.sock is not None and not keeps:
                    self.serials.add(connection.sock.getpeercert()["serialNumber"])
                if not keeps:
                    connection.close()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        finally:
            connection.close()

    def wait(self, condition, what):
        end = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end, f"{what}: {self.failures}"
            time.sleep(0.01)


def replace(authority, files, name):
    for source, target in zip(authority.issue(name), files, strict=True):
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.replace(target)


def test_curl_is_served(authority, files, need_tool):
    with serving(APPLICATION, *flags(files)) as server:
        url = f"https://localhost:{server.port}/"
        command = [
            need_tool("curl"),
            "-sS",
            "--cacert",
            str(authority.certificate),
            url,
            url,
            "-w",
            "%{http_code} ",
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=WAIT_S)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("200 ") == 2


HOSTED = """
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    server = environ["SERVER_NAME"]
    return [f"{environ['wsgi.url_scheme']} {environ['REMOTE_ADDR']} {server}".encode()]

async def asgi(scope, receive, send):
    content = f"{scope['scheme']} {scope['client'][0]} {scope['server'][0]}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})
"""


@pytest.mark.parametrize("name", ["wsgi", "asgi"])
def test_hosted_applications_hear_of_tls_and_of_the_client(authority, files, tmp_path, name):
    (tmp_path / f"hosted_{name}.py").write_text(HOSTED)
    words = [*flags(files), "--interface", name, "--proxy-trust", "127.0.0.1"]

    with serving(f"hosted_{name}:{name}", *words, cwd=tmp_path) as server:
        connection = http.client.HTTPSConnection("localhost", server.port, context=authority.client())
        contents = []
        for fields in ({}, {"X-Forwarded-For": "203.0.113.9"}):
            connection.request("GET", "/", headers=fields)
            contents.append(connection.getresponse().read())
        connection.close()

    assert contents == [b"https 127.0.0.1 127.0.0.1", b"https 203.0.113.9 127.0.0.1"]


@pytest.mark.parametrize("words", [[], ["--workers", "2"]], ids=["alone", "workers"])
def test_new_certificates_by_a_signal_cost_no_request(authority, files, words):
    with serving(APPLICATION, *flags(files), *words) as server, Clients(server.port, authority) as clients:
        for turn in range(3):
            clients.wait(lambda: len(clients.serials) == turn + 1, "the certificate is seen")  # noqa: B023
            replace(authority, files, f"next-{turn}")
            server.process.send_signal(signal.SIGHUP)
        clients.wait(lambda: len(clients.serials) == 4, "the last certificate is seen")
        before = clients.replies
        clients.wait(lambda: clients.replies > before + 100, "requests go on")

    assert clients.failures == []


def test_broken_certificates_cost_no_request(authority, files):
    with serving(APPLICATION, *flags(files)) as server, Clients(server.port, authority) as clients:
        clients.wait(lambda: clients.serials, "it serves")
        files[1].write_text("broken")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("the old certificates stay in use: tls_cert, tls_key: .* are not a certificate")
        before = clients.replies
        clients.wait(lambda: clients.replies > before + 100, "requests go on")

    assert clients.failures == []
    assert len(clients.serials) == 1
    assert server.log.count("the old certificates stay") == 1


def test_a_reload_with_broken_certificates_brings_new_workers_with_the_old_ones(authority, files):
    with (
        serving(APPLICATION, *flags(files), "--workers", "2") as server,
        Clients(server.port, authority) as clients,
    ):
        clients.wait(lambda: clients.serials, "it serves")
        before = children(server)
        files[1].write_text("broken")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reload done")
        wait_until(lambda: not before & children(server), "the old workers end")
        count = clients.replies
        clients.wait(lambda: clients.replies > count + 100, "requests go on")

    assert clients.failures == []
    assert len(clients.serials) == 1
    assert "the old certificates stay in use: tls_cert, tls_key: " in server.log


def test_a_worker_that_crashes_is_replaced_while_the_certificate_is_broken(authority, files):
    with serving(APPLICATION, *flags(files), "--workers", "2", "--log-level", "debug") as server:
        first = serial(server, authority)
        replace(authority, files, "renewed")
        wait_until(lambda: server.log.count("certificates reloaded") == 3, "all three have read it")
        renewed = serial(server, authority)
        assert renewed != first
        files[0].write_text("broken")
        server.wait_for_log("the old certificates stay in use")
        before = children(server)

        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(children(server) - before) == 2, "both are replaced")

        assert {serial(server, authority) for _ in range(8)} == {renewed}


def serial(server, authority):
    connection = http.client.HTTPSConnection(
        "localhost", server.port, context=authority.client(), timeout=WAIT_S
    )
    try:
        connection.request("GET", "/")
        assert connection.getresponse().read()
        return connection.sock.getpeercert()["serialNumber"]
    finally:
        connection.close()


def test_hundreds_of_handshakes_that_stop_hold_up_nobody(authority, files):
    with serving(APPLICATION, *flags(files), "--tls-handshake-timeout", "5") as server:
        stuck = [server.connect() for _ in range(200)]
        for client in stuck:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")
        connection = http.client.HTTPSConnection(
            "localhost", server.port, context=authority.client(), timeout=WAIT_S
        )
        waits = []
        for _ in range(50):
            begun = time.perf_counter()
            connection.request("GET", "/")
            connection.getresponse().read()
            waits.append(time.perf_counter() - begun)
        connection.close()
        ends = [client.recv(1) for client in stuck]
        for client in stuck:
            client.close()

    assert max(waits) < 4
    assert ends == [b""] * 200
