"""Accepting: limits of connections and descriptors, pauses, recovery, without spinning."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import time
from pathlib import Path

import pytest

from penstock.errors import ConfigError
from penstock.http.response import TextResponse
from penstock.server.bind import Bound, open_listener
from tests.server.harness import Client, endpoint, request, serve, wait_until
from tests.wire.server import run_server

OK = endpoint("inline", lambda request: TextResponse("ok"))


def test_accepting_pauses_at_the_connection_limit_and_goes_on_when_there_is_room():
    with serve({"/": OK}, connection_limit=5) as server:
        clients = [server.connect() for _ in range(8)]
        for client in clients:
            client.send(request("/"))
        assert [client.take().status for client in clients[:5]] == [200] * 5  # type: ignore[union-attr]
        wait_until(lambda: server.log.messages("accepting pauses"), "accepting pauses")
        assert len(server.connections) == 5

        for client in clients[:5]:
            client.close()

        assert [client.take().status for client in clients[5:]] == [200] * 3  # type: ignore[union-attr]
        for client in clients:
            client.close()


def test_at_the_connection_limit_the_reactor_does_not_spin():
    with serve({"/": OK}, connection_limit=2) as server:
        clients = [server.connect() for _ in range(6)]
        wait_until(lambda: len(server.connections) == 2, "the limit is reached")
        turns = 0
        turn = server.reactor._turn

        def count(ready: list[tuple[int, int]]) -> None:
            nonlocal turns
            turns += 1
            turn(ready)

        server.reactor.poller._dispatch = count
        time.sleep(0.3)

        assert turns < 10
        for client in clients:
            client.close()


def test_without_descriptors_accepting_pauses_others_are_served_and_it_recovers():
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    original = subprocess.Popen

    class Limited(original):  # type: ignore[type-arg, misc]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, preexec_fn=limit, **options)  # type: ignore[call-overload]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Limited)
        manager = run_server("tests.server.mixed_app:app", "--no-access-log")
        server = manager.__enter__()
    try:
        with Client(server.port) as client:
            assert client.ask("/").status == 200
            many = [Client(server.port) for _ in range(100)]
            wait_until(lambda: any("accepting pauses" in line for line in server.log), "accepting pauses")
            before = cpu_seconds(server.process.pid)
            begun = time.monotonic()
            while time.monotonic() < begun + 1.0:
                assert client.ask("/").status == 200
                time.sleep(0.01)
            assert cpu_seconds(server.process.pid) - before < 0.4, "it spins"

            for one in many:
                one.close()
            with Client(server.port) as late:
                assert late.ask("/").status == 200
            pauses = sum("accepting pauses" in line for line in server.log)
            assert pauses < 20, "one line a second"
    finally:
        manager.__exit__(None, None, None)
    assert "Traceback" not in "".join(server.log)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_port_in_use_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(ConfigError, match=r"cannot listen on .*the port is in use"):
            open_listener("127.0.0.1", taken.getsockname()[1], 10)


def test_ipv6_is_served_where_there_is_any():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with serve({"/": OK}, host="::1") as server:
        assert server.urls[0].startswith("http://[::1]:")
        with socket.create_connection(("::1", server.port)) as sock:
            sock.sendall(request("/"))

            assert sock.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_a_listening_socket_can_come_from_outside():
    from penstock.server.config import Config
    from penstock.server.serve import Server
    from tests.server.harness import Routes, Running

    running = Running(Routes({"/": OK}), {"log_level": "error"})
    with open_listener("127.0.0.1", 0, 10) as sock:
        running.server = Server(
            running.routes,
            Config(log_level="error", access_log=False),
            bound=[Bound(sock)],
            handles_signals=False,
        )
        running.start()
        assert running.port == sock.getsockname()[1]
        assert running.ask("/").status == 200
        running.stop()
