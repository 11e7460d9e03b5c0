"""Buckets: every duration in one, edges exact, percentiles as near as promised."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe.metrics.histogram import (
    BUCKETS,
    EDGES_US,
    LIMIT_US,
    TOLD_EDGES,
    Distribution,
    bucket_of,
    edge_of,
    none,
    split,
)
from penstock.observe.metrics.memory import BLOCK_WORDS

DURATIONS = st.one_of(st.integers(0, 10**6), st.integers(0, 10**10), st.integers(0, 4 * 10**12))


def distribution(durations_ns):
    counts = [0] * BUCKETS
    for duration_ns in durations_ns:
        counts[bucket_of(duration_ns)] += 1
    return Distribution(counts, sum(durations_ns))


@given(DURATIONS)
def test_a_duration_lies_between_the_edges_of_its_bucket(duration_ns):
    bucket = bucket_of(duration_ns)

    if duration_ns:
        assert EDGES_US[bucket] * 1000 < duration_ns
    assert duration_ns <= EDGES_US[bucket + 1] * 1000


def test_buckets_follow_each_other_and_are_a_sixteenth_of_their_beginning_at_most():
    for bucket in range(BUCKETS):
        low, high = edge_of(bucket), edge_of(bucket + 1)
        assert high > low
        assert high - low == 1 or (high - low) * 16 <= low
    assert edge_of(BUCKETS) == LIMIT_US > 3600 * 10**6


def test_what_is_longer_than_an_hour_is_in_the_last_bucket():
    assert bucket_of(LIMIT_US * 1000) == bucket_of(LIMIT_US * 1000 + 1) == bucket_of(10**18) == BUCKETS - 1


@pytest.mark.parametrize(("name", "below"), TOLD_EDGES)
def test_an_edge_that_is_told_is_exact(name, below):
    edge_ns = int(Decimal(name) * 10**9)

    assert math.log2(edge_ns // 1000) % 1 == 0
    assert bucket_of(edge_ns) < below
    assert bucket_of(edge_ns + 1) == below


def test_edges_are_told_from_64_us_to_67_s():
    assert [name for name, _ in TOLD_EDGES[:3]] == ["0.000064", "0.000128", "0.000256"]
    assert TOLD_EDGES[-1][0] == "67.108864"


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.sampled_from([0, 1, 50, 90, 95, 99, 99.9, 100]))
def test_percentiles_are_within_a_bucket_of_the_sorted_ones(durations_ns, percent):
    durations_ns = [min(each, (LIMIT_US - 1) * 1000) for each in durations_ns]
    rank = max(1, math.ceil(len(durations_ns) * percent / 100))
    exact_s = sorted(durations_ns)[rank - 1] / 1e9

    found_s = distribution(durations_ns).percentile(percent)

    assert abs(found_s - exact_s) <= max(exact_s / 16, 1e-6) * (1 + 1e-9)


@given(st.lists(DURATIONS, max_size=50), st.lists(DURATIONS, max_size=50))
def test_merged_words_are_those_of_all_durations(some, others):
    def block(durations_ns):
        made = distribution(durations_ns)
        words = [*made.counts, made.sum_ns, len(durations_ns)]
        return b"".join(word.to_bytes(8, "little") for word in [*words, *[0] * (BLOCK_WORDS - len(words))])

    total = int.from_bytes(block(some), "little") + int.from_bytes(block(others), "little")
    durations, rest = split(total.to_bytes(BLOCK_WORDS * 8, "little"))
    together = distribution([*some, *others])

    assert list(durations.counts) == list(together.counts)
    assert durations.sum_ns == sum(some) + sum(others)
    assert durations.count == rest[0] == len(some) + len(others)
    assert list((distribution(some) + distribution(others)).counts) == list(together.counts)


@given(st.lists(DURATIONS, max_size=100))
def test_told_edges_count_what_does_not_exceed_them(durations_ns):
    for name, count in distribution(durations_ns).cumulative():
        edge_ns = int(Decimal(name) * 10**9)
        assert count == sum(each <= edge_ns for each in durations_ns)


def test_of_nothing_there_is_no_percentile():
    assert (none().percentile(99), none().count, none().sum_s) == (0.0, 0, 0.0)
