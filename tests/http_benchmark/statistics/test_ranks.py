"""Rank tests and Student's t against published values, and against counting by hand."""

from __future__ import annotations

import random
from itertools import combinations, product
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.statistics.ranks import doubled_ranks, mann_whitney, signed_rank
from http_benchmark.statistics.student import t_quantile, t_tail

few = st.lists(st.integers(-5, 5), min_size=1, max_size=5)


def test_mann_whitney_of_a_textbook_example():
    # Ages at diagnosis; scipy.stats.mannwhitneyu(..., method="exact") gives 0.1111111111111111.
    assert mann_whitney([19, 22, 16, 29, 24], [20, 11, 17, 12]) == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    ("count_a", "count_b", "smallest"),
    [(3, 3, 0.1), (4, 4, 2 / 70), (5, 5, 2 / 252), (10, 10, 2 / 184_756)],
)
def test_samples_apart_have_the_least_probability_there_is(count_a, count_b, smallest):
    assert mann_whitney(range(count_a), range(100, 100 + count_b)) == pytest.approx(smallest)


def test_signed_rank_of_a_textbook_example():
    # Darwin's plants, cross- against self-fertilised; scipy.stats.wilcoxon gives 0.041259765625.
    heights = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]

    assert signed_rank(heights) == 0.041259765625


@given(few, few)
def test_mann_whitney_counts_every_way_of_dealing_the_values(a, b):
    ranks = doubled_ranks([*a, *b])
    seen = sum(ranks[: len(a)])
    sums = [sum(dealt) for dealt in combinations(ranks, len(a))]
    below, above = sum(each <= seen for each in sums), sum(each >= seen for each in sums)

    assert mann_whitney(a, b) == pytest.approx(min(1.0, 2 * min(below, above) / len(sums)))


@given(st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=8))
def test_signed_rank_counts_every_way_of_giving_signs(differences):
    ranks = doubled_ranks([abs(each) for each in differences])
    seen = sum(rank for rank, each in zip(ranks, differences, strict=True) if each > 0)
    ways = list(product((0, 1), repeat=len(ranks)))
    sums = [sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) for signs in ways]
    below, above = sum(each <= seen for each in sums), sum(each >= seen for each in sums)

    assert signed_rank(differences) == pytest.approx(min(1.0, 2 * min(below, above) / len(sums)))


def test_the_normal_curve_is_near_the_exact_count(monkeypatch):
    chance = random.Random(2)
    a = [round(chance.gauss(0, 1), 1) for _ in range(18)]
    b = [round(chance.gauss(0.5, 1), 1) for _ in range(18)]
    differences = [y - x for x, y in zip(a, b, strict=True)]
    exact = mann_whitney(a, b), signed_rank(differences)

    monkeypatch.setattr("http_benchmark.statistics.ranks.EXACT_UP_TO", 0)

    assert (mann_whitney(a, b), signed_rank(differences)) == pytest.approx(exact, rel=0.06)


def test_nothing_and_equal_values_say_nothing():
    assert mann_whitney([], [1]) == mann_whitney([2, 2], [2, 2]) == signed_rank([]) == signed_rank([0.0]) == 1
    assert mann_whitney([2] * 30, [2] * 30) == 1


# Of any table of t: freedom, one-sided tail, t.
TABLE = [(1, 0.05, 6.3138), (2, 0.025, 4.3027), (4, 0.005, 4.6041), (9, 0.1, 1.3830), (30, 0.0005, 3.6460)]


@pytest.mark.parametrize(("freedom", "tail", "t"), TABLE)
def test_student_agrees_with_the_table(freedom, tail, t):
    assert t_quantile(tail, freedom) == pytest.approx(t, abs=5e-5)
    assert t_tail(t, freedom) == pytest.approx(tail, rel=1e-3)
    assert t_tail(-t, freedom) == pytest.approx(1 - tail, rel=1e-3)


def test_student_of_many_is_normal():
    assert t_quantile(0.025, 1e6) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-5)


@given(st.floats(0.0001, 0.4999), st.floats(1, 400))
def test_quantile_and_tail_are_inverse(tail, freedom):
    assert t_tail(t_quantile(tail, freedom), freedom) == pytest.approx(tail, rel=1e-6)
