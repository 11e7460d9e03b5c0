from __future__ import annotations

import random
from math import nan

import pytest

from http_benchmark.statistics.trend import FEW, trend_of


def test_a_run_like_the_others_is_none_out_of_the_ordinary():
    trend = trend_of([100, 102, 98, 101, 99], 101, higher_is_better=True)

    assert trend.change == pytest.approx(0.01)
    assert trend.low < 98
    assert trend.high > 102
    assert not trend.is_unusual
    assert trend.sentence == "+1 % against the median of 5 earlier runs: as they differ among themselves"


@pytest.mark.parametrize(
    ("latest", "higher_is_better", "word"),
    [(80, True, "worse"), (80, False, "better"), (120, True, "better"), (120, False, "worse")],
)
def test_a_run_out_of_the_ordinary_is_told(latest, higher_is_better, word):
    trend = trend_of([100, 102, 98, 101, 99], latest, higher_is_better=higher_is_better)

    assert trend.is_unusual
    assert trend.sentence.endswith(f"{word} than they would lead to expect")


def test_few_runs_say_nothing():
    trend = trend_of([100] * (FEW - 1), 50, higher_is_better=True)

    assert (trend.is_unusual, trend.change) == (False, -0.5)
    assert trend.sentence == "-50 % against the median of 3 earlier runs: too few to say if that is much"
    assert trend_of([100], 110, higher_is_better=True).sentence.startswith("+10 % against the run before")


def test_what_is_not_known_is_left_out():
    assert trend_of([], 5, higher_is_better=True) is None
    assert trend_of([nan, 0], 5, higher_is_better=True) is None
    assert trend_of([5], nan, higher_is_better=True) is None
    assert trend_of([5, nan, 5], 5, higher_is_better=True).change == 0


def test_runs_without_any_spread_make_each_difference_one():
    assert not trend_of([5.0] * 6, 5.0, higher_is_better=True).is_unusual
    assert trend_of([5.0] * 6, 5.1, higher_is_better=True).is_unusual


@pytest.mark.parametrize("runs", [4, 10])
def test_one_of_twenty_is_out_of_the_ordinary_by_chance(runs):
    chance = random.Random(runs)

    def run():
        return chance.lognormvariate(7, 0.05)

    unusual = sum(
        trend_of([run() for _ in range(runs)], run(), higher_is_better=True).is_unusual for _ in range(2000)
    )

    assert 60 < unusual < 140  # of 2000, 100 expected, 10 is a standard deviation
