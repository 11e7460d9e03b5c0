"""Load from several processes at once, against servers that count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import http_benchmark
from http_benchmark.errors import BenchmarkError, NothingMeasured, UsageError
from http_benchmark.load.frames import Inbox, Outbox
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.processes import run_processes, run_spread
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.targets.behaviour import Behaviour
from http_benchmark.targets.trouble import trouble


@pytest.fixture(scope="module")
def server():
    with trouble(Behaviour(delay_s=0.002)) as found:
        yield found


def scenario_of(server, **fields):
    return Scenario(requests=(Request(url=server.url),), **fields)


def children():
    """Ids of the generator processes of this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and b"http_benchmark.load.worker" in words:
            found.append(int(path.parent.name))
    return sorted(found)


def wait_for(condition, limit_s=60.0):
    until_s = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < until_s, "it did not happen"
        time.sleep(0.01)
    return found


class Run(threading.Thread):
    """A load in the background, that it can be disturbed."""

    def __init__(self, server, processes, **fields):
        super().__init__()
        self.told = []
        self.stop = threading.Event()
        self._call = (
            scenario_of(server),
            LoadOptions(connections=2 * processes, warm_up_s=0, **fields),
            processes,
        )
        self.found = None

    def run(self):
        try:
            self.found = run_processes(*self._call, stop=self.stop, tell=self.told.append)
        except BenchmarkError as error:
            self.found = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()


def test_counts_of_all_processes_are_those_of_the_server(server):
    before = server.counts()

    made = run_processes(
        scenario_of(server), LoadOptions(connections=7, requests=1_000, warm_up_s=0), 3, number=4
    )

    after = server.counts()
    assert made.number == 4
    assert made.requests == made.latency.total == 1_000 == after.requests - before.requests
    assert made.connections_opened == 7 == after.connections - before.connections
    assert sum(each.latency.total for each in made.seconds) == 1_000
    assert (made.errors, made.was_interrupted) == ({}, False)
    assert made.latency.min_ns >= 2_000_000
    assert 0 < made.effective_concurrency <= 7.01
    assert made.generator.cpu_s > 0
    assert children() == []


def test_a_rate_is_that_of_all_together(server):
    options = LoadOptions(connections=8, duration_s=1.0, rate_per_s=200.0, warm_up_s=0)

    made = run_spread(scenario_of(server), options, 2)

    assert made.requests + made.dropped + made.in_flight_at_end == pytest.approx(200, abs=2)
    assert made.lateness.total == pytest.approx(200, abs=2)


def test_who_watches_is_told_of_all_together(server):
    told = []

    made = run_spread(
        scenario_of(server),
        LoadOptions(connections=4, duration_s=1.2, warm_up_s=0),
        2,
        number=1,
        rounds=3,
        name="all",
        watch=told.append,
    )

    assert {(each.name, each.round, each.rounds) for each in told} == {("all", 1, 3)}
    assert 0 < max(each.requests for each in told) <= made.requests
    assert len(told) >= 2


def test_one_process_is_this_one(server):
    made = run_spread(scenario_of(server), LoadOptions(connections=2, requests=20, warm_up_s=0))

    assert made.requests == 20
    assert made.generator.cpu_s > 0


def test_a_stop_ends_all_and_returns_what_there_is(server):
    before = server.counts().requests
    with Run(server, 2, duration_s=600) as run:
        wait_for(lambda: server.counts().requests - before > 50)

        run.stop.set()
        run.join(60)

        assert run.found.was_interrupted
        assert run.found.requests > 0
    assert (run.told, children()) == ([], [])


def test_a_process_that_dies_is_told_and_the_others_go_on(server):
    before = server.counts().requests
    with Run(server, 2, duration_s=1.5) as run:
        wait_for(lambda: server.counts().requests - before > 50)

        os.kill(children()[0], signal.SIGKILL)
        run.join(60)

        assert len(run.told) == 1
        assert "of 2 was ended by SIGKILL" in run.told[0]
        assert run.found.was_interrupted
        assert run.found.requests > 0


def test_a_process_that_falls_silent_is_ended(server, monkeypatch):
    monkeypatch.setattr("http_benchmark.load.processes._SILENT_LOOKS", 80)
    before = server.counts().requests
    with Run(server, 2, duration_s=1) as run:
        wait_for(lambda: server.counts().requests - before > 50)

        os.kill(children()[0], signal.SIGSTOP)
        run.join(60)

        assert len(run.told) == 1
        assert "does not answer any more and was ended" in run.told[0]
        assert run.found.requests > 0
    assert children() == []


def test_all_dead_is_nothing_measured(server):
    before = server.counts().requests
    with Run(server, 2, duration_s=600) as run:
        wait_for(lambda: server.counts().requests - before > 50)

        for pid in children():
            os.kill(pid, signal.SIGKILL)
        run.join(60)

        assert isinstance(run.found, NothingMeasured)
        assert len(run.told) == 2


def test_a_server_that_is_not_there_is_told_once():
    scenario = Scenario(requests=(Request(url="http://127.0.0.1:1/"),))

    with pytest.raises(NothingMeasured, match="is the server running there"):
        run_processes(scenario, LoadOptions(connections=2, timeout_s=5), 2)

    assert children() == []


def test_more_processes_than_connections_are_refused(server):
    with pytest.raises(UsageError, match="cannot be shared"):
        run_processes(scenario_of(server), LoadOptions(connections=1), 2)


CODE = (
    "import sys\n"
    "from http_benchmark.load.processes import run_processes\n"
    "from http_benchmark.load.scenario import Request, Scenario\n"
    "from http_benchmark.load.options import LoadOptions\n"
    "scenario = Scenario(requests=(Request(url=sys.argv[1]),))\n"
    "made = run_processes(scenario, LoadOptions(connections=2, duration_s=600, warm_up_s=0), 2)\n"
    "print(made.was_interrupted, made.requests > 0)\n"
)


def start_a_parent(server):
    before = server.counts().requests
    paths = os.pathsep.join([str(Path(http_benchmark.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen(
        [sys.executable, "-c", CODE, server.url],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: server.counts().requests - before > 50)
    except BaseException:
        parent.kill()
        parent.communicate()
        raise
    return parent


def test_ctrl_c_reaches_all_and_still_reports(server):
    parent = start_a_parent(server)

    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does it

    assert parent.communicate(timeout=60) == ("True True\n", "")
    assert parent.returncode == 0


def test_generators_end_with_their_parent(server):
    parent = start_a_parent(server)

    parent.kill()
    parent.communicate()

    def is_quiet():
        seen = server.counts().requests
        time.sleep(0.3)
        return server.counts().requests == seen

    wait_for(is_quiet)


def test_messages_come_whole_in_whatever_pieces():
    readable, writable = os.pipe()
    inbox, outbox = Inbox(readable), Outbox(writable)
    messages = [{"a": list(range(20_000))}, "ready", 4.5]
    writing = threading.Thread(target=lambda: [outbox.send(each) for each in messages] and os.close(writable))
    writing.start()

    found = []
    while not inbox.is_closed:
        inbox.read()
        found += inbox.take()
    writing.join()

    assert found == messages
    with pytest.raises(EOFError):
        inbox.wait()
    os.close(readable)
