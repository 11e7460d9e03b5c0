"""What an idle kept connection costs: memory resident for each of 8,000, and what they add to the CPU time of
active ones.

A server, fresh for each round, is warmed up; its resident memory is read before and after 8,000
connections were opened that each made one request and then stay. The kernel's own buffers are not in it.
Then 64 active connections load it, beside the idle ones and again without them.
"""

from __future__ import annotations

import resource
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.load import exchange, has_wrk, receive_reply
from benchmarks.report import Options, Report
from benchmarks.servers import NO_WRK, run_round
from benchmarks.subject import free_port, serving
from benchmarks.subjects import HELLO, candidates, make_command, make_environment, select_present
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from benchmarks.subject import Subject

IDLE = 8_000
_QUICK_IDLE = 300
_ROUNDS = 3
_SECONDS = 2
_SPARE = 500  # descriptors for everything that is no idle connection
_SETTLE_S = 0.5
_TOGETHER = 50  # opened at once: some servers let a reply wait for the delayed acknowledgement of its head
NAMES = ("penstock", "uvicorn", "granian-rsgi", "nginx")
# granian holds 1,024 connections unless told otherwise.
_GRANIAN = {"GRANIAN_BACKLOG": "10000", "GRANIAN_BACKPRESSURE": "10000"}
_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Round(NamedTuple):
    """What one server showed."""

    resident_kb: float
    """Per idle connection."""
    cpu_alone_us: float
    cpu_beside_idle_us: float


def raise_descriptor_limit(wanted: int) -> int:
    """Allow this process, and those it starts, so many open connections; return how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _SPARE)


def open_idle(port: int, count: int) -> list[socket.socket]:
    """Open connections that make one request each, and return them once all are answered."""
    socks = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(count)]
    for sock in socks:
        sock.sendall(_REQUEST)
    for sock in socks:
        receive_reply(sock)
    return socks


def run_once(subject: Subject, idle: int, seconds: int) -> Round:
    """Measure a fresh server."""
    run_round(subject, HELLO, 1, 0)  # warm-up: what is loaded and allocated once
    before = subject.usage().resident_bytes
    socks: list[socket.socket] = []
    try:
        while len(socks) < idle:
            socks += open_idle(subject.port, min(_TOGETHER, idle - len(socks)))
        time.sleep(_SETTLE_S)
        resident_kb = (subject.usage().resident_bytes - before) / 1024 / idle
        beside = run_round(subject, HELLO, seconds, 0)
        exchange(socks[0], _REQUEST)
        exchange(socks[-1], _REQUEST)  # they are still there
    finally:
        for sock in socks:
            sock.close()
    time.sleep(_SETTLE_S)
    alone = run_round(subject, HELLO, seconds, 0)
    return Round(resident_kb, alone.cpu_us, beside.cpu_us)


def measure(options: Options) -> Report:
    """Measure every server that is present."""
    wanted = _QUICK_IDLE if options.is_quick else IDLE
    idle = raise_descriptor_limit(wanted)
    present, left_out = select_present(NAMES[:1] if options.is_quick else NAMES, options.peers)
    if idle < wanted:
        left_out.append(
            f"{wanted - idle} of {wanted} idle connections: "
            f"the limit of open files is too low; ulimit -n {wanted + _SPARE}"
        )
    if not has_wrk():
        left_out.append(NO_WRK)
    rounds: dict[str, list[Round]] = {name: [] for name in present}
    for _ in range(1 if options.is_quick else _ROUNDS):
        for name in present:
            try:
                rounds[name].append(_start_and_run(name, idle, options))
            except (SystemExit, OSError) as error:
                left_out.append(f"{name}: {error}")
    return Report(_figures(rounds, idle), left_out)


def _start_and_run(name: str, idle: int, options: Options) -> Round:
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        command = make_command(candidates(options.peers)[name], port, folder)
        with serving(command, port, make_environment() | _GRANIAN, folder) as subject:
            return run_once(subject, idle, 1 if options.is_quick else _SECONDS)


def _figures(rounds: dict[str, list[Round]], idle: int) -> list[Figure]:
    figures = []
    for name, done in rounds.items():
        if done:
            figures += [
                summarise(f"{idle} idle", name, [one.resident_kb for one in done], "KB/connection"),
                summarise("64 active", name, [one.cpu_alone_us for one in done], "us CPU/req"),
                summarise(
                    f"64 active beside {idle} idle",
                    name,
                    [one.cpu_beside_idle_us for one in done],
                    "us CPU/req",
                ),
            ]
    return sorted(figures, key=lambda figure: (figure.unit, figure.case))


if __name__ == "__main__":
    sys.exit(main(["memory"]))
