"""Dividing a load and joining what was measured: nothing is lost and nothing invented."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.errors import UsageError
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.parts import (
    divide_options,
    divide_scenario,
    head_start_s,
    join_progress,
    join_rounds,
)
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.load.templates import read_data
from http_benchmark.measurement.progress import Progress
from http_benchmark.measurement.round import Resources, Round, Sample, Second

URL = "http://127.0.0.1:9/"


@given(st.integers(1, 40), st.integers(40, 10_000), st.integers(40, 10**9))
def test_connections_and_requests_are_divided_to_the_last_one(parts, connections, requests):
    options = LoadOptions(connections=connections, requests=requests, rate_per_s=1000.0, rate_to_per_s=50.0)

    shares = divide_options(options, parts)

    assert sum(each.connections for each in shares) == connections
    assert sum(each.requests for each in shares) == requests
    assert sum(each.rate_per_s for each in shares) == pytest.approx(1000)
    assert sum(each.rate_to_per_s for each in shares) == pytest.approx(50)
    assert max(each.connections for each in shares) - min(each.connections for each in shares) <= 1
    assert {each.duration_s for each in shares} == {options.duration_s}


@pytest.mark.parametrize(
    ("options", "parts", "said"),
    [
        ({"connections": 3}, 4, "3 connections cannot be shared by 4 generators"),
        ({"connections": 9, "requests": 2}, 3, "2 requests cannot be shared by 3 generators"),
        ({}, 0, "by 0 generators"),
    ],
)
def test_what_cannot_be_divided_is_told(options, parts, said):
    with pytest.raises(UsageError, match=said):
        divide_options(LoadOptions(**options), parts)


def test_parts_of_an_open_loop_take_turns():
    options = LoadOptions(rate_per_s=100.0)

    assert [head_start_s(options, part) for part in range(3)] == [0.0, 0.01, 0.02]
    assert head_start_s(LoadOptions(), 2) == 0.0


def test_each_part_has_its_own_rows_and_order():
    data = read_data("id\n1\n2\n3\n4\n5\n", "ids.csv")
    scenario = Scenario(requests=(Request(url=URL + "{id}"),), data=data)

    parts = divide_scenario(scenario, 2)

    assert [each.data.rows for each in parts] == [(("1",), ("3",), ("5",)), (("2",), ("4",))]
    assert len({each.seed for each in parts}) == 2
    assert [len(each.data.rows) for each in divide_scenario(scenario, 9)] == [5] * 9
    assert pickle.loads(pickle.dumps(parts)) == parts


def a_part(began, duration_s, values, **fields):
    return Round(
        3,
        began,
        duration_s,
        latency=Histogram(values),
        corrected=Histogram(values),
        connections_opened=2,
        connections_reused=5,
        effective_concurrency=2.0,
        **fields,
    )


def test_counts_and_histograms_add_up():
    one = a_part(
        100.0,
        2.0,
        [10, 20, 30],
        errors={"reset": 1, "status 503": 2},
        examples={"reset": "first"},
        late=1,
        seconds=[Second(0, Histogram([10]), 1), Second(1, Histogram([20, 30]), 2)],
        generator=Resources(1.5, [Sample(0.5, 90.0, 20.0, 2)], 1.0, 0.5),
    )
    other = a_part(
        100.5,
        2.0,
        [5, 40],
        errors={"reset": 4},
        examples={"reset": "second", "short": "x"},
        dropped=7,
        in_flight_at_end=2,
        octets_received=9,
        seconds=[Second(0, Histogram([5, 40]))],
        generator=Resources(0.5, [Sample(0.5, 10.0, 5.0, 1), Sample(1.0, 7.0, 6.0, 1)]),
        was_interrupted=True,
    )

    both = join_rounds([one, other])

    assert both.latency == both.corrected == Histogram([5, 10, 20, 30, 40])
    assert (both.number, both.started_at, both.duration_s) == (3, 100.0, 2.5)
    assert both.errors == {"reset": 5, "status 503": 2}
    assert both.examples == {"reset": "first", "short": "x"}
    assert (both.late, both.dropped, both.in_flight_at_end, both.octets_received) == (1, 7, 2, 9)
    assert (both.connections_opened, both.connections_reused) == (4, 10)
    assert both.effective_concurrency == pytest.approx(3.2)
    assert [(each.latency, each.errors) for each in both.seconds] == [
        (Histogram([5, 10, 40]), 1),
        (Histogram([20, 30]), 2),
    ]
    assert (both.generator.cpu_s, both.generator.user_s) == (2.0, 1.0)
    assert [(each.cpu_percent, each.rss_mb) for each in both.generator.samples] == [(100.0, 25.0), (7.0, 6.0)]
    assert both.was_interrupted
    assert both.first_octet is None


def test_progress_adds_up_to_look_at():
    one = Progress("x", 0, 2, 1.0, 3.0, 100.0, 10, 50, 100, 1)

    both = join_progress([one, one._replace(rate_per_s=50.0, p50_ns=20, p99_ns=90, requests=40, errors=2)])

    assert both == Progress("x", 0, 2, 1.0, 3.0, 150.0, 15, 90, 140, 3)


def test_what_one_part_does_not_know_nobody_knows():
    both = join_rounds([a_part(0.0, 1.0, [1]), Round(0, 0.0, 1.0)])

    assert (both.connections_opened, both.effective_concurrency, both.generator) == (None, None, None)
    assert both.corrected == Histogram([1])


def test_one_part_is_the_whole():
    part = a_part(1.7e9, 2.0, [1, 2])

    assert join_rounds([part]) == part
