"""Correction for coordinated omission, against the definition and against the library `hdrhistogram`."""

from __future__ import annotations

import time

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.errors import UsageError
from http_benchmark.histogram.correction import correct, correct_closed_loop
from http_benchmark.histogram.histogram import Histogram, edges_of, index_of

SECOND = 10**9


@given(st.lists(st.integers(0, 255)), st.integers(1, 300))
def test_small_values_which_buckets_hold_exactly_are_corrected_exactly(values, interval):
    expected = Histogram(values)
    for value in values:
        expected.record_many(list(range(value - interval, 0, -interval)))

    assert correct(Histogram(values), interval) == expected


@given(st.integers(1, 10**11), st.integers(1, 2**20))
def test_a_single_value_is_corrected_exactly(value, parts):
    interval = max(1, value // (parts % 500 + 1))
    expected = Histogram([value, *range(value - interval, 0, -interval)])

    assert correct(Histogram([value]), interval) == expected


@given(st.lists(st.integers(1, 10 * SECOND), min_size=1, max_size=8), st.integers(10_000_000, 2 * SECOND))
def test_it_agrees_with_the_library(values, interval):
    library = HdrHistogram(1, 3600 * SECOND, 2)
    # The middle of its bucket is what we know of a value; the greatest is known exactly.
    greatest = max(values)
    known = [greatest] + [min(sum(edges_of(index_of(value))) // 2, greatest) for value in sorted(values)[:-1]]
    for value in known:
        library.record_corrected_value(value, interval)

    found = correct(Histogram(values), interval)

    assert found.total == library.get_total_count()
    assert {edges_of(index)[1]: count for index, count in found.counts.items()} == {
        item.value_iterated_to: item.count_at_value_iterated_to for item in library.get_recorded_iterator()
    }


def test_a_pause_of_a_second_shows_in_the_percentiles():
    # One client, a request every 10 ms that takes 1 ms, for 100 s; the server stands still for one second.
    uncorrected = Histogram([1_000_000] * 9_900 + [SECOND])

    corrected = correct(uncorrected, 10_000_000)

    assert uncorrected.percentile(99.9) == pytest.approx(1_000_000, rel=0.01)
    assert corrected.total == 10_000
    assert corrected.percentile(99.9) == pytest.approx(0.90 * SECOND, rel=0.01)
    assert corrected.percentile(99.99) == pytest.approx(0.99 * SECOND, rel=0.02)
    assert corrected.max_ns == SECOND


def test_a_closed_loop_is_taken_to_ask_at_its_average_pace():
    # One connection for ten seconds, 1 ms each, and the server stands still for one second of them.
    uncorrected = Histogram([1_000_000] * 9_000 + [SECOND])

    corrected = correct_closed_loop(uncorrected)

    assert uncorrected.percentile(99.9) == pytest.approx(1_000_000, rel=0.01)
    assert corrected.percentile(50) == pytest.approx(1_000_000, rel=0.01)
    assert corrected.percentile(99) == pytest.approx(0.9 * SECOND, rel=0.02)


@given(st.lists(st.integers(1, 10 * SECOND), min_size=1, max_size=50))
def test_the_estimate_for_a_closed_loop_lowers_no_percentile(values):
    measured = Histogram(values)
    corrected = correct_closed_loop(measured)

    for percent in (50, 90, 99, 100):
        assert corrected.percentile(percent) >= min(measured.percentile(percent), measured.mean_ns) * 0.99


def test_the_cost_does_not_grow_with_counts_and_pauses():
    histogram = Histogram([1_000_000])
    histogram.record(3600 * SECOND, 10**9)
    histogram.record(1800 * SECOND, 10**9)

    began = time.process_time()
    corrected = correct(histogram, 1_000)

    assert time.process_time() - began < 2  # 20 ms on an idle core
    assert corrected.total == pytest.approx(10**9 * 5.4e9, rel=0.01)


def test_nothing_above_the_interval_changes_nothing():
    histogram = Histogram([1, 5, 10**6])

    assert correct(histogram, 10**6) == histogram
    assert correct(Histogram(), 5) == Histogram()


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_must_be_above_zero(interval):
    with pytest.raises(UsageError, match="must be above 0"):
        correct(Histogram(), interval)
