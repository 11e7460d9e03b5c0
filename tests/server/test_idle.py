"""Idle keep-alive connections: what each costs in memory, and what they cost the active ones."""

from __future__ import annotations

import gc
import json
import resource
import time
from collections.abc import Iterator

import pytest

from tests.server.harness import Client, request
from tests.wire.server import Server, run_server

COUNT = 10_000
GOAL_BYTES = 1_536


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Raise the limit so that there is one for each connection, here and in the server; or skip, and say so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = COUNT + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the hard limit allows {hard} descriptors (ulimit -Hn); this test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def figures(client: Client) -> dict[str, float]:
    found: dict[str, float] = json.loads(client.ask("/figures").content)
    return found


def open_idle(server: Server, count: int) -> list[Client]:
    clients = []
    octets = request("/")
    for _ in range(count):
        client = Client(server.port)
        client.send(octets)
        clients.append(client)
    for client in clients:
        client.socket.recv(4_096)
    return clients


def cpu_us_per_request(client: Client, count: int = 20_000, batch: int = 1) -> float:
    """CPU of the server per request, one after the other on one connection."""
    octets = request("/") * batch
    size = None
    before = figures(client)["cpu_s"]
    for _ in range(count // batch):
        client.send(octets)
        if size is None:
            client.receive()
            size = len(client.octets)
            client.octets = b""
            continue
        got = 0
        while got < size:
            got += len(client.socket.recv(65_536))
    return (figures(client)["cpu_s"] - before) / count * 1e6


@pytest.mark.slow
@pytest.mark.usefixtures("descriptors")
def test_10_000_idle_connections_cost_little_memory_and_no_time():
    flags = ("--no-access-log", "--idle-timeout", "300", "--connection-limit", "20000")
    with run_server("tests.server.mixed_app:app", *flags) as server, Client(server.port) as client:
        few = open_idle(server, 64)
        with_few = min(cpu_us_per_request(client, 4_000) for _ in range(5))
        gc.collect()
        before = figures(client)["resident_bytes"]
        many = open_idle(server, COUNT - 64)
        after = figures(client)["resident_bytes"]
        each = (after - before) / len(many)
        time.sleep(1.0)  # the page faults of a growing process are over
        with_many = min(cpu_us_per_request(client, 4_000) for _ in range(5))

        print(f"{each:.0f} B resident for each of {len(many)} idle connections, goal {GOAL_BYTES}")
        print(f"CPU per request: {with_few:.1f} us with 64, {with_many:.1f} us with {len(many) + 64}")
        for one in few + many:
            one.close()
        assert each < 2 * GOAL_BYTES
        assert with_many < 2 * with_few + 5  # the goal is 1.2; this machine may be busy
