"""Whole servers: requests per second and CPU time per request over 64 kept connections.

Each server runs alone on one processor, the load on another, in interleaved rounds. CPU time is that of
all its processes, user and system; at saturation it, and not the rate, says what a request costs. Before
it is timed a server must give the right answer. Workloads: `hello`, GET / as text; `api`, GET
/users/42?verbose=true, converted parameters and JSON back.
"""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.command import main
from benchmarks.load import has_wrk, load
from benchmarks.report import Options, Report
from benchmarks.subject import free_port, serving
from benchmarks.subjects import (
    API,
    HELLO,
    WORKLOADS,
    candidates,
    make_command,
    make_environment,
    select_present,
)
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from benchmarks.subject import Subject

_CONNECTIONS = 64
_ROUNDS = 3
_SECONDS = 2
_WARM_UP_S = 1
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
    known = candidates(options.peers)
    names = [
        name
        for name, candidate in known.items()
        if candidate.workloads.intersection(workloads)
        and (not options.is_quick or name.startswith("penstock"))
    ]
    present, left_out = select_present(names, options.peers)
    if options.is_quick:
        left_out.append("peers: not with --quick")
    if not has_wrk():
        left_out.append(NO_WRK)
    figures: list[Figure] = []
    for workload in workloads:
        able = [name for name in present if workload in known[name].workloads]
        rounds: dict[str, list[Round]] = {name: [] for name in able}
        for _ in range(1 if options.is_quick else _ROUNDS):
            for name in able:
                try:
                    rounds[name].append(_start_and_run(name, workload, options))
                except SystemExit as error:
                    left_out.append(f"{name}, {workload}: {error}")
        for name, done in rounds.items():
            if done:
                figures.append(summarise(workload, name, [one.rate_per_s for one in done], "req/s"))
                figures.append(summarise(workload, name, [one.cpu_us for one in done], "us CPU/req"))
    return Report(sorted(figures, key=lambda figure: (figure.case, figure.unit), reverse=True), left_out)


def _start_and_run(name: str, workload: str, options: Options) -> Round:
    candidate = candidates(options.peers)[name]
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        command = make_command(candidate, port, folder)
        with serving(command, port, make_environment(), folder / "log") as subject:
            return run_round(
                subject, workload, 1 if options.is_quick else _SECONDS, 0 if options.is_quick else _WARM_UP_S
            )


if __name__ == "__main__":
    sys.exit(main(["servers"]))
