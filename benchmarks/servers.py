"""Whole servers: requests per second and CPU time per request over 64 kept connections.

Each server runs alone on one processor, the load on another, in interleaved rounds. CPU time is that of
all its processes, user and system; at saturation it, and not the rate, says what a request costs. Before
it is timed a server must give the right answer. This is `http-benchmark servers` with the answers in the
table of the other programs here; use that command for anything more.
"""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.load import load
from benchmarks.peers import find_python
from benchmarks.report import Options, Report
from benchmarks.subjects import API, FILE, HELLO, WORKLOADS, definitions
from benchmarks.timing import Figure, summarise
from http_benchmark.servers.figures import cpus_of, rates_of
from http_benchmark.servers.launch import Launch, default_cpus
from http_benchmark.servers.load_process import Load, load_round
from http_benchmark.servers.presence import Presence
from http_benchmark.servers.rounds import Measured, Plan, measure_servers

if TYPE_CHECKING:
    from benchmarks.subject import Subject
    from http_benchmark.servers.definitions import Server

_CONNECTIONS = 64
_ROUNDS = 3
_SECONDS = 2
_WARM_UP_S = 1
_QUICK = ("penstock", "penstock-inline", "penstock-threads", "penstock-async", "penstock-def")
NO_WRK = "wrk: not on PATH; the load comes from Python, which limits rates: install the package wrk"


class Round(NamedTuple):
    """One server under load, once."""

    rate_per_s: float
    cpu_us: float
    """User and system, per request."""


def run_round(subject: Subject, workload: str, seconds: int, warm_up_s: int) -> Round:
    """Load a server that is up; SystemExit when it gives a wrong answer."""
    path, _ = WORKLOADS[workload]
    check(subject.port, workload)
    if warm_up_s:
        load(subject.port, path, connections=_CONNECTIONS, seconds=warm_up_s)
    before = subject.usage()
    done = load(subject.port, path, connections=_CONNECTIONS, seconds=seconds)
    after = subject.usage()
    if done.errors or not done.requests:
        raise SystemExit(f"{done.errors} errors in {done.requests} requests")
    used_s = after.user_s + after.system_s - before.user_s - before.system_s
    return Round(done.requests / done.seconds, used_s * 1e6 / done.requests)


def check(port: int, workload: str) -> None:
    """Stop unless the server gives the right answer."""
    path, right = WORKLOADS[workload]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            content = reply.read()
            found = content if isinstance(right, bytes) else json.loads(content)
    except (OSError, ValueError) as error:
        raise SystemExit(f"no answer: {error}") from None
    if found != right:
        raise SystemExit(f"wrong answer {content[:120]!r}")


def measure(options: Options) -> Report:
    """Run every server that is present under each workload it has."""
    report = measure_workloads(options, (HELLO,) if options.is_quick else (HELLO, API))
    if not options.is_quick:
        return report
    return report._replace(left_out=[*report.left_out, "the workload api: not with --quick"])


def measure_workloads(options: Options, workloads: tuple[str, ...]) -> Report:
    """Run the servers that have one of these workloads."""
    figures: list[Figure] = []
    left_out = ["peers: not with --quick"] if options.is_quick else []
    for workload in workloads:
        servers = [
            server
            for server in definitions().servers.values()
            if workload in server.workloads and (not options.is_quick or server.name in _QUICK)
        ]
        presence = Presence(sys.executable, find_python(options.peers), servers)
        missing = {server.name: presence.missing(server) for server in servers}
        left_out += [what for what in missing.values() if what]
        for measured in _measure([each for each in servers if not missing[each.name]], workload, options):
            if measured.left_out:
                left_out.append(f"{measured.server.name}, {workload}: {measured.left_out}")
                continue
            name = measured.server.name
            figures.append(summarise(workload, name, rates_of(measured.rounds), "req/s"))
            figures.append(summarise(workload, name, cpus_of(measured.rounds), "us CPU/req"))
    return Report(sorted(figures, key=lambda figure: (figure.case, figure.unit), reverse=True), left_out)


def _measure(servers: list[Server], workload: str, options: Options) -> list[Measured]:
    server_cpus, load_cpus = default_cpus()
    with tempfile.TemporaryDirectory() as made:
        launch = Launch(
            here=FILE.parent,
            static=Path(made),
            python=sys.executable,
            peers=find_python(options.peers),
            cpus=server_cpus,
        )
        plan = Plan(
            workload=definitions().workloads[workload],
            launch=launch,
            load=Load(
                connections=_CONNECTIONS,
                duration_s=0.3 if options.is_quick else _SECONDS,
                warm_up_s=0 if options.is_quick else _WARM_UP_S,
                cpus=load_cpus,
            ),
            rounds=1 if options.is_quick else _ROUNDS,
            make_load=load_round,
        )
        return measure_servers(servers, plan)


if __name__ == "__main__":
    sys.exit(main(["servers"]))
