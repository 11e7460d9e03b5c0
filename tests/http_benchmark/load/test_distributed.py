"""Load from the workers of a Dask cluster: separate processes, real sockets, one cluster for all tests."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

import pytest

from http_benchmark.cli import main
from http_benchmark.errors import MissingLibrary, NothingMeasured, UsageError
from http_benchmark.load.distributed import _check_versions, run_distributed
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.remote import own_version
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.load.templates import read_data
from http_benchmark.targets.behaviour import Behaviour
from http_benchmark.targets.trouble import trouble

pytestmark = pytest.mark.filterwarnings("default:::distributed", "default:::dask")


@pytest.fixture(scope="module")
def server():
    with trouble(Behaviour(delay_s=0.002)) as found:
        yield found


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        host="127.0.0.1",
    ) as found:
        yield found


def scenario_of(server):
    return Scenario(
        requests=(Request(url=server.url + "{word}"),), data=read_data("word\na\nb\nc\n", "words.csv")
    )


def test_counts_of_all_machines_are_those_of_the_server(server, cluster):
    before = server.counts()
    told = []

    made = run_distributed(
        scenario_of(server),
        LoadOptions(connections=5, requests=501, warm_up_s=0),
        cluster.scheduler_address,
        number=2,
        tell=told.append,
    )

    after = server.counts()
    assert made.requests == 501 == after.requests - before.requests
    assert sum(made.latency.counts.values()) == sum(each.latency.total for each in made.seconds) == 501
    assert made.connections_opened == 5 == after.connections - before.connections
    assert (made.number, made.errors, made.was_interrupted, told) == (2, {}, False, [])
    assert abs(made.started_at - time.time()) < 60
    assert made.generator.cpu_s > 0


def test_a_stop_ends_all_and_returns_what_there_is(server, cluster):
    stop = threading.Event()
    before = server.counts().requests

    def stop_when_it_runs():
        until_s = time.monotonic() + 60
        while server.counts().requests - before < 50 and time.monotonic() < until_s:
            time.sleep(0.01)
        stop.set()

    watching = threading.Thread(target=stop_when_it_runs)
    watching.start()
    made = run_distributed(
        scenario_of(server),
        LoadOptions(connections=4, duration_s=600, warm_up_s=0),
        cluster.scheduler_address,
        stop=stop,
    )
    watching.join()

    assert made.was_interrupted
    assert made.requests > 0


def test_a_server_that_is_not_there_is_told(cluster):
    scenario = Scenario(requests=(Request(url="http://127.0.0.1:1/"),))

    with pytest.raises(NothingMeasured, match="is the server running there"):
        run_distributed(scenario, LoadOptions(connections=2, timeout_s=5), cluster.scheduler_address)


def test_the_command_takes_the_address_of_a_scheduler(server, cluster, capsys):
    words = (
        "--distributed",
        cluster.scheduler_address,
        "--connections",
        "4",
        "--requests",
        "100",
        "--rounds",
        "2",
    )

    code = main(
        ["load", server.url, *words, "--warmup", "0", "--no-save", "--no-report", "--quiet", "--json"]
    )

    (result,) = json.loads(capsys.readouterr().out)
    assert (code, result["requests_count"], len(result["rounds"])) == (0, 100, 2)
    assert result["config_snapshot"]["processes"] == 2


def test_more_workers_than_connections_are_refused(server, cluster):
    with pytest.raises(UsageError, match="cannot be shared by 2 generators"):
        run_distributed(scenario_of(server), LoadOptions(connections=1), cluster.scheduler_address)


def test_workers_without_this_package_are_told(server, cluster, monkeypatch):
    monkeypatch.setattr("http_benchmark.load.distributed._REMOTE", "__import__('absent_package')")

    with pytest.raises(
        UsageError, match=r"has no http_benchmark \(No module named 'absent_package'\); install"
    ):
        run_distributed(scenario_of(server), LoadOptions(connections=2), cluster.scheduler_address)


def test_a_worker_that_is_lost_is_told_and_the_other_goes_on(server, cluster):
    """The last: afterwards the cluster is not what it was."""
    told = []
    before = server.counts().requests
    victim = min(cluster.workers)

    def kill_when_it_runs():
        until_s = time.monotonic() + 60
        while server.counts().requests - before < 50 and time.monotonic() < until_s:
            time.sleep(0.01)
        os.kill(cluster.workers[victim].process.process.pid, signal.SIGKILL)

    watching = threading.Thread(target=kill_when_it_runs)
    watching.start()
    made = run_distributed(
        scenario_of(server),
        LoadOptions(connections=2, duration_s=1, warm_up_s=0, timeout_s=5),
        cluster.scheduler_address,
        tell=told.append,
    )
    watching.join()

    assert len(told) == 1
    assert "left the cluster" in told[0] or "failed" in told[0] or "lost" in told[0]
    assert made.was_interrupted
    assert made.requests > 0


def test_no_scheduler_is_told():
    with pytest.raises(UsageError, match="no Dask scheduler at nonsense"):
        run_distributed(Scenario(requests=(Request(url="http://x/"),)), LoadOptions(), "nonsense://x:1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ModuleNotFoundError("No module named 'http_benchmark'"), "has no http_benchmark"),
        ("0.0.1", "has version 0.0.1 of http_benchmark"),
    ],
)
def test_a_worker_of_another_kind_is_told(answer, said):
    _check_versions({"good": own_version()})

    with pytest.raises(UsageError, match=f"the worker bad {said}.*install"):
        _check_versions({"bad": answer, "good": own_version()})


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(MissingLibrary, match=r"pip install .penstock\[bench-distributed\]"):
        run_distributed(Scenario(requests=(Request(url="http://x/"),)), LoadOptions(), "tcp://127.0.0.1:1")
