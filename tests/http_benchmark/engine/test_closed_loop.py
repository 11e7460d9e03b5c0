"""The closed loop against servers of known behaviour: what it counted is what they did."""

from __future__ import annotations

import socket
import threading

import pytest

from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.runner import BenchmarkRunner
from http_benchmark.engine.threads import PAUSE_S
from http_benchmark.errors import NothingMeasured
from http_benchmark.targets.trouble import Behaviour, trouble

MODES = pytest.mark.parametrize("mode", ["sync", "async"])


def measure(adapter, url, *, stop=None, watch=None, **options):
    options = {"concurrency": 4, "duration_s": 1.0, "warm_up_s": 0.0, "timeout_s": 20.0} | options
    configuration = BenchmarkConfiguration(url=url, **options)
    return BenchmarkRunner(configuration, adapter=adapter, stop=stop, watch=watch).run()


@MODES
def test_so_many_requests_are_sent_and_no_more(adapter, mode):
    with trouble() as server:
        result = measure(adapter, server.url, mode=mode, requests=203, rounds=2, method="POST", body=b"hello")

        assert server.counts().requests == 203
    assert [each.requests for each in result.rounds] == [102, 101]
    assert result.requests_count == 203
    assert result.error_count == 0
    for each in result.rounds:
        assert (each.octets_received, each.octets_sent) == (13 * each.requests, 5 * each.requests)
        assert each.connections_opened <= 4
        assert each.connections_reused == each.requests - each.connections_opened
        assert sum(second.latency.total for second in each.seconds) == each.requests
        assert each.first_octet.total == each.requests <= each.corrected.total


@MODES
def test_each_class_of_error_is_counted_exactly_and_outside_of_throughput(adapter, mode):
    behaviour = Behaviour(error_every=10, reset_every=10, short_every=10)
    with trouble(behaviour) as server:
        result = measure(adapter, server.url, mode=mode, requests=500)

        counts = server.counts()
    assert (counts.error, counts.reset, counts.short) == (50, 50, 50)
    assert result.errors == {"status 500": 50, "reset": 50, "short": 50}
    assert (result.requests_count, result.error_count, result.error_rate) == (350, 150, 30.0)
    found = result.rounds[0]
    assert found.latency.total == found.first_octet.total == 350
    assert found.rate_per_s == pytest.approx(350 / found.duration_s)
    assert set(found.examples) == set(found.errors)
    assert sum(second.errors for second in found.seconds) == 150


@MODES
def test_status_and_content_that_are_not_expected_are_errors(adapter, mode):
    hello = b"Hello, World!"
    with trouble(Behaviour(error_every=2)) as server:
        result = measure(
            adapter, server.url, mode=mode, requests=20, expect_status=frozenset({500}), expect_body=hello
        )
    told = pytest.raises(NothingMeasured, match=r"content \(content differs .* at octet 12\)")
    with trouble() as server, told:
        measure(adapter, server.url, mode=mode, requests=20, expect_body=b"Hello, World?")

    assert result.errors == {"status 200": 10}
    assert result.requests_count == 10


@MODES
def test_what_was_begun_in_the_warm_up_is_not_counted_and_its_connections_stay(adapter, mode):
    with trouble(Behaviour(delay_s=0.005)) as server:
        result = measure(adapter, server.url, mode=mode, requests=40, warm_up_s=0.15)

        counts = server.counts()
    found = result.rounds[0]
    assert found.requests == 40
    assert counts.requests > 40
    assert counts.connections == found.connections_opened <= 4
    assert found.connections_reused == 40


@MODES
def test_requests_in_flight_at_the_end_are_waited_for(adapter, mode):
    with trouble(Behaviour(delay_s=0.5)) as server:
        result = measure(adapter, server.url, mode=mode, duration_s=0.4)

        assert server.counts().requests == result.requests_count <= 4
    found = result.rounds[0]
    assert found.in_flight_at_end == 0
    assert found.duration_s == pytest.approx(0.4)
    assert found.latency.min_ns >= 0.5e9
    assert 2 < found.effective_concurrency <= 4
    assert sum(second.latency.total for second in found.seconds) == 0


@MODES
def test_what_is_not_answered_within_the_drain_is_neither_success_nor_error(adapter, mode):
    stop = threading.Event()

    def watch(progress):
        if progress.requests >= 3:
            stop.set()

    with trouble(Behaviour(delay_s=0.01, slow_every=8, slow_factor=1000)) as server:
        result = measure(
            adapter, server.url, mode=mode, concurrency=1, stop=stop, watch=watch, requests=10**6
        )

        assert server.counts().requests == 4
    found = result.rounds[0]
    assert found.was_interrupted
    assert (found.requests, found.error_count, found.in_flight_at_end) == (3, 0, 1)


@MODES
def test_concurrency_is_what_was_asked_for_also_when_some_replies_take_twenty_times_as_long(adapter, mode):
    with trouble(Behaviour(delay_s=0.005, slow_every=20)) as server:
        result = measure(adapter, server.url, mode=mode, concurrency=8, duration_s=0.6, warm_up_s=0.1)

    found = result.rounds[0]
    assert found.effective_concurrency == pytest.approx(8, rel=0.05)
    assert found.effective_concurrency <= 8


def unused_url():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


@MODES
def test_a_target_that_is_not_there_is_told_soon_and_not_hammered(adapter, mode):
    seen = []
    with pytest.raises(
        NothingMeasured, match=r"not one request to http://127.0.0.1:\d+/ succeeded: refused \("
    ) as told:
        measure(adapter, unused_url(), mode=mode, duration_s=3600.0, concurrency=3, watch=seen.append)

    assert told.value.exit_code == 1
    assert all(each.errors <= 3 * (each.elapsed_s / PAUSE_S + 1) for each in seen)


def test_a_target_that_only_fails_is_told_soon(adapter):
    told = pytest.raises(NothingMeasured, match="succeeded: status 500")
    with trouble(Behaviour(error_every=1)) as server, told:
        measure(adapter, server.url, duration_s=3600.0, warm_up_s=5.0)


@MODES
def test_progress_is_told_while_it_runs(adapter, mode):
    seen = []
    with trouble(Behaviour(delay_s=0.002, error_every=10)) as server:
        result = measure(
            adapter, server.url, mode=mode, warm_up_s=0.3, duration_s=0.4, watch=seen.append, name="it"
        )

    assert seen[0].elapsed_s < 0 < seen[-1].elapsed_s
    assert {(each.name, each.round, each.rounds, each.of_s) for each in seen} == {("it", 0, 1, 0.4)}
    assert 0 < seen[-1].requests <= result.requests_count
    assert 0 < seen[-1].errors <= result.error_count
    assert seen[-1].p99_ns >= seen[-1].p50_ns >= 2_000_000
    assert seen[-1].rate_per_s > 0
