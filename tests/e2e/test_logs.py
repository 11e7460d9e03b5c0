"""The log of running servers: whose request a record belongs to, whole lines from several processes, lines that
survive the end of a process, and an application that sets up `logging` itself.
"""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from tests.e2e.serving import WAIT_S, environment, receive, serving
from tests.e2e.workers import Load, wait_until, write

APPLICATION = """
import asyncio, logging, os, time
from penstock import App, BackgroundTasks, Depends, Request

app = App()
log = logging.getLogger("shop.orders")

@app.get("/inline", run="inline")
def inline() -> str:
    log.info("at inline", extra={"order": 17})
    return "x"

@app.get("/thread")
def thread() -> str:
    log.info("at thread")
    return "x"

@app.get("/task")
async def task() -> str:
    await asyncio.sleep(0.01)
    await asyncio.gather(*[inner() for _ in range(1)])
    return "x"

async def inner():
    await asyncio.to_thread(log.info, "at task")

@app.get("/process", run="process")
def process() -> str:
    log.info("at process")
    return "x"

@app.get("/background")
def background(tasks: BackgroundTasks) -> str:
    tasks.add(log.info, "at background")
    return "x"

@app.get("/fails")
async def fails() -> str:
    log.warning("about\\nto fail \\udc80 \\x1b[31m")
    raise RuntimeError("on purpose, token=hunter2")

@app.get("/wide")
async def wide() -> str:
    log.info("w" * 30_000)
    return "x"

@app.get("/block", run="inline")
def block() -> str:
    time.sleep(60)

@app.get("/")
async def home() -> str:
    return "served"
"""


def read(path):
    """The records in a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class Running:
    """A server that logs JSON to a pipe; `records` once it has ended."""

    def __init__(self, folder, *flags, text=APPLICATION, **variables):
        write(folder, text)
        command = [sys.executable, "-bb", "-m", "penstock", "run", "shop:app", "--port", "0", *flags]
        variables = {
            name: value for name, value in environment().items() if name != "PENSTOCK_LOG_FORMAT"
        } | variables
        self.process = subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE)
        first = self.process.stderr.readline()
        self.banner = json.loads(first)
        self.port = int(self.banner["urls"][0].rpartition(":")[2])
        self.records = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if exception[0] is None:
            self.end()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def ask(self, path, *fields):
        """The whole reply."""
        client = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *fields, "Connection: close"])
        client.sendall(f"{head}\r\n\r\n".encode())
        return receive(client)

    def end(self):
        """Stop it in order, and read what it wrote."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, octets = self.process.communicate(timeout=WAIT_S)
        self.records = [json.loads(line) for line in octets.decode().splitlines()]


def trace(number):
    return f"{number:032x}", f"traceparent: 00-{number:032x}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_records_of_an_application_belong_to_their_request_wherever_it_runs(tmp_path, workers):
    places = ("inline", "thread", "task", "process", "background")
    with Running(tmp_path, "--workers", workers) as server:
        for number, place in enumerate(places, 1):
            server.ask(f"/{place}", trace(number)[1], f"X-Request-ID: order-{number}")

    records = [one for one in server.records if one["logger"] == "shop.orders"]
    assert len(records) == len(places)
    for number, place in enumerate(places, 1):
        (record,) = [one for one in records if one["message"] == f"at {place}"]
        (access,) = [one for one in server.records if one["message"] == f"GET /{place} 200"]
        assert record["trace_id"] == access["trace_id"] == trace(number)[0]
        assert record["span_id"] == access["span_id"]
        assert record["request_id"] == access["request_id"] == f"order-{number}"
        assert (record["level"], access["status"]) == ("INFO", 200)
        assert (record["worker"] != access["worker"]) is (place == "process")
    assert next(one for one in records if "order" in one)["order"] == 17


def test_records_of_pool_processes_are_in_the_log_file_in_its_form(tmp_path):
    path = tmp_path / "all.log"
    with Running(tmp_path, "--log-file", str(path)) as server:
        server.ask("/process", trace(5)[1])
        path.rename(tmp_path / "all.log.1")
        server.ask("/process", trace(6)[1])  # nobody has told it

    (first,) = [one for one in read(tmp_path / "all.log.1") if one["message"] == "at process"]
    (second,) = [one for one in read(path) if one["message"] == "at process"]
    assert (first["trace_id"], second["trace_id"]) == (trace(5)[0], trace(6)[0])
    assert server.records == []


