"""The histogram against what it stands for: the sorted list of all values."""

from __future__ import annotations

import random
import time
from math import ceil
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.histogram.histogram import Histogram, edges_of, index_of

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0)
MILLION = 1_000_000

durations = st.integers(min_value=0, max_value=2**50)


def exact(ordered, percent):
    return ordered[max(1, ceil(round(len(ordered) * percent / 100, 6))) - 1]


def shapes():
    chance = random.Random(7)
    normal, log_normal = chance.gauss, chance.lognormvariate
    return {
        "fixed": [20_000_000] * MILLION,
        "uniform": [int(chance.random() * 5_000_000) for _ in range(MILLION)],
        "log-normal": [int(log_normal(13, 1.2)) for _ in range(MILLION)],
        "two humps": [int(abs(normal(2e5 if at % 20 else 4e7, 2e4))) for at in range(MILLION)],
        "heavy tail": [int(50_000 / (1 - chance.random())) for _ in range(MILLION)],
    }


@pytest.fixture(scope="module")
def samples():
    return shapes()


@pytest.mark.parametrize("shape", ["fixed", "uniform", "log-normal", "two humps", "heavy tail"])
def test_percentiles_of_a_million_samples_are_within_one_percent_of_the_exact_sort(samples, shape):
    values = samples[shape]
    ordered = sorted(values)

    found = Histogram(values).percentiles(PERCENTS)

    for percent, value in zip(PERCENTS, found, strict=True):
        assert value == pytest.approx(exact(ordered, percent), rel=0.0041, abs=1), percent
    assert found[-1] == ordered[-1]


def test_a_million_samples_in_parts_merge_to_the_whole(samples):
    values = samples["log-normal"]
    whole, parts = Histogram(values), Histogram()

    for begin in range(0, MILLION, 130_001):
        parts.merge(Histogram(values[begin : begin + 130_001]))

    assert parts == whole
    assert (whole.total, whole.total_ns) == (MILLION, sum(values))


def test_recording_a_million_samples_takes_little_processor_time(samples):
    histogram = Histogram()

    began = time.process_time()
    histogram.record_many(samples["heavy tail"])

    assert time.process_time() - began < 2  # 0.25 s on an idle core


@given(st.lists(durations, min_size=1))
def test_counts_and_moments_are_exact(values):
    histogram = Histogram(values)

    assert (histogram.total, histogram.min_ns, histogram.max_ns) == (len(values), min(values), max(values))
    assert histogram.mean_ns == pytest.approx(fmean(values))
    assert histogram.stdev_ns == pytest.approx(pstdev(values))


@given(st.lists(st.integers(min_value=-(2**40), max_value=2**40)), st.data())
def test_how_values_come_in_makes_no_difference(values, data):
    cut = data.draw(st.integers(0, len(values)))
    one_by_one, at_once, merged = Histogram(), Histogram(values), Histogram(values[:cut])

    for value in values:
        one_by_one.record(value)
    merged.merge(Histogram(values[cut:]))

    assert one_by_one == at_once == merged


@given(st.lists(durations, min_size=1), st.floats(0, 100))
def test_a_percentile_is_near_the_exact_one_and_never_outside_the_values(values, percent):
    found = Histogram(values).percentile(percent)

    assert found == pytest.approx(exact(sorted(values), percent), rel=0.0041, abs=1)
    assert min(values) <= found <= max(values)


@given(durations)
def test_a_bucket_holds_its_value_and_is_narrow(value):
    low, high = edges_of(index_of(value))

    assert low <= value <= high
    assert high - low <= value / 128
    assert index_of(low) == index_of(high) == index_of(high + 1) - 1


@pytest.mark.parametrize("percent", [0.1, 0.7, 7, 14, 28, 55.5, 57, 99.9])
def test_the_rank_of_a_percentile_does_not_suffer_from_floating_point(percent):
    at_or_below = round(1000 * percent / 100)

    assert Histogram([1] * at_or_below + [2] * (1000 - at_or_below)).percentile(percent) == 1


def test_a_histogram_of_nothing_is_zero_everywhere():
    nothing = Histogram()

    assert (nothing.percentile(99), nothing.mean_ns, nothing.stdev_ns, nothing.max_ns) == (0, 0.0, 0.0, 0)
    assert nothing == Histogram([]) != Histogram([0])
