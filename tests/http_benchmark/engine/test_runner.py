"""Several in turns, what cannot be done, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.runner import BenchmarkRunner, measure_in_turns
from http_benchmark.errors import MissingLibrary, NothingMeasured, UsageError
from http_benchmark.targets.trouble import Behaviour, trouble

ROOT = Path(__file__).resolve().parents[3]


def configuration(url="http://127.0.0.1:9/", **options):
    return BenchmarkConfiguration(url=url, **{"warm_up_s": 0.0, "requests": 4, "concurrency": 2} | options)


def test_rounds_take_turns_and_each_result_has_its_own(tmp_path):
    seen = []

    def watch(progress):
        if (progress.name, progress.round) not in seen:
            seen.append((progress.name, progress.round))

    with trouble(Behaviour(delay_s=0.28)) as server:
        wanted = [configuration(server.url, name=name, rounds=2, concurrency=4) for name in ("a", "b")]
        a, b = measure_in_turns(wanted, watch=watch)

    assert seen == [("a", 0), ("b", 0), ("b", 1), ("a", 1)]
    assert (a.name, b.name) == ("a", "b")
    assert [each.number for each in a.rounds] == [0, 1]
    assert (a.client_library, a.client_type, a.concurrency_level) == ("http.client", "sync", 4)
    assert a.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert a.cpu_usage_avg is not None and a.memory_usage_avg > 1


def test_one_that_measures_nothing_does_not_take_the_others_with_it():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with trouble() as server:
        wanted = [configuration(f"http://127.0.0.1:{port}/", client="penstock"), configuration(server.url)]
        results = measure_in_turns(wanted)

    assert [result.client_library for result in results] == ["http.client"]
    assert results[0].warnings[0].startswith("penstock (sync): not one request to http://127.0.0.1:")


def test_a_stop_before_the_first_round_measures_nothing():
    stop = threading.Event()
    stop.set()

    with pytest.raises(NothingMeasured, match="stopped before anything was measured"):
        measure_in_turns([configuration()], stop=stop)


def test_one_that_stops_answering_keeps_the_rounds_it_has():
    with trouble() as server:
        url = server.url

        def watch(progress):
            if progress.round:
                os.kill(server.pid, signal.SIGKILL)

        wanted = configuration(url, rounds=10, requests=None, duration_s=4.0, warm_up_s=0.2)
        result = BenchmarkRunner(wanted, watch=watch).run()

    assert 1 <= len(result.rounds) < 10
    assert f"http.client (sync): no round after the first {len(result.rounds)}: not" in result.warnings[0]


def test_a_stop_leaves_out_those_that_had_no_round_yet():
    stop = threading.Event()

    def watch(progress):
        if progress.requests:
            stop.set()

    with trouble() as server:
        wanted = [configuration(server.url, name=name, requests=10**9) for name in ("a", "b")]
        results = measure_in_turns(wanted, watch=watch, stop=stop)

    assert [(result.name, result.rounds[0].was_interrupted) for result in results] == [("a", True)]
    assert results[0].warnings[0] == "http.client (sync): stopped after 0 of 1 rounds"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client": "http.client", "mode": "async"}, "http.client has no mode async; it has sync"),
        ({"client": "http.client", "http2": True}, "http.client speaks no HTTP/2"),
        ({"client": "htpx"}, "htpx"),
    ],
    ids=["a mode the client has not", "HTTP/2", "an unknown client"],
)
def test_what_cannot_be_done_is_told_before_anything_is_sent(options, said):
    with pytest.raises(UsageError, match=said):
        BenchmarkRunner(configuration(**options)).run()


def test_different_numbers_of_rounds_cannot_take_turns():
    with pytest.raises(UsageError, match="same number of rounds"):
        measure_in_turns([configuration(rounds=2), configuration(rounds=3)])


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_library_that_is_not_installed_is_named(mode):
    def make(wiring):
        raise MissingLibrary("nolib", "pip install nolib")

    adapter = Adapter("nolib", "nolib", "pip install nolib", "", make_sync=make, make_async=make)
    before = threading.active_count()

    with pytest.raises(MissingLibrary, match="nolib is not installed: pip install nolib"):
        BenchmarkRunner(configuration(mode=mode), adapter=adapter).run()
    assert threading.active_count() == before


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_client_that_cannot_be_made_is_told_in_one_line(mode):
    def make(wiring):
        raise OSError("no certificates")

    adapter = Adapter("own", "", "", "", make_sync=make, make_async=make)

    with pytest.raises(NothingMeasured, match=r"^own makes no client: OSError: no certificates$"):
        BenchmarkRunner(configuration(mode=mode), adapter=adapter).run()


class Panic(BaseException):
    """As extensions written in Rust raise it."""


class Broken:
    """Breaks on its third request, and again when it is closed."""

    def __init__(self, wiring):
        self._count = 0

    def exchange(self, call):
        self._count += 1
        if self._count == 3:
            raise Panic("index out of bounds")
        now_ns = time.perf_counter_ns()
        return Exchange(200, 0, now_ns, now_ns, now_ns)

    def connections_opened(self):
        return -1

    def close(self):
        raise OSError("gone")


class BrokenAsync(Broken):
    async def exchange(self, call):
        return super().exchange(call)

    async def close(self):
        super().close()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_client_that_breaks_ends_the_round_in_one_line(mode):
    adapter = Adapter("own", "", "", "", make_sync=Broken, make_async=BrokenAsync)

    with pytest.raises(NothingMeasured, match=r"^own broke: Panic: index out of bounds$"):
        BenchmarkRunner(configuration(mode=mode, requests=10**9), adapter=adapter).run()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_client_that_cannot_be_closed_has_measured_all_the_same(mode):
    adapter = Adapter("own", "", "", "", make_sync=Broken, make_async=BrokenAsync)

    result = BenchmarkRunner(configuration(mode=mode, requests=2, concurrency=1), adapter=adapter).run()

    assert result.requests_count == 2
    assert result.rounds[0].connections_opened is None


def test_the_limit_of_open_files_is_raised_and_where_it_cannot_be_told():
    program = """
