"""Whether the load generator of http_benchmark is fast and punctual, against nginx on a core of its own.

- Beside wrk, one core each, 64 connections, in turns: replies a second, and CPU time of a request in either
  generator, start and end included. Goal: at least 0.9 times wrk. Where the machine does other things the
  rates say little, CPU time still does.
- Open loop at 1,000, 10,000 and 50,000 a second: what rate came out, and how late sends were. Goal: within
  1 %, p99 below 2 ms at 10,000.
- 10,000 connections: resident memory of the generator. Goal: at most 600 MB.

Without nginx the embedded target stands in, and is the limit of what is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.command import main
from benchmarks.load import has_wrk, load
from benchmarks.processors import LOAD_CPU, SERVER_CPU, pin
from benchmarks.report import Options, Report
from benchmarks.servers import NO_WRK
from benchmarks.subject import free_port, serving
from benchmarks.subjects import make_environment
from benchmarks.timing import Figure, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOALS = (
    "goals of load: 90 % of wrk or more; rate 99 to 101 %, p99 below 2 ms late at 10,000/s",
    "goals of load: 600 MB for 10,000 connections",
)
_ROUNDS = 7
_SECONDS = 3.0
_CONNECTIONS = 64
_RATES = (1_000, 10_000, 50_000)

_NGINX = """{user}worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type text/plain; return 200 "Hello, World!"; }}
    }}
}}
"""


class Run(NamedTuple):
    """What one generator did."""

    rate_per_s: float
    cpu_us: float
    """Of its process, of each request."""


@contextmanager
def serving_hello() -> Iterator[tuple[int, str]]:
    """A server on a core of its own: its port, and the path that is asked for."""
    if shutil.which("nginx") is None:
        from http_benchmark.targets.embedded import embedded

        with embedded() as target:
            pin(target.pid, SERVER_CPU)
            yield int(target.url.rstrip("/").rpartition(":")[2]), "/get"
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        user = "user root; " if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_NGINX.format(user=user, folder=folder, port=port))
        command = ["nginx", "-c", f"{folder}/nginx.conf"]
        with serving(command, port, make_environment(), folder):
            yield port, "/"


def generate(port: int, path: str, *words: str) -> dict[str, Any]:
    """Run `http-benchmark load` on the other core, and return its result."""
    command = [sys.executable, "-m", "http_benchmark", "load", f"http://127.0.0.1:{port}{path}"]
    command += ["--no-save", "--no-report", "--quiet", "--json", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_environment(), text=True
    ) as process:
        pin(process.pid, LOAD_CPU)
        out, err = process.communicate()
    if process.returncode:
        raise SystemExit(f"http-benchmark load failed: {err[-400:]}")
    result: dict[str, Any] = json.loads(out)[0]
    if result["error_count"]:
        raise SystemExit(f"http-benchmark load had errors: {result['rounds'][0]['errors']}")
    return result


def beside_wrk(port: int, path: str, *, is_quick: bool) -> list[Figure]:
    """Return rates and CPU time of both generators, in turns, and what part of wrk's rate ours is."""
    seconds = 1.0 if is_quick else _SECONDS
    done: dict[str, list[Run]] = {"wrk": [], "http-benchmark": []}
    runs: dict[str, Callable[[], Run]] = {
        "wrk": lambda: _run_wrk(port, path, seconds),
        "http-benchmark": lambda: _run_ours(port, path, seconds),
    }
    if not has_wrk():
        del runs["wrk"]
    for number in range(1 if is_quick else _ROUNDS):
        for name in sorted(runs, reverse=number % 2 == 0):
            done[name].append(runs[name]())
    case = f"hello, {_CONNECTIONS} connections"
    figures = []
    for name in runs:
        figures.append(summarise(case, name, [run.rate_per_s for run in done[name]], "req/s"))
        figures.append(summarise(case, name, [run.cpu_us for run in done[name]], "us CPU/req"))
    if has_wrk():
        pairs = zip(done["http-benchmark"], done["wrk"], strict=True)
        shares = [100 * ours.rate_per_s / wrk.rate_per_s for ours, wrk in pairs]
        figures.append(summarise(case, "http-benchmark", shares, "% of wrk"))
    return figures


def _run_wrk(port: int, path: str, seconds: float) -> Run:
    before = os.times()
    done = load(port, path, connections=_CONNECTIONS, seconds=int(seconds))
    after = os.times()
    if done.errors or not done.requests:
        raise SystemExit(f"wrk had {done.errors} errors in {done.requests} requests")
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(done.requests / done.seconds, used_s * 1e6 / done.requests)


def _run_ours(port: int, path: str, seconds: float) -> Run:
    words = ("--connections", str(_CONNECTIONS), "--duration", str(seconds), "--warmup", "0.2")
    result = generate(port, path, *words)
    used_s = sum(each["generator"]["cpu_s"] for each in result["rounds"])
    return Run(result["requests_per_second"], used_s * 1e6 / result["requests_count"])


def at_rates(port: int, path: str, *, is_quick: bool) -> list[Figure]:
    """Return which part of each rate was achieved, and the p99 of how late sends were."""
    from http_benchmark.export.json_form import from_json

    figures = []
    for rate in _RATES[:1] if is_quick else _RATES:
        words = ("--connections", str(_CONNECTIONS), "--rate", str(rate), "--warmup", "0.5")
        seconds = "0.5" if is_quick else str(_SECONDS)
        results = [
            from_json(generate(port, path, *words, "--duration", seconds))
            for _ in range(1 if is_quick else 3)
        ]
        rates = [100 * result.requests_per_second / rate for result in results]
        late_ms = [result.merged("lateness").percentile(99) / 1e6 for result in results]
        case = f"open loop at {rate}/s"
        figures.append(summarise(case, "http-benchmark", rates, "% of rate"))
        figures.append(summarise(case, "http-benchmark", late_ms, "ms late, p99"))
    return figures


def many_connections(port: int, path: str, *, is_quick: bool) -> list[Figure]:
    """Return the greatest resident memory of the generator."""
    connections = 300 if is_quick else 10_000
    words = ("--connections", str(connections), "--duration", "1" if is_quick else "5", "--warmup", "1")
    result = generate(port, path, *words)
    opened = median(each["connections_opened"] for each in result["rounds"])
    if opened < connections:
        raise SystemExit(f"{opened:.0f} of {connections} connections were opened")
    used = [sample["rss_mb"] for each in result["rounds"] for sample in each["generator"]["samples"]]
    return [summarise(f"{connections} connections", "http-benchmark", used, "MB resident")]


def measure(options: Options) -> Report:
    """Measure all of it."""
    left_out = list(GOALS)
    if shutil.which("nginx") is None:
        left_out.append("nginx: not on PATH, the embedded target stood in; install the package of that name")
    if not has_wrk():
        left_out.append(NO_WRK)
    with serving_hello() as (port, path):
        figures = beside_wrk(port, path, is_quick=options.is_quick)
        figures += at_rates(port, path, is_quick=options.is_quick)
        figures += many_connections(port, path, is_quick=options.is_quick)
    return Report(figures, left_out)


if __name__ == "__main__":
    sys.exit(main(["rightness_load"]))
