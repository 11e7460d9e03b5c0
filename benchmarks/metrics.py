"""What metrics cost: counting a request and the instruments of an application, adding up 8 processes with 200
routes, and the memory that 1,000,000 requests to 100,000 distinct paths take.

The processes are areas of one memory that this process writes and reads; the requests go to a server of its
own, half of them to one route, half to none, and its figures are asked for in the end.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.subject import free_port, serving
from benchmarks.subjects import candidates, make_command, make_environment
from benchmarks.timing import Case, Figure, summarise, time_cases
from penstock import Counter, Gauge, Histogram
from penstock.observe.metrics.endpoint import list_families
from penstock.observe.metrics.exposition import OPENMETRICS, render
from penstock.observe.metrics.gather import gather
from penstock.observe.metrics.http import Recorder
from penstock.observe.metrics.ledger import Ledger
from penstock.observe.metrics.memory import Areas

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_PROCESSES, _ROUTES, _PER_ROUTE = 8, 200, 5
_REQUESTS, _PATHS = 1_000_000, 100_000
_QUICK_REQUESTS, _QUICK_PATHS = 4_000, 2_000
_PIPELINED = 100
_DURATIONS_NS = tuple(number * number * 1_000 for number in range(1, _BATCH + 1))  # 1 us to 1 s


def _counting() -> list[Case]:
    own = Ledger()
    recorder = Recorder(own)
    record, in_thread = recorder.begin(), recorder.record_in_thread
    counter = Counter("benchmark_orders", "Orders", ["kind"])
    bound = counter.labels(kind="book")
    histogram = Histogram("benchmark_wait_seconds", "Waits", unit="seconds").labels()
    gauge = Gauge("benchmark_level", "Level").labels()

    def recording(count: Callable[[str, str, int, int, int, int], None]) -> Callable[[], None]:
        def run() -> None:
            for duration_ns in _DURATIONS_NS:
                count("/users/{id}", "GET", 200, duration_ns, 0, 160)

        return run

    def calling(function: Callable[..., None], *args: float, **labels: str) -> Callable[[], None]:
        def run() -> None:
            for _ in repeat(None, _BATCH):
                function(*args, **labels)

        return run

    cases = [
        Case("count a request", "on the loop", recording(record), _BATCH),
        Case("count a request", "in a thread", recording(in_thread), _BATCH),
        Case("Counter.inc", "bound", calling(bound.inc), _BATCH),
        Case("Counter.inc", "by labels", calling(counter.inc, kind="book"), _BATCH),
        Case("Gauge.set", "bound", calling(gauge.set, 1.5), _BATCH),
        Case("Histogram.observe", "bound", calling(histogram.observe, 0.25), _BATCH),
    ]
    for case in cases:
        case.run()
    counted = [served.durations.count for served in gather(own).served]
    if counted != [2 * _BATCH]:
        raise SystemExit(f"{2 * _BATCH} requests were counted as {counted}")
    return cases


def _adding_up() -> list[Case]:
    areas = Areas(_PROCESSES)
    areas.reserve(_PROCESSES)
    reader = Ledger()
    for place in range(1, _PROCESSES + 1):
        reader = Ledger()
        reader.attach(areas, place)
        recorder = Recorder(reader)
        for route in range(_ROUTES):
            for duration_ns in _DURATIONS_NS[:: _BATCH // _PER_ROUTE]:
                recorder.record_in_thread(f"/route-{route}/{{id}}", "GET", 200, duration_ns, 0, 160)
    found = gather(reader)
    counted = {served.durations.count for served in found.served}
    if len(found.served) != _ROUTES or counted != {_PROCESSES * _PER_ROUTE}:
        raise SystemExit(f"{_ROUTES} routes with {_PROCESSES * _PER_ROUTE} requests each: {counted}")
    families = list_families(found)
    what = f"{_PROCESSES} processes, {_ROUTES} routes"
    return [
        Case(what, "add up", lambda: gather(reader), 1),
        Case(what, "as OpenMetrics", lambda: render(families, OPENMETRICS), 1),
    ]


def _ask(port: int, requests: int, paths: int) -> None:
    """Send requests in batches, so that it takes no longer than it has to."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        for start in range(0, requests, _PIPELINED):
            numbers = [number % paths for number in range(start, start + _PIPELINED)]
            lines = [
                f"GET /{'users' if number % 2 else 'absent'}/{number} HTTP/1.1\r\nHost: b\r\n\r\n"
                for number in numbers
            ]
            client.sendall("".join(lines).encode())
            octets = b""
            while octets.count(b"HTTP/1.1 ") < _PIPELINED or not octets.endswith(b"}"):
                data = client.recv(262_144)
                if not data:
                    raise SystemExit("the server has closed the connection")
                octets += data


def _measure_memory(options: Options) -> Figure:
    requests, paths = (_QUICK_REQUESTS, _QUICK_PATHS) if options.is_quick else (_REQUESTS, _PATHS)
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        command = make_command(candidates(None)["penstock-inline"], port, folder)
        with serving(command, port, make_environment(), folder) as subject:
            _ask(port, _QUICK_REQUESTS, _PIPELINED)  # warm-up: what is loaded and allocated once
            before = subject.usage().resident_bytes
            _ask(port, requests, paths)
            time.sleep(1.5)  # gauges are looked at once a second
            grown = subject.usage().resident_bytes - before
    return summarise(f"{requests:,} requests to {paths:,} paths", "penstock", [grown / 1e6], "MB more")


def measure(options: Options) -> Report:
    """Measure all of it."""
    figures = time_cases(_counting(), is_quick=options.is_quick)
    figures += [
        figure._replace(median=figure.median / 1e3, low=figure.low / 1e3, high=figure.high / 1e3, unit="ms")
        for figure in time_cases(_adding_up(), is_quick=options.is_quick)
    ]
    return Report([*figures, _measure_memory(options)])


if __name__ == "__main__":
    sys.exit(main(["metrics"]))
