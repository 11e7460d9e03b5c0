"""What a running server writes to stderr, and that nothing depends on somebody reading it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.e2e.serving import ROOT, WAIT_S, Serving, environment, receive
from tests.ports import free_port

APPLICATION = "tests.e2e.app:app"


@pytest.fixture
def server():
    server = Serving(APPLICATION)
    yield server
    server.kill()


def test_log_tells_requests_and_end(server):
    receive(server.ask("/", "Connection: close"))
    server.terminate()

    lines = re.findall(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO (\S+) (.*)$", server.log, re.MULTILINE)
    # a thread of its own writes the access log, so it may come after the first line of the end
    assert sorted(name for name, _ in lines) == ["penstock.access", "penstock.server", "penstock.server"]
    assert any(
        re.fullmatch(r'127\.0\.0\.1 "GET / HTTP/1\.1" 200 \d+ [\d.]+ms trace_id=[0-9a-f]{32}', text)
        for _, text in lines
    )
    assert lines[-1] == ("penstock.server", "stopped")


def test_failure_is_logged_under_the_trace_id_the_client_is_told(server):
    reply = receive(server.ask("/fails?token=secret", "Connection: close"))
    server.terminate()

    trace_id = re.search(rb'"trace_id":"([0-9a-f]{32})"', reply)[1].decode()
    line = next(line for line in server.log.splitlines() if trace_id in line)
    assert re.search(r"Z ERROR penstock\.error GET /fails\S* HTTP/1\.1: RuntimeError", line)
    assert "secret" not in server.log
    assert "    RuntimeError: on purpose" in server.log


def test_trace_id_of_the_client_is_taken_over(server):
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"

    receive(server.ask("/fails", f"traceparent: 00-{trace_id}-00f067aa0ba902b7-01", "Connection: close"))
    server.terminate()

    assert trace_id in server.log


def test_higher_level_silences_banner_and_requests():
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "penstock",
        "run",
        APPLICATION,
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        try:
            wait_until_listening(port)
            with socket.create_connection(("127.0.0.1", port), WAIT_S) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert receive(client).endswith(b"Hello, World!")
            child.send_signal(signal.SIGTERM)
            _, log = child.communicate(timeout=WAIT_S)
        finally:
            child.kill()

    assert (child.returncode, log) == (0, "")


def wait_until_listening(port):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            continue
        return
    raise AssertionError("it never listened")


def test_closed_stderr_does_not_stop_it():
    """Whoever read the log went away; serving goes on."""
    command = [sys.executable, "-m", "penstock", "run", APPLICATION, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        try:
            banner = ""
            while "  bounds " not in banner:
                banner += child.stderr.readline()
            child.stderr.close()
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)", banner)[1])
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port), WAIT_S) as client:
                    client.sendall(b"GET /fails HTTP/1.0\r\n\r\n")
                    assert b" 500 " in receive(client)
            child.send_signal(signal.SIGTERM)
            assert child.wait(WAIT_S) == 0
        finally:
            child.kill()


@pytest.mark.parametrize("path", ["/splits", "/splits-thread", "/splits-stream"])
def test_response_that_would_split_is_logged_under_the_trace_id_the_client_is_told(server, path):
    reply = receive(server.ask(path, "Connection: close"))
    server.terminate()

    trace_id = re.search(rb'"trace_id":"([0-9a-f]{32})"', reply)[1].decode()
    assert reply.startswith(b"HTTP/1.1 500 ")
    assert b"Set-Cookie" not in reply
    assert re.search(
        rf"Z ERROR penstock\.server .*cannot be sent, trace id {trace_id}: .*X-Split", server.log
    )
    assert "Traceback" not in server.log


def test_stream_that_fails_midway_is_cut_and_logged(server):
    reply = receive(server.ask("/fails-midway"))
    server.terminate()

    assert reply.endswith(b"5\r\nbegun\r\n")  # no last chunk: the client learns that something is missing
    assert re.search(r"Z ERROR penstock\.server .*the stream failed, trace id [0-9a-f]{32}", server.log)


def test_malformed_request_is_one_line(server):
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nbad field: \x1b[31m\r\n\r\n")
        reply = receive(client)
    server.terminate()

    lines = [line for line in server.log.splitlines() if ": refused, " in line]
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nConnection: close\r\n" in reply
    assert len(lines) == 1
    assert re.search(r"Z INFO penstock\.server 127\.0\.0\.1:\d+: refused, 400: ", lines[0])
    assert lines[0].isprintable()


def test_log_that_nobody_reads_holds_up_nobody():
    """The pipe is full after 64 KiB; from then on lines are lost, and only lines."""
    command = [sys.executable, "-m", "penstock", "run", APPLICATION, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        try:
            banner = ""
            while "  bounds " not in banner:
                banner += child.stderr.readline()
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)", banner)[1])
            with socket.create_connection(("127.0.0.1", port), WAIT_S) as client:
                for _ in range(200):
                    client.sendall(b"GET /fails HTTP/1.1\r\nHost: t\r\n\r\n" * 10)
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                received = receive(client)
            child.send_signal(signal.SIGTERM)
            assert child.wait(WAIT_S) == 0
        finally:
            child.kill()

    assert received.count(b"HTTP/1.1 500 ") == 2000
    assert received.endswith(b"Hello, World!")