def test_every_line_of_a_server_with_an_admin_endpoint_is_json_and_safe(tmp_path):
    with Running(tmp_path, "--workers", "2", "--admin", f"unix:{tmp_path}/admin.sock") as server:
        reply = server.ask("/fails")
        server.ask("/absent?password=hunter2")

    by_message = {one["message"]: one for one in server.records}
    trace_id = re.search(rb'"trace_id":"([0-9a-f]{32})"', reply)[1].decode()
    failure = next(one for one in server.records if "exception" in one)
    assert failure["trace_id"] == trace_id == by_message["GET /fails 500"]["trace_id"]
    assert failure["exception"]["type"] == "RuntimeError"
    assert "on purpose" in failure["exception"]["stack"]
    assert by_message["about\nto fail \udc80 \x1b[31m"]["level"] == "WARNING"
    assert "hunter2" not in re.sub("raise RuntimeError.*?\\\\n", "", json.dumps(server.records))
    assert server.banner["workers"] == 2
    assert by_message["stopped"]["logger"] == "penstock.server"


CONFIGURED = f"""
import logging.config
logging.config.dictConfig({{
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {{"trace": {{"()": "penstock.TraceFilter"}}}},
    "formatters": {{
        "own": {{"format": "%(levelname)s|%(name)s|%(trace_id)s|%(request_id)s|%(message)s"}},
        "json": {{"()": "penstock.JSONFormatter", "site": "north"}},
    }},
    "handlers": {{
        "own": {{"class": "logging.FileHandler", "filename": "own.log", "formatter": "own", "filters": ["trace"]}},
        "json": {{"class": "logging.FileHandler", "filename": "own.json", "formatter": "json"}},
    }},
    "root": {{"level": "INFO", "handlers": ["own", "json"]}},
}})
{APPLICATION}
"""


def test_application_that_sets_up_logging_has_its_own_formats_with_the_same_ids(tmp_path):
    trace_id, field = trace(7)
    write(tmp_path, CONFIGURED)
    with serving("shop:app", cwd=tmp_path) as server:
        for path in ("/thread", "/task", "/inline"):
            receive(server.ask(path, field, "X-Request-ID: order-7", "Connection: close"))

    own = (tmp_path / "own.log").read_text().splitlines()
    records = read(tmp_path / "own.json")
    for place in ("thread", "task", "inline"):
        assert f"INFO|shop.orders|{trace_id}|order-7|at {place}" in own
        (access,) = [one for one in records if one.get("path") == f"/{place}"]
        assert (access["trace_id"], access["status"], access["site"]) == (trace_id, 200, "north")
    assert "shop.orders" not in server.log  # and nothing twice
    assert "penstock.access" not in server.log


def test_application_that_sets_up_logging_as_it_starts_has_its_own_form(tmp_path):
    lifespan = """
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan():
    logging.basicConfig(format="own %(message)s", level="INFO")
    yield

app = App(lifespan=lifespan)
"""
    write(tmp_path, APPLICATION.replace("\napp = App()\n", lifespan))
    with serving("shop:app", cwd=tmp_path) as server:
        receive(server.ask("/thread", "Connection: close"))

    assert "\nown at thread\n" in server.log
    assert "INFO shop.orders" not in server.log


def test_several_workers_write_whole_lines_to_one_file_while_it_is_rotated(tmp_path):
    path, asked = tmp_path / "all.log", 0
    with Running(tmp_path, "--workers", "3", "--log-file", str(path), "--log-format", "auto") as server:

        def do_all_serve():
            nonlocal asked
            asked += 1
            server.ask("/")
            return len(set(re.findall(r'"message":"GET / 200".*"worker":(\d+)', path.read_text()))) == 3

        wait_until(do_all_serve, "all three serve")
        load = Load(server, ["/", "/wide", "/inline"], clients=6)
        with load:
            for number in range(4):
                before = load.count
                path.rename(tmp_path / f"all.log.{number}")
                server.process.send_signal(signal.SIGUSR1)
                wait_until(path.exists, "a new file is there")
                wait_until(lambda before=before: load.count > before + 30, "the load goes on")

    records = [one for each in tmp_path.glob("all.log*") for one in read(each)]
    access = [one for one in records if one["logger"] == "penstock.access"]
    wide = [one for one in records if one["message"].startswith("ww")]
    assert load.failures == []
    assert len(access) == load.count + asked
    assert len(wide) == sum(one["path"] == "/wide" for one in access)
    assert all(len(one["message"]) > 16_000 for one in wide)


