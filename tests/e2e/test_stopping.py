"""Signals and start-up failures, as a process manager sees them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.serving import ROOT, WAIT_S, Serving, environment, receive

APPLICATION = "tests.e2e.app:app"


@pytest.fixture
def server():
    server = Serving(APPLICATION)
    yield server
    server.kill()


def wait_until_refused(server):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was in the kernel's queue when the socket closed
    raise AssertionError("still accepting")


def wait_until_in_flight(server):
    """A later request has been answered, so an earlier one is being served."""
    assert b" 200 OK" in receive(server.ask("/", "Connection: close"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("path", ["/slow/3", "/slow-thread/3"])
def test_request_in_flight_is_finished_first(server, number, path):
    client = server.ask(path)
    wait_until_in_flight(server)

    server.process.send_signal(number)
    reply = receive(client)

    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.endswith(b"\r\n\r\ndone")
    assert b"\r\nConnection: close\r\n" in reply
    assert server.wait() == 0
    assert "Traceback" not in server.log


def test_nothing_is_accepted_while_it_drains(server):
    client = server.ask("/slow/1")
    wait_until_in_flight(server)

    server.process.send_signal(signal.SIGTERM)
    wait_until_refused(server)

    assert receive(client).endswith(b"done")
    assert server.wait() == 0


def test_idle_connection_does_not_hold_it_up(server):
    with server.ask("/") as client:
        assert client.recv(65_536).endswith(b"Hello, World!")
        start = time.monotonic()

        assert server.terminate() == 0

        assert time.monotonic() - start < 15
        assert client.recv(1) == b""


def test_stream_in_flight_is_finished_first(server):
    client = server.ask("/stream")
    assert client.recv(1)

    server.process.send_signal(signal.SIGTERM)

    assert receive(client).endswith(b"0\r\n\r\n")
    assert server.wait() == 0


def test_second_signal_ends_it_at_once(server):
    client = server.ask("/slow/60")
    wait_until_in_flight(server)
    start = time.monotonic()

    server.process.send_signal(signal.SIGTERM)
    server.wait_for_log("stopping")
    server.process.send_signal(signal.SIGTERM)

    assert server.wait() == 130
    assert time.monotonic() - start < 18
    assert "Traceback" not in server.log
    client.close()


def test_second_signal_does_not_wait_for_a_thread(server):
    client = server.ask("/slow-thread/60")
    wait_until_in_flight(server)
    start = time.monotonic()

    server.process.send_signal(signal.SIGINT)
    server.wait_for_log("stopping")
    server.process.send_signal(signal.SIGINT)

    assert server.wait() == 130
    assert time.monotonic() - start < 18
    client.close()


def test_drain_deadline_ends_what_does_not_end_by_itself():
    server = Serving(APPLICATION, "--drain-timeout", "0.3")
    client = server.ask("/slow/60")
    wait_until_in_flight(server)

    assert server.terminate() == 0

    assert "1 connections were cut off" in server.log
    client.close()


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
