from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from http_benchmark.errors import BenchmarkError, UsageError
from http_benchmark.targets.process import open_listener, running
from http_benchmark.targets.trouble import Behaviour, trouble
from penstock.server.certificates import make_self_signed

SOURCE = Path(__file__).resolve().parents[3] / "src"
WAIT_S = 30


def connect(server):
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S))


def fetch(connection, method="GET", body=None, **headers):
    connection.request(method, "/", body, headers)
    reply = connection.getresponse()
    return reply.status, reply.read()


def receive(client):
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition):
    limit = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_every_kind_of_reply_is_sent_and_counted_exactly():
    found = Counter()
    behaviour = Behaviour(error_every=10, reset_every=10, short_every=10, closed_every=10, slow_every=10)

    with trouble(behaviour) as server, connect(server) as connection:
        for _ in range(100):
            try:
                found[fetch(connection)[0]] += 1
            except (ConnectionResetError, http.client.IncompleteRead) as error:
                found[type(error).__name__] += 1
                connection.close()
        counts = server.counts()

    assert found == {200: 70, 500: 10, "ConnectionResetError": 10, "IncompleteRead": 10}
    assert counts.requests == 100
    assert (counts.ok, counts.slow, counts.error, counts.reset, counts.short, counts.closed) == (
        50,
        *[10] * 5,
    )
    assert counts.connections == 31  # one, and one after each that was reset, cut or closed
    assert counts.abandoned == 0


def test_a_delay_is_kept_to_the_millisecond():
    with trouble(Behaviour(delay_s=0.02)) as server, connect(server) as connection:
        for _ in range(20):
            fetch(connection)
        counts = server.counts()

    mean_s = counts.in_flight_ns / counts.requests / 1e9
    assert 0.02 <= mean_s < 0.06  # benchmarks measure it strictly


def test_the_whole_server_pauses_once():
    with trouble(Behaviour(pause_s=0.3, pause_at_s=0.0)) as server, connect(server) as connection:
        started = time.perf_counter()
        for _ in range(3):
            fetch(connection)
        elapsed_s = time.perf_counter() - started
        counts = server.counts()

    assert elapsed_s >= 0.3
    assert 0.3e9 <= counts.paused_ns < elapsed_s * 1e9


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("octets", [0, 13, 1_000_000])
def test_content_arrives_whole_in_every_framing(framing, octets):
    with trouble(Behaviour(framing=framing, content_octets=octets)) as server, connect(server) as connection:
        statuses = [fetch(connection, "POST", b"x" * 200_000) for _ in range(3)]
        assert fetch(connection, "HEAD") == (200, b"")
        counts = server.counts()

    assert {(status, len(content)) for status, content in statuses} == {(200, octets)}
    assert counts.connections == (4 if framing == "close" else 1)


def test_a_request_may_be_chunked_and_wait_for_100_continue():
    with trouble() as server, socket.create_connection(("127.0.0.1", server.port), WAIT_S) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"5\r\n\r\n0\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        replies = receive(client)
        counts = server.counts()

    assert replies.count(b"HTTP/1.1 200 OK") == 2
    assert counts.requests == 2


@pytest.mark.parametrize("delay_s", [0.0, 0.01])
def test_pipelined_requests_are_answered_one_after_the_other(delay_s):
    with (
        trouble(Behaviour(delay_s=delay_s)) as server,
        socket.create_connection(("127.0.0.1", server.port), WAIT_S) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 9 + b"GET / HTTP/1.0\r\n\r\n")
        replies = receive(client)

    assert replies.count(b"Hello, World!") == 10
    assert replies.endswith(b"Connection: close\r\n\r\nHello, World!")


def test_a_head_may_come_octet_by_octet():
    with trouble(Behaviour(head_octet_s=0.001)) as server, connect(server) as connection:
        started = time.perf_counter()
        first, second = fetch(connection), fetch(connection)
        elapsed_s = time.perf_counter() - started

    assert first == second == (200, b"Hello, World!")
    assert elapsed_s > 0.1


