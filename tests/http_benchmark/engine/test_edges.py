from __future__ import annotations

import pytest

from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.edges import edge_warnings
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.round import Round


def result_of(latency_ms, count, *, reused=None, **options):
    wanted = BenchmarkConfiguration(url="http://127.0.0.1:9/", concurrency=10, **options)
    latency = Histogram([latency_ms * 10**6] * count)
    rounds = [Round(number, 0.0, 1.0, latency, connections_reused=reused) for number in range(2)]
    return summarise(
        rounds,
        name="x",
        client_library="x",
        client_type="sync",
        http_method="GET",
        url=wanted.url,
        concurrency=10,
        config_snapshot=wanted.to_dict(),
    )


@pytest.mark.parametrize(
    ("options", "is_told"),
    [({}, True), ({"requests": 100}, False), ({"rate_per_s": 100.0}, False)],
    ids=["closed loop", "a number of requests", "open loop"],
)
def test_a_round_that_is_short_beside_its_replies_is_told(options, is_told):
    told = edge_warnings(result_of(50, 100, **options))

    said = "a reply took 0.05 s and a round 1 s, so the rate may be off by 5 %: measure longer rounds"
    assert told == ([said] if is_told else [])
    assert edge_warnings(result_of(10, 100, **options)) == []


@pytest.mark.parametrize(
    ("reused", "options", "is_told"),
    [
        (95, {}, True),
        (100, {}, False),
        (95, {"warm_up_s": 0.0}, False),
        (50, {}, False),
        (None, {}, False),
    ],
    ids=["some", "none", "without warm-up", "more than there are workers", "nobody can tell"],
)
def test_connections_opened_after_the_warm_up_are_told(reused, options, is_told):
    told = edge_warnings(result_of(1, 100, reused=reused, **options))

    said = "10 connections were opened in the measured time: the warm-up was too short; raise --warmup"
    assert told == ([said] if is_told else [])