import resource, sys
from http_benchmark import BenchmarkConfiguration, BenchmarkRunner
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
wanted = BenchmarkConfiguration(
    url=sys.argv[1], client="penstock", mode="async", concurrency=200, requests=200, warm_up_s=0
)
print(BenchmarkRunner(wanted).run().requests_count)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 120))
BenchmarkRunner(wanted.but(concurrency=50)).run()
"""
    with trouble() as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.url],
            env={"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.stdout == "200\n"

    assert "UsageError: concurrency 50 needs 150 open files, and 120 are allowed here" in done.stderr


def test_many_threads_have_the_interpreter_handed_on_more_rarely_while_they_run():
    seen = set()
    before = sys.getswitchinterval()

    with trouble(Behaviour(delay_s=0.3)) as server:
        wanted = configuration(server.url, requests=200, concurrency=200)
        result = BenchmarkRunner(wanted, watch=lambda _: seen.add(sys.getswitchinterval())).run()

    assert result.requests_count == 200
    assert [round(interval_s, 3) for interval_s in seen] == [0.1]
    assert sys.getswitchinterval() == before


INTERRUPTED = """
import signal, sys, time
from http_benchmark import BenchmarkConfiguration, BenchmarkRunner
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
is_stuck = sys.argv[2] == "stuck"

def watch(progress):
    if progress.requests:
        print("running", flush=True)
        while is_stuck:
            time.sleep(0.01)

wanted = BenchmarkConfiguration(url=sys.argv[1], client="penstock", mode=sys.argv[3], duration_s=3600)
result = BenchmarkRunner(wanted, watch=watch).run()
print("result", result.requests_count > 0, result.rounds[0].was_interrupted, result.duration < 60)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def test_ctrl_c_ends_the_round_and_its_result_is_returned():
    with trouble() as server, interrupted(server.url, "runs", "async") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "result True True True"


def test_a_second_ctrl_c_ends_all_at_once():
    with trouble() as server, interrupted(server.url, "stuck", "sync") as process:
        until_s = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until_s:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)  # two that come at once are one
        out, err = process.communicate(timeout=60)

    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert "result" not in out


def interrupted(url, *words):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, url, *words],
        env={"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(process)


class Running:
    """Ends it whatever happens, once it has said that it runs."""

    def __init__(self, process):
        self.process = process

    def __enter__(self):
        assert self.process.stdout.readline() == "running\n", self.process.stderr.read()
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