def test_a_connection_may_wait_before_it_is_served():
    with trouble(Behaviour(accept_delay_s=0.2)) as server, connect(server) as connection:
        started = time.perf_counter()
        fetch(connection)
        elapsed_s = time.perf_counter() - started
        counts = server.counts()

    assert elapsed_s > 0.19
    assert counts.in_flight_ns < 0.15e9


def test_a_silent_server_takes_requests_and_tells_who_left():
    with trouble(Behaviour(is_silent=True)) as server:
        with socket.create_connection(("127.0.0.1", server.port), WAIT_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: server.counts().requests == 1)
        wait_until(lambda: server.counts().abandoned == 1)


def test_a_close_that_nobody_announced_is_found_at_the_next_request():
    with trouble(Behaviour(closed_every=1, announces_close=False)) as server, connect(server) as connection:
        assert fetch(connection)[0] == 200
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            fetch(connection)


@pytest.mark.need_tool("openssl")
def test_it_speaks_tls(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pem = make_self_signed()
    context = ssl.create_default_context(cafile=pem)

    with (
        trouble(Behaviour(content_octets=100_000, short_every=3), tls=(pem, pem)) as server,
        closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context)) as connection,
    ):
        assert len(fetch(connection)[1]) == 100_000
        with pytest.raises(http.client.IncompleteRead):
            fetch(connection)
        counts = server.counts()

    assert server.url.startswith("https://127.0.0.1:")
    assert (counts.ok, counts.short) == (1, 1)


def test_it_listens_on_a_unix_socket(tmp_path):
    path = str(tmp_path / "it.sock")

    with trouble(unix=path) as server, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(path)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert receive(client).endswith(b"Hello, World!")
        assert server.unix == path

    assert not Path(path).exists()


def test_a_path_that_is_taken_is_told(tmp_path):
    (tmp_path / "it.sock").touch()

    with (
        pytest.raises(UsageError, match=r"cannot listen at .*it\.sock: Address already in use"),
        trouble(unix=str(tmp_path / "it.sock")),
    ):
        pass


def test_it_ends_when_it_is_no_longer_needed():
    with trouble() as server:
        pid = server.pid

    assert not is_alive(pid)


def test_it_ends_when_its_owner_is_killed():
    script = (
        "import sys\nfrom http_benchmark.targets.trouble import trouble\n"
        "with trouble() as server:\n    print(server.pid, flush=True)\n    sys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        pid = int(owner.stdout.readline())
        owner.kill()

    wait_until(lambda: not is_alive(pid))


def test_a_server_that_cannot_start_says_why():
    def is_ready(limit_s):
        with socket.create_connection(address, limit_s) as client:
            if not client.recv(1):
                raise ConnectionResetError

    listener = open_listener()
    address = listener.getsockname()

    with (
        pytest.raises(BenchmarkError, match=r"does not start: .*No module named"),
        running("http_benchmark.absent", [], listener, is_ready),
    ):
        pass


def test_the_command_prints_its_port():
    words = [sys.executable, "-m", "http_benchmark.targets.trouble", "--delay-s", "0.001", "--no-is-silent"]
    process = subprocess.Popen(
        words, env=os.environ | {"PYTHONPATH": str(SOURCE)}, stdout=subprocess.PIPE, text=True
    )
    with process:
        port = int(process.stdout.readline())
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as connection:
            assert fetch(connection) == (200, b"Hello, World!")
        process.send_signal(signal.SIGINT)

    assert process.returncode == 130


def test_rules_that_cannot_be_kept_are_told_by_the_command(capsys):
    from http_benchmark.targets.trouble import main

    with pytest.raises(SystemExit) as ended, suppress(ValueError):
        main(["--framing", "close", "--short-every", "2"])

    assert ended.value.code == 2
    assert "never seen to be short" in capsys.readouterr().err
