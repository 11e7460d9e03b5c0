"""Whether the targets of http_benchmark are what they say: a ruler has to be checked before it measures.

- How much later than due a reply of `trouble` leaves, by its own count, and what a raw client sees of it.
  Goal: at most 0.2 ms later at one connection.
- Every n-th reply of each kind, counted by the server and by a client: the same, to the last.
- How many replies a second a target gives one core of load. Goal of `trouble`: 15,000.
"""

from __future__ import annotations

import http.client
import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise
from http_benchmark.load.generator import LoadOptions, run_load
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.targets.embedded import embedded
from http_benchmark.targets.trouble import Behaviour, trouble

if TYPE_CHECKING:
    from http_benchmark.measurement.round import Round

GOALS = (
    "goals: replies of trouble at most 0.2 ms late at 1 connection, none miscounted, and 15,000 a second",
)
_DELAY_S = 0.02
_CONNECTIONS = 64
_KINDS = ("error", "reset", "short", "closed", "slow")


def _load(url: str, connections: int, duration_s: float) -> Round:
    options = LoadOptions(connections=connections, duration_s=duration_s, warm_up_s=0.1)
    return run_load(Scenario(requests=(Request(url=url),)), options)


def lateness(*, is_quick: bool) -> list[Figure]:
    """Return how late replies are, in milliseconds after 20."""
    duration_s, rounds = (0.2, 1) if is_quick else (3.0, 5)
    figures = []
    for connections in (1, _CONNECTIONS):
        served_ms, seen_ms = [], []
        for _ in range(rounds):
            with trouble(Behaviour(delay_s=_DELAY_S)) as server:
                found = _load(server.url, connections, duration_s)
                counts = server.counts()
            served_ms.append(counts.in_flight_ns / counts.ok / 1e6 - 1e3 * _DELAY_S)
            seen_ms.append(found.latency.percentile(50.0) / 1e6 - 1e3 * _DELAY_S)
        case = f"a delay of 20 ms, {connections} connection{'s' if connections > 1 else ''}"
        figures.append(summarise(case, "trouble, by its own count", served_ms, "ms late"))
        figures.append(summarise(case, "seen by a client, p50", seen_ms, "ms late"))
    return figures


def counting(*, is_quick: bool) -> list[Figure]:
    """Return how many replies of any kind were miscounted."""
    behaviour = Behaviour(**dict.fromkeys([f"{kind}_every" for kind in _KINDS], 10))  # type: ignore[arg-type]  # whole numbers
    total = 200 if is_quick else 20_000
    seen = dict.fromkeys(("ok", "error", "reset", "short"), 0)
    with trouble(behaviour) as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            for _ in range(total):
                seen[_ask(connection)] += 1
        counts = server.counts()
    served = {kind: getattr(counts, kind) for kind in seen}
    served["ok"] += counts.slow + counts.closed
    due = {"ok": total * 7 // 10, "error": total // 10, "reset": total // 10, "short": total // 10}
    wrong = [float(sum(abs(found[kind] - due[kind]) for kind in due)) for found in (served, seen)]
    case = f"{total} replies, 5 in 10 of a kind of their own"
    return [
        summarise(case, who, [number], "miscounted")
        for who, number in zip(("trouble", "http.client"), wrong, strict=True)
    ]


def _ask(connection: http.client.HTTPConnection) -> str:
    try:
        connection.request("GET", "/")
        reply = connection.getresponse()
        reply.read()
    except ConnectionResetError:
        connection.close()
        return "reset"
    except http.client.IncompleteRead:
        connection.close()
        return "short"
    return "ok" if reply.status == 200 else "error"


def rate(*, is_quick: bool) -> list[Figure]:
    """Return replies a second."""
    duration_s, rounds = (0.2, 1) if is_quick else (3.0, 5)
    case = f"{_CONNECTIONS} connections"
    with trouble() as server, embedded() as target:
        subjects = {
            "trouble": server.url,
            "httpbin, /get": f"{target.url}get",
            "httpbin, /json": f"{target.url}json",
        }
        found: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(rounds):
            for name, url in subjects.items():
                found[name].append(_load(url, _CONNECTIONS, duration_s).rate_per_s)
    return [summarise(case, name, rates, "req/s") for name, rates in found.items()]


def measure(options: Options) -> Report:
    """Do all of it."""
    is_quick = options.is_quick
    load = f"nothing; the load average was {os.getloadavg()[0]:.1f} before, {os.cpu_count()} cores"
    figures = [*lateness(is_quick=is_quick), *counting(is_quick=is_quick), *rate(is_quick=is_quick)]
    return Report(figures, [*GOALS, load])


if __name__ == "__main__":
    sys.exit(main(["rightness_targets"]))