def count_lost(server):
    """As the figures tell it."""
    url = f"{server.banner['admin'].rstrip('/')}/metrics"
    request = urllib.request.Request(url, headers={"Accept": "text/plain"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as reply:
        found = re.search(r"^penstock_log_lines_dropped_total (\d+)", reply.read().decode(), re.MULTILINE)
    return int(found[1]) if found else 0


def test_reader_that_stops_costs_no_request_and_what_is_lost_is_told(tmp_path):
    with Running(tmp_path, "--admin", "127.0.0.1:0") as server:
        load = Load(server, ["/wide"], clients=4)
        with load:  # 16 KB of log each, and nobody reads
            wait_until(lambda: count_lost(server) > 5, "lines are lost")
        assert load.failures == []
        assert server.ask("/").endswith(b"served")

    told = [one["message"] for one in server.records if "lines lost" in one["message"]]
    lost = sum(int(re.search(r"stderr was full: (\d+) lines lost", each)[1]) for each in told)
    written = sum(one["message"].startswith(("ww", "GET /wide")) for one in server.records)
    assert lost > 5
    assert written + lost >= 2 * load.count


def test_worker_whose_loop_is_stuck_says_so_before_it_ends(tmp_path):
    path = tmp_path / "all.log"
    flags = ("--workers", "2", "--log-file", str(path), "--stuck-timeout", "1")
    with Running(tmp_path, *flags) as server:
        reply = server.ask("/block", trace(3)[1])
        wait_until(lambda: "has ended" in path.read_text(), "the worker has been replaced")

    assert reply.startswith(b"HTTP/1.1 504 ")
    (stuck,) = [one for one in read(path) if "the loop is stuck" in one["message"]]
    assert trace(3)[0] in stuck["message"]
    assert "time.sleep(60)" in stuck["stack"]
    assert any("clients were answered" in one["message"] for one in read(path))


def test_full_disk_costs_lines_that_are_counted_in_json(tmp_path):
    path = tmp_path / "all.log"
    with Running(tmp_path, "--log-file", str(path)) as server:
        server.ask("/")
        wait_until(lambda: "GET /" in path.read_text(), "the first line is there")
        pid, full = server.process.pid, path.stat().st_size + 100
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, limits[1]))
        load = Load(server, ["/"], clients=2)
        with load:
            wait_until(lambda: path.stat().st_size == full, "it is full")
            before = load.count
            wait_until(lambda: load.count > before + 50, "it serves on")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        server.ask("/")
        wait_until(lambda: "lines lost" in path.read_text(), "the loss is told")

    lines, torn = [], 0
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            torn += 1
    (told,) = [one["message"] for one in lines if "lines lost" in one["message"]]
    written = sum(one["message"] == "GET / 200" for one in lines)
    assert load.failures == []
    assert torn <= 1  # what was being written as the disk was full
    assert written + int(re.match(r"(\d+) lines lost", told)[1]) == load.count + 2
    assert any("cannot be written" in one["message"] for one in server.records)


def test_terminal_shows_text_in_colours_and_a_pipe_json(tmp_path):
    write(tmp_path, APPLICATION)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-bb", "-m", "penstock", "run", "shop:app", "--port", "0"]
    kept = {
        name: value
        for name, value in environment().items()
        if name not in ("PENSTOCK_LOG_FORMAT", "NO_COLOR")
    }
    with subprocess.Popen(command, cwd=tmp_path, env=kept | {"TERM": "xterm"}, stderr=theirs) as child:
        os.close(theirs)
        shown = b""
        try:
            while b"bounds" not in shown:
                shown += os.read(ours, 65_536)
            port = int(re.search(rb"http://127\.0\.0\.1:(\d+)", shown)[1])
            with socket.create_connection(("127.0.0.1", port), WAIT_S) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                receive(client)
            child.send_signal(signal.SIGTERM)
            while b"stopped" not in shown:
                shown += os.read(ours, 65_536)
        finally:
            child.kill()
            os.close(ours)

    assert b'"GET / HTTP/1.0" \x1b[32m200\x1b[0m ' in shown
    assert b"\x1b[32mINFO\x1b[0m" in shown
