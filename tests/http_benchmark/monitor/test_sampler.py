"""What the sampler says of processes that do a known amount of work when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from http_benchmark.errors import UsageError
from http_benchmark.monitor.portable import PsutilReader
from http_benchmark.monitor.proc import ProcReader
from http_benchmark.monitor.reader import find_reader
from http_benchmark.monitor.sampler import Sampler

READERS = pytest.mark.parametrize("reader", [ProcReader, PsutilReader])
TICK_S = 0.01
OPEN = Path("/proc/self/fd")
PROGRAM = """
import os, signal, sys, time
def burn(s):
    end = time.process_time() + s
    while time.process_time() < end: pass
def child(s, waits):
    pid = os.fork()
    if not pid:
        burn(s); os._exit(0)
    if waits: os.waitpid(pid, 0)
    else:
        while True:
            try: os.kill(pid, 0)
            except ProcessLookupError: break
            time.sleep(0.001)
def stay(s):
    read, write = os.pipe()
    if not os.fork():
        burn(s); os.write(write, b"."); signal.pause()
    os.read(read, 1)
def orphan(s):
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        if not os.fork():
            burn(s); os.write(write, b"."); signal.pause()
        os._exit(0)
    os.waitpid(pid, 0); os.read(read, 1)
def hold(n):
    global held
    held = bytes([1]) * n
def nap(n):
    for _ in range(n): time.sleep(0.0001)
def ignore(): signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Worker:
    """A process that does what it is told, and says when it is done."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._process.stdout.readline()

    def do(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def end(self):
        for pid in ProcReader().members([self.pid]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@contextmanager
def worker():
    made = Worker()
    try:
        yield made
    finally:
        made.end()


@READERS
def test_cpu_time_is_that_of_the_block_alone(reader):
    with worker() as one:
        one.do("burn(0.15)")
        with Sampler([one.pid], 0.05, reader=reader()) as sampler:
            one.do("burn(0.1)")
        one.do("burn(0.15)")

    found = sampler.resources()
    assert 0.1 - 2 * TICK_S <= found.cpu_s < 0.2
    assert found.user_s + found.system_s == pytest.approx(found.cpu_s, abs=2.1 * TICK_S)


def test_it_is_exact_where_ticks_are_not():
    with worker() as one:
        with Sampler([one.pid], 0.05) as sampler:
            one.do("burn(0.004)")

        assert 0.004 <= sampler.resources().cpu_s < 0.0099


def test_the_percent_of_samples_are_of_the_time_between_them():
    with worker() as one, Sampler([one.pid], 0.02) as sampler:
        one.do("burn(0.2)")

    found = sampler.resources()
    offsets_s = [0.0, *(sample.offset_s for sample in found.samples)]
    used_s = [
        sample.cpu_percent / 100 * (after - before)
        for sample, (before, after) in zip(found.samples, pairwise(offsets_s), strict=True)
    ]
    assert len(used_s) >= 2
    assert sum(used_s) == pytest.approx(found.cpu_s)


@READERS
@pytest.mark.parametrize(
    "work", ["child(0.1, True)", "stay(0.1)", "orphan(0.1)"], ids=["ended", "lives", "left its parent"]
)
def test_processes_that_are_born_later_count(reader, work):
    with worker() as one, Sampler([one.pid], 10, reader=reader()) as sampler:
        one.do(work)

    assert 0.1 - 3 * TICK_S <= sampler.resources().cpu_s < 0.2


def test_a_child_nobody_waits_for_counts_as_far_as_it_was_seen():
    with worker() as one:
        one.do("ignore()")
        with Sampler([one.pid], 0.01) as sampler:
            one.do("child(0.8, False)")

        assert 0.2 <= sampler.resources().cpu_s < 1.5  # children are looked for every half second


def test_children_are_left_out_when_asked_to():
    with worker() as one, Sampler([one.pid], 0.02, with_children=False) as sampler:
        one.do("child(0.1, True); stay(0.1)")

    assert sampler.resources().cpu_s < 0.05


@READERS
def test_memory_is_in_millions_of_octets(reader):
    with worker() as one:
        with Sampler([one.pid], 10, reader=reader()) as before:
            pass
        one.do("hold(50_000_000)")
        with Sampler([one.pid], 10, reader=reader()) as after:
            pass

    grown_mb = after.resources().rss_mb_max - before.resources().rss_mb_max
    assert grown_mb == pytest.approx(50.0, abs=1.0)


@READERS
def test_context_switches_and_threads_are_counted(reader):
    with worker() as one, Sampler([one.pid], 0.02, reader=reader()) as sampler:
        one.do("nap(200)")

    found = sampler.resources()
    assert 200 <= sum(sample.context_switches for sample in found.samples) < 2_000
    assert {sample.threads for sample in found.samples} == {1}


def test_both_ways_to_ask_say_the_same():
    with worker() as one:
        one.do("hold(10_000_000); child(0.05, True); burn(0.05); nap(5)")
        asked = [reader().open(one.pid) for reader in (ProcReader, PsutilReader)]
        ours, theirs = (process.read() for process in asked)
        for process in asked:
            process.close()

    assert ours._replace(cpu_s=0.0) == theirs._replace(cpu_s=0.0)
    assert ours.cpu_s == pytest.approx(theirs.cpu_s, abs=2.1 * TICK_S)


def test_both_ways_to_ask_find_the_same_processes():
    with worker() as one:
        one.do("stay(0); orphan(0)")

        found = [reader().members([one.pid]) for reader in (ProcReader, PsutilReader)]

    assert len(found[0]) == 3
    assert found[0] == found[1]


def test_this_process_can_be_watched():
    with Sampler("self", 0.02, with_children=False) as sampler:
        end_s = time.process_time() + 0.1
        while time.process_time() < end_s:
            pass

    assert 0.1 <= sampler.resources().cpu_s < 0.2
    assert sampler.resources().rss_mb_mean > 5
    assert sampler.resources().samples[-1].threads >= 1


def test_a_process_that_vanishes_keeps_what_it_was_seen_to_use():
    with worker() as one, Sampler([one.pid], 0.01) as sampler:
        one.do("burn(0.1)")
        one.end()

    assert sampler.resources().cpu_s <= 0.15
    assert sampler.resources().samples[-1].rss_mb == 0.0


def test_a_process_that_is_no_more_is_no_error():
    with worker() as one:
        pass

    with Sampler([one.pid], 0.01) as sampler:
        pass

    assert sampler.resources().cpu_s == 0.0


def test_no_file_stays_open():
    before = len(list(OPEN.iterdir()))
    with worker() as one, Sampler([one.pid, os.getpid()], 0.01):
        one.do("stay(0)")

    assert len(list(OPEN.iterdir())) == before


def test_the_interval_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("HTTP_BENCHMARK_RESOURCE_MONITORING_INTERVAL", "0")

    with pytest.raises(UsageError, match="HTTP_BENCHMARK_RESOURCE_MONITORING_INTERVAL is '0'"):
        Sampler("self")


def test_resources_are_known_afterwards_only():
    with Sampler("self") as sampler, pytest.raises(RuntimeError, match="once the block"):
        sampler.resources()


def test_where_there_is_proc_it_is_used():
    assert isinstance(find_reader(), ProcReader)
