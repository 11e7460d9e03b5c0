"""SIGUSR2: a server says in its log what it is at, also while its loop is stuck, and goes on."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from tests.e2e.test_in_flight import start
from tests.e2e.workers import children, get, wait_until, workers

APPLICATION = """
import asyncio, os, time
from pathlib import Path
from penstock import App

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "served"

@app.get("/pid", run="inline")
def pid() -> str:
    return str(os.getpid())

@app.get("/thread/{name}")
def thread(name: str) -> str:
    wait_in_thread()
    return "slept"

def wait_in_thread():
    while not Path("go").exists():
        time.sleep(0.01)

@app.get("/task")
async def task() -> str:
    await wait_on_loop()
    return "slept"

async def wait_on_loop():
    while not Path("go").exists():
        await asyncio.sleep(0.01)

@app.get("/sleep", run="inline")
def sleep() -> str:
    Path("there").touch()
    while not Path("go").exists():
        time.sleep(1)
    return "slept"

@app.get("/compute", run="inline")
def compute() -> str:
    Path("there").touch()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if Path("go").exists():
            break
    return "computed"

@app.get("/lock", run="inline")
def lock() -> str:
    Path("there").touch()
    sum(range(80_000_000))
    return "added"
"""
OWN = """
import signal
signal.signal(signal.SIGUSR2, lambda *_: print("its own answer", flush=True, file=__import__("sys").stderr))
"""


def release(folder):
    (folder / "go").touch()


@pytest.mark.parametrize("count", [1, 2])
def test_requests_and_threads_of_every_worker_are_logged(tmp_path, count):
    with workers(tmp_path, count=count, text=APPLICATION) as server, ExitStack() as stack:
        start(stack, server, "/thread/1?token=secret")
        start(stack, server, "/task?token=secret")
        get(server, "/")
        pids = {int(get(server, "/pid")) for _ in range(20)}
        try:
            server.process.send_signal(signal.SIGUSR2)
            for words in ("in wait_in_thread", "in wait_on_loop"):
                server.wait_for_log(words)
            wait_until(
                lambda: (
                    server.log.count("requests in flight, the oldest") >= 1
                    and server.log.count("Threads at the signal") == count
                ),
                "each is logged",
            )
            assert get(server, "/") == "served"
        finally:
            release(tmp_path)

    assert "GET /thread/1?token=[redacted] HTTP/1.1" in server.log
    assert "GET /task?token=[redacted] HTTP/1.1" in server.log
    assert "secret" not in server.log
    assert "penstock-heartbeat" in server.log, "threads have names"
    assert server.log.count("SIGUSR2: ") == count
    assert len(pids) <= count


@pytest.mark.parametrize("path", ["/sleep", "/compute", "/lock"])
def test_a_loop_that_is_stuck_is_shown_where_it_is(tmp_path, path):
    """In C that lets others run, in Python, and in C that keeps the interpreter lock: shown once that is over."""
    with workers(tmp_path, count=1, text=APPLICATION) as server, ExitStack() as stack:
        start(stack, server, path)
        wait_until((tmp_path / "there").exists, "the loop is stuck")
        try:
            server.process.send_signal(signal.SIGUSR2)
            server.wait_for_log(
                "Threads at the signal(.|\n)* in lock\n" if path == "/lock" else f"in {path[1:]}\n"
            )
        finally:
            release(tmp_path)
        assert get(server, "/") == "served"

    assert "SIGUSR2: " in server.log


def test_the_signal_ends_nothing_from_the_start_on(tmp_path):
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGUSR2)\n" + APPLICATION
    with workers(tmp_path, "--slow-request", "0", "--blocked-loop", "0", count=1, text=text) as server:
        server.process.send_signal(signal.SIGUSR2)
        server.wait_for_log("SIGUSR2: 0 requests in flight")
        assert get(server, "/") == "served"


def test_every_process_of_a_server_outlives_it(tmp_path):
    with workers(tmp_path, "--admin", "127.0.0.1:0", count=2, text=APPLICATION) as server:
        before = children(server)
        for pid in before:
            os.kill(pid, signal.SIGUSR2)
        wait_until(lambda: server.log.count("SIGUSR2: ") == 2, "the workers answer")
        assert get(server, "/") == "served"
        assert children(server) == before


def test_an_answer_of_the_application_stays_its_own(tmp_path):
    with workers(tmp_path, count=1, text=OWN + APPLICATION) as server:
        server.process.send_signal(signal.SIGUSR2)
        server.wait_for_log("its own answer")

    assert "SIGUSR2: " not in server.log
