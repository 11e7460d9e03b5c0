"""Signals and start-up failures, as a process manager sees them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.e2e.serving import ROOT, WAIT_S, Serving

APPLICATION = "tests.e2e.app:app"


@pytest.fixture
def server():
    server = Serving(APPLICATION)
    yield server
    server.kill()


def ask(server, path, *fields):
    """A connection on which a request has been sent."""
    client = server.connect()
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *fields])
    client.sendall(f"{head}\r\n\r\n".encode())
    return client


def receive(client):
    """Everything up to the end of the connection."""
    client.settimeout(WAIT_S)
    with client:
        received = b""
        while piece := client.recv(65_536):
            received += piece
    return received


def wait_until_refused(server):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return
    raise AssertionError("still accepting")


def wait_until_in_flight(server):
    """A later request has been answered, so an earlier one is being served."""
    assert b" 200 OK" in receive(ask(server, "/", "Connection: close"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("path", ["/slow/1", "/slow-thread/1"])
def test_request_in_flight_is_finished_first(server, number, path):
    client = ask(server, path)
    wait_until_in_flight(server)

    server.process.send_signal(number)
    reply = receive(client)

    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.endswith(b"\r\n\r\ndone")
    assert b"\r\nConnection: close\r\n" in reply
    assert server.wait() == 0
    assert "Traceback" not in server.log


def test_nothing_is_accepted_while_it_drains(server):
    client = ask(server, "/slow/1")
    wait_until_in_flight(server)

    server.process.send_signal(signal.SIGTERM)
    wait_until_refused(server)

    assert receive(client).endswith(b"done")
    assert server.wait() == 0


def test_idle_connection_does_not_hold_it_up(server):
    with ask(server, "/") as client:
        assert client.recv(65_536).endswith(b"Hello, World!")
        start = time.monotonic()

        assert server.terminate() == 0

        assert time.monotonic() - start < 5
        assert client.recv(1) == b""


def test_stream_in_flight_is_finished_first(server):
    client = ask(server, "/stream")
    assert client.recv(1)

    server.process.send_signal(signal.SIGTERM)

    assert receive(client).endswith(b"0\r\n\r\n")
    assert server.wait() == 0


def test_second_signal_ends_it_at_once(server):
    client = ask(server, "/slow/60")
    wait_until_in_flight(server)
    start = time.monotonic()

    server.process.send_signal(signal.SIGTERM)
    server.wait_for_log("stopping")
    server.process.send_signal(signal.SIGTERM)

    assert server.wait() == 130
    assert time.monotonic() - start < 10
    assert "Traceback" not in server.log
    client.close()


def test_second_signal_does_not_wait_for_a_thread(server):
    client = ask(server, "/slow-thread/60")
    wait_until_in_flight(server)
    start = time.monotonic()

    server.process.send_signal(signal.SIGINT)
    server.wait_for_log("stopping")
    server.process.send_signal(signal.SIGINT)

    assert server.wait() == 130
    assert time.monotonic() - start < 10
    client.close()


def test_drain_deadline_ends_what_does_not_end_by_itself():
    server = Serving(APPLICATION, "--drain-timeout", "0.3")
    client = ask(server, "/slow/60")
    wait_until_in_flight(server)

    assert server.terminate() == 0

    assert "1 connections were cut off" in server.log
    client.close()


def test_log_tells_requests_and_end(server):
    wait_until_in_flight(server)
    server.terminate()

    lines = re.findall(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO (\S+) (.*)$", server.log, re.MULTILINE)
    # a thread of its own writes the access log, so it may come after the first line of the end
    assert sorted(name for name, _ in lines) == ["penstock.access", "penstock.server", "penstock.server"]
    assert any(re.fullmatch(r'127\.0\.0\.1 "GET / HTTP/1\.1" 200 \d+ [\d.]+ms', text) for _, text in lines)
    assert lines[-1] == ("penstock.server", "stopped")


def test_failure_is_logged_under_the_trace_id_the_client_is_told(server):
    reply = receive(ask(server, "/fails?token=secret", "Connection: close"))
    server.terminate()

    trace_id = re.search(rb'"trace_id":"([0-9a-f]{32})"', reply)[1].decode()
    line = next(line for line in server.log.splitlines() if trace_id in line)
    assert re.search(r"Z ERROR penstock\.error GET /fails\S* HTTP/1\.1: RuntimeError", line)
    assert "secret" not in server.log
    assert "    RuntimeError: on purpose" in server.log


def test_trace_id_of_the_client_is_taken_over(server):
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"

    receive(ask(server, "/fails", f"traceparent: 00-{trace_id}-00f067aa0ba902b7-01", "Connection: close"))
    server.terminate()

    assert trace_id in server.log


def test_higher_level_silences_banner_and_requests():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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


def environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def test_port_in_use_is_one_line_and_code_2(server):
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", APPLICATION, "--port", str(server.port)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"penstock: error: .*\b{server.port}\b.*\n", done.stderr)


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
