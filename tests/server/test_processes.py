"""run="process": results, failures, processes that die."""

# ruff: noqa: SIM117 - the outer block is the server, the inner one a client of it
from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import App
from penstock.errors import ApplicationError
from penstock.server.processes import ProcessPool
from tests.e2e.serving import environment
from tests.server.harness import Client, request, wait_until
from tests.wire.server import Server, run_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server("tests.server.mixed_app:app", "--processes", "2", "--no-access-log") as running:
        yield running


def ask(server: Server, target: str) -> Any:
    with Client(server.port) as client:
        return client.ask(target)


def test_the_result_comes_back(server: Server):
    assert ask(server, "/square/12").content == b"144"


def test_it_runs_in_another_process(server: Server):
    assert int(ask(server, "/pid").content) not in (os.getpid(), server.process.pid)


def test_two_run_at_the_same_time(server: Server):
    def run_two() -> bool:
        with Client(server.port) as first, Client(server.port) as second:
            for client in (first, second):
                client.send(request("/sleep_in_process"))
            return len({client.take().content for client in (first, second)}) == 2  # type: ignore[union-attr]

    wait_until(run_two, "the second process is started and takes its share")


def test_an_exception_is_a_500_and_the_pool_goes_on(server: Server):
    reply = ask(server, "/fail_in_process")

    assert reply.status == 500
    assert json.loads(reply.content)["trace_id"]
    assert ask(server, "/square/3").content == b"9"


def test_a_process_that_dies_is_a_500_and_the_pool_is_replaced(server: Server):
    for number in range(3):
        with Client(server.port) as client:
            reply = client.ask("/die_in_process")

            assert reply.status == 500
            assert not reply.closes
            assert client.ask(f"/square/{number}").content == str(number * number).encode()
    wait_until(lambda: any("a process of the pool died" in line for line in server.log), "it is logged")


def test_calls_under_way_when_a_process_dies_are_answered(server: Server):
    clients = [Client(server.port) for _ in range(4)]
    for client, target in zip(
        clients, ["/sleep_in_process", "/die_in_process", "/sleep_in_process", "/square/2"], strict=True
    ):
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    statuses = [client.take().status for client in clients]  # type: ignore[union-attr]

    assert statuses[1] == 500
    assert set(statuses) <= {200, 500}
    for client in clients:
        client.close()
    assert ask(server, "/square/5").content == b"25"


def make_lambda(app: App) -> None:
    app.get("/", run="process")(lambda: 1)


def make_inner(app: App) -> None:
    @app.get("/", run="process")
    def inner() -> int:
        return 1


@pytest.mark.parametrize("make", [make_lambda, make_inner])
def test_what_another_process_cannot_find_is_refused_at_start_up(make: Any):
    app = App()

    def start() -> None:
        make(app)
        asyncio.run(app.startup(None))  # type: ignore[arg-type]

    with pytest.raises(ApplicationError, match="run='process'"):
        start()


def test_a_process_that_does_not_end_does_not_keep_the_server():
    with run_server("tests.server.mixed_app:app", "--no-access-log", "--drain-timeout", "0.1") as own:
        with Client(own.port) as client:
            assert client.ask("/square/2").status == 200
            client.send(request("/hang_in_process"))
            wait_until(lambda: any("hang begins" in line for line in own.log), "it runs")
            own.process.send_signal(signal.SIGTERM)

            assert own.process.wait(20) == 0


def test_a_call_that_is_cancelled_costs_its_process_and_no_other_call():
    async def main() -> tuple[int, list[int], bool]:
        pool = ProcessPool(1)
        stuck_pid: int = await pool.run(os.getpid)
        stuck = asyncio.ensure_future(pool.run(time.sleep, 60))
        await asyncio.sleep(0.3)
        waiting = [asyncio.ensure_future(pool.run(os.getpid)) for _ in range(4)]
        await asyncio.sleep(0.1)
        stuck.cancel()
        pids = await asyncio.gather(*waiting)
        is_alive = True
        for _ in range(2_000):
            try:
                os.kill(stuck_pid, 0)
            except ProcessLookupError:
                is_alive = False
                break
            await asyncio.sleep(0.01)
        pool.stop()
        return stuck_pid, pids, is_alive

    stuck_pid, pids, is_alive = asyncio.run(main())

    assert stuck_pid not in pids
    assert not is_alive


def test_a_process_past_the_deadline_of_its_handler_is_ended():
    with run_server("tests.server.mixed_app:app", "--handler-timeout", "4", "--processes", "1") as own:
        with Client(own.port) as client:
            assert client.ask("/square/2").status == 200
            assert client.ask("/hang_in_process").status == 504
        assert ask(own, "/square/3").content == b"9"


AT_EXIT = """
import asyncio, os, time
from concurrent.futures import process
from penstock.server.processes import ProcessPool

def wake_late(self):
    if not self._closed:
        time.sleep(0.3)
        self._writer.send_bytes(b"")

async def main():
    pool = ProcessPool(2)
    await asyncio.gather(*(pool.run(os.getpid) for _ in range(2)))
    pool.stop()

if __name__ == "__main__":
    asyncio.run(main())
    process._ThreadWakeup.wakeup = wake_late  # from now on only by the interpreter, which exits
"""


def test_an_interpreter_that_exits_right_after_the_stop_says_nothing(tmp_path: Path):
    (tmp_path / "exits.py").write_text(AT_EXIT)
    ended = subprocess.run(
        [sys.executable, "exits.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_stop_ends_the_processes():
    async def main() -> int:
        pool = ProcessPool(1)
        pid: int = await pool.run(os.getpid)
        pool.stop()
        return pid

    pid = asyncio.run(main())

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(is_gone, "the process ends")
