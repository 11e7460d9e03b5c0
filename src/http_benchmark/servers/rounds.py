"""Servers take turns: each is started alone, checked, loaded, and ended, in every round anew.

A server that fails anywhere, in its first round or its last, is left out with the reason: a figure of fewer
rounds than the others' would not be compared alike.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from http_benchmark.errors import BenchmarkError
from http_benchmark.measurement.turns import turns
from http_benchmark.servers.check import check
from http_benchmark.servers.subject import SubjectFailed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from http_benchmark.measurement.round import Round
    from http_benchmark.servers.definitions import Server, Workload
    from http_benchmark.servers.launch import Launch
    from http_benchmark.servers.load_process import Load

NO_SUCCESS: Final = "no request succeeded"


class MakeLoad(Protocol):
    """Loads a server that is up: `load_process.load_round` or `wrk.load_round`."""

    def __call__(
        self, url: str, workload: Workload, load: Load, server_pid: int, stop: threading.Event | None = None
    ) -> Round: ...


@dataclass(slots=True)
class Measured:
    """What came of one server under one workload."""

    server: Server
    workload: Workload
    rounds: list[Round] = field(default_factory=list)
    left_out: str = ""
    """Why it has no figures; "" when it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One workload, and who is measured under it how."""

    workload: Workload
    launch: Launch
    load: Load
    rounds: int
    make_load: MakeLoad


def measure_servers(
    servers: Sequence[Server],
    plan: Plan,
    *,
    watch: Callable[[Server, Round], None] | None = None,
    stop: threading.Event | None = None,
) -> list[Measured]:
    """Return what was measured, in the order given. `stop` ends the round that runs; it is dropped, and so
    are rounds that not all could have.
    """
    found = {server.name: Measured(server, plan.workload) for server in servers}
    for number, server in turns(servers, plan.rounds):
        measured = found[server.name]
        if stop is not None and stop.is_set():
            break
        if measured.left_out:
            continue
        try:
            done = run_round(server, plan, stop)
        except BenchmarkError as error:
            if stop is not None and stop.is_set():
                break
            measured.left_out = str(error) if not number else f"in round {number + 1}: {error}"
            continue
        done.number = number
        measured.rounds.append(done)
        if watch is not None:
            watch(server, done)
    return _even(list(found.values()))


def run_round(server: Server, plan: Plan, stop: threading.Event | None = None) -> Round:
    """Start a server, check it, load it, check it again, end it; SubjectFailed says what went wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="http-benchmark-") as made,
        plan.launch.start(server, Path(made)) as subject,
    ):
        check(subject.port, plan.workload)
        done = plan.make_load(subject.url, plan.workload, plan.load, subject.pid, stop)
        subject.check_alive()
        check(subject.port, plan.workload)
    if not done.requests:
        raise SubjectFailed(f"{NO_SUCCESS}: {_worst(done)}")
    return done


def _worst(done: Round) -> str:
    """Return what went wrong most often."""
    if not done.errors:
        return "nothing was answered in time"
    kind = max(done.errors, key=lambda kind: done.errors[kind])
    example = done.examples.get(kind, "")
    return f"{done.errors[kind]} x {kind}" + (f", {example}" if example else "")


def _even(found: list[Measured]) -> list[Measured]:
    """Keep of each as many rounds as all have that were not left out."""
    least = min((len(measured.rounds) for measured in found if not measured.left_out), default=0)
    for measured in found:
        del measured.rounds[0 if measured.left_out else least :]
        if not measured.rounds and not measured.left_out:
            measured.left_out = "stopped before its first round was over"
    return found
