"""Each program by itself and all through one command, in quick mode: they run, and measure what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.command import NAMES

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {
    "head": ["40 octets, same head", "214 octets, new target", "714 octets, new fields", "two expressions"],
    "serialise": ["text", "JSON", "text, 3 fields", "HEAD of text"],
    "routing": ["literal, 1 routes", "parameter, 100 routes", "deep, 1000 routes", "backtracking", "miss"],
    "many_routes": ("random paths, 1 route ", "random paths, 1,000 routes"),
    "redaction": ["100 characters, plain", "a traceback of 20 frames", "a query with a token"],
    "plan": ["GET /users/42?verbose=true", "def, inline", "async def"],
    "hooks": ["a request", "none", "CORS, a list", "FetchMetadata"],
    "trace": ["none, new", "ids, taken over", "trace_headers"],
    "access_log": ["note", "json, heads alike", "combined, heads alike", "json, heads vary"],
    "validation": ["3 fields, decoded", "order of 10, octets", "penstock"],
    "request_path": ["GET /", "def, inline", "async def", "def, threads"],
    "compression": ["10 KB of JSON", "off", "gzip", "an event", "KB/stream"],
    "cache": ["a request", "two parameters, cached=", "a use of a store", "a page of 1 ms", "req/s"],
    "multipart": ["10 MB", "penstock stream", "MB/s", "ms CPU/upload", "MB more"],
    "injection": ["penstock-async", "penstock-def", "req/s", "us CPU/req"],
    "import_time": ["import penstock", "every public name", "third-party modules"],
    "cold_start": ("start of Python", "first reply of 300 typed routes", "ms CPU"),
    "memory": ["300 idle", "KB/connection", "64 active beside 300 idle"],
    "metrics": ["count a request", "8 processes, 200 routes", "ms", "MB more"],
    "files": ["10k.html", "200k.bin", "penstock-mounted", "req/s", "us CPU/req"],
    "many_clients": ["20 clients x 1 MiB", "failed", "MB/s", "ms CPU/GB", "MB resident"],
    "tls": ["hello over TLS", "penstock-inline", "req/s", "us CPU/req"],
    "websocket": ["echo of 125 octets", "echo of 4096 octets", "msg/s", "us CPU/msg"],
    "observing": ["all off", "figures and traces", "and JSON access log", "req/s", "us CPU/req"],
    "rightness_clients": [
        "its own time",
        "outside of the extent",
        "a reply after 20 ms",
        "above a reply at once",
        "penstock, async",
        "% of 20",
    ],
    "rightness_engine": [
        "engine, sync",
        "% of 20",
        "open loop at 10000/s",
        "ms late, p99",
        "% of theory",
        "MB resident",
    ],
    "rightness_servers": ["identical, by rate", "5% slower, by CPU", "found", "of 1"],
    "rightness_load": [
        "hello, 64 connections",
        "req/s",
        "open loop at 1000/s",
        "ms late, p99",
        "MB resident",
    ],
    "rightness_monitor": ["1 processes every 0.1 s", "10 processes", "/proc", "% of a core"],
    "rightness_targets": [
        "a delay of 20 ms, 64 connections",
        "ms late",
        "miscounted",
        "httpbin, /get",
        "req/s",
    ],
    "servers": ["penstock-threads", "penstock-inline", "req/s", "us CPU/req"],
}


def run(*arguments, cwd=ROOT, **environment):
    command = [sys.executable, "-bb", "-m", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=250, check=False
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_program_runs_alone_from_the_source_tree(name):
    done = run(f"benchmarks.{name}", "--quick")

    assert (done.returncode, done.stderr) == (0, f"measuring {name} ...\n")
    assert [words for words in FIGURES[name] if words not in done.stdout] == []


def test_one_command_prints_one_table_of_those_named():
    done = run("benchmarks", "--quick", "plan", "serialise")

    lines = [line.split()[0] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert lines == ["benchmark", *["plan"] * 4, *["serialise"] * 5]


def test_a_name_that_is_none_is_refused():
    done = run("benchmarks", "speed")

    assert done.returncode == 2
    assert "invalid choice: 'speed'" in done.stderr


def test_a_peer_that_is_absent_is_named_with_what_to_do():
    done = run("benchmarks.head", "--quick", "--peers", "no-such-folder")

    assert (
        "left out: h11: not installed; pip install h11" in done.stdout
        or "h11" in done.stdout.split("left out")[0]
    )


def test_nothing_is_imported_but_the_standard_library_and_this_repository():
    modules = [
        f"benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("*.py") if path.stem[0] != "_"
    ]
    program = (
        f"import sys; before = set(sys.modules); import {', '.join(modules)}\n"
        "known = sys.stdlib_module_names | {'benchmarks', 'penstock', 'http_benchmark'}\n"
        "print(sorted(name for name in set(sys.modules) - before if name.partition('.')[0] not in known))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
