"""Requests that are due at a rate, whatever the server does. How exactly they are sent is measured by
benchmarks/rightness_engine.py; here is what holds on a machine that is busy with other things too.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from time import perf_counter

import pytest

from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.precise import new_precise_loop
from http_benchmark.engine.runner import BenchmarkRunner
from http_benchmark.histogram.histogram import edges_of
from http_benchmark.targets.trouble import Behaviour, trouble

MODES = pytest.mark.parametrize("mode", ["sync", "async"])


def measure(adapter, url, *, stop=None, watch=None, **options):
    options = {"concurrency": 4, "duration_s": 0.5, "warm_up_s": 0.0} | options
    configuration = BenchmarkConfiguration(url=url, **options)
    result = BenchmarkRunner(configuration, adapter=adapter, stop=stop, watch=watch).run()
    return result.rounds[0]


def slower_than(histogram, limit_s):
    return sum(count for index, count in histogram.counts.items() if edges_of(index)[0] > limit_s * 1e9)


@MODES
def test_each_request_that_is_due_is_sent_once_or_counted_as_dropped(adapter, mode):
    with trouble(Behaviour(error_every=10)) as server:
        found = measure(adapter, server.url, mode=mode, rate_per_s=200.0, warm_up_s=0.1)

        sent = server.counts().requests
    assert found.duration_s == 0.5
    assert found.requests + found.error_count + found.dropped == 100
    assert found.requests + found.error_count <= sent <= 140
    assert found.lateness.total == found.corrected.total == found.latency.total
    assert found.corrected.total_ns == pytest.approx(
        found.latency.total_ns + found.lateness.total_ns, rel=0.01
    )
    assert found.late <= found.requests


@MODES
def test_so_many_requests_take_as_long_as_their_rate_says(adapter, mode):
    with trouble() as server:
        found = measure(adapter, server.url, mode=mode, rate_per_s=200.0, rate_to_per_s=100.0, requests=60)

        assert server.counts().requests == 60
    assert (found.requests, found.dropped) == (60, 0)
    assert found.duration_s >= 0.39  # the last is due 1/100 s before the end, at 60 / 150


def test_what_nobody_was_free_to_send_is_dropped(adapter):
    with trouble(Behaviour(delay_s=0.6)) as server:
        found = measure(adapter, server.url, mode="sync", concurrency=2, rate_per_s=40.0, duration_s=0.25)

        assert server.counts().requests == found.requests <= 2
    assert (found.requests + found.dropped, found.in_flight_at_end) == (10, 0)
    assert sum(second.latency.total for second in found.seconds) == 0


def test_a_pause_of_the_server_shows_in_what_is_corrected(adapter):
    behaviour = Behaviour(pause_s=0.6, pause_at_s=0.1)
    with trouble(behaviour) as server:
        found = measure(adapter, server.url, mode="async", concurrency=2, rate_per_s=100.0, duration_s=0.9)

    # Some 40 are due in the first 0.4 s of the pause and answered after 0.6 s; only two are on their way.
    assert slower_than(found.corrected, 0.2) >= 35
    assert slower_than(found.latency, 0.2) < slower_than(found.corrected, 0.2)
    assert found.late >= 35
    assert found.corrected.max_ns >= 0.55e9


@MODES
def test_a_stop_wakes_those_that_wait_for_a_request_to_be_due(adapter, mode):
    stop = threading.Event()

    def watch(progress):
        if progress.requests:
            stop.set()

    started_s = perf_counter()
    with trouble() as server:
        found = measure(
            adapter, server.url, mode=mode, rate_per_s=0.01, duration_s=10_000.0, stop=stop, watch=watch
        )

    assert perf_counter() - started_s < 30
    assert (found.requests, found.dropped, found.was_interrupted) == (1, 0, True)


def test_a_precise_loop_is_never_early_and_wakes_for_all_that_wakes_a_loop():
    async def main():
        loop = asyncio.get_running_loop()
        for duration_s in (0.0, 0.0001, 0.0035):
            due_s = loop.time() + duration_s
            await asyncio.sleep(duration_s)
            assert loop.time() >= due_s
        never = loop.call_later(3600, print)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            threading.Timer(0.01, theirs.send, [b"x"]).start()
            assert await loop.sock_recv(ours, 1) == b"x"
        told = asyncio.Event()
        threading.Timer(0.01, loop.call_soon_threadsafe, [told.set]).start()
        await told.wait()
        never.cancel()

    with asyncio.Runner(loop_factory=new_precise_loop) as runner:
        runner.run(asyncio.wait_for(main(), 30))
