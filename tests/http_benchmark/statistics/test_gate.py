from __future__ import annotations

import random

import pytest

from http_benchmark.errors import UsageError
from http_benchmark.measurement.round import Resources, Round, Sample
from http_benchmark.statistics.gate import Outcome, check, check_errors
from http_benchmark.statistics.metrics import METRICS, find_metric
from tests.http_benchmark.made_results import make_result


def pair(factor=1.0, *, rounds=5, requests=200, spread=0.01, seed=1):
    """A baseline of 10 ms, and a result whose requests take `factor` times as long."""
    made = {"rounds": rounds, "requests": requests, "spread": spread}
    return make_result(median_ms=10.0, seed=seed, **made), make_result(
        median_ms=10.0 * factor, seed=seed + 1000, **made
    )


@pytest.mark.parametrize("name", ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "mean", "max", "rate"])
def test_a_regression_beyond_the_limit_shuts_whatever_the_metric(name):
    before, after = pair(1.2)

    found = check(before, after, find_metric(name), 0.05)

    assert found.outcome is Outcome.REGRESSION
    expected = 1 - 1 / 1.2 if name == "rate" else 0.2
    assert found.worse == pytest.approx(expected, abs=0.03)
    assert found.low < found.worse < found.high
    assert check(after, before, find_metric(name), 0.05).outcome is Outcome.OPEN


def test_a_regression_within_the_limit_does_not():
    found = check(*pair(1.04), find_metric("p50"), 0.05)

    assert found.outcome is Outcome.OPEN
    assert 0.02 < found.worse < 0.06


def test_noise_does_not_shut():
    """Two runs of one thing whose rounds differ by up to 20 %: at most one in 20 may shut at a limit of nothing,
    and hardly one at 5 %.
    """
    shut = {0.0: 0, 0.05: 0}
    for seed in range(100):
        pairs = pair(requests=20, spread=0.2, seed=seed)
        for limit in shut:
            shut[limit] += check(*pairs, METRICS["requests_per_second"], limit).is_shut

    assert shut[0.0] <= 9  # 5 expected, 2.2 is a standard deviation, and only half of them are worse
    assert shut[0.05] <= shut[0.0]


def test_noise_that_could_hide_a_regression_is_told_and_shuts_when_asked():
    pairs = pair(spread=0.2, seed=3)
    rate = METRICS["requests_per_second"]

    found = check(*pairs, rate, 0.05)
    strict = check(*pairs, rate, 0.05, is_strict=True)

    assert (found.outcome, strict.outcome) == (Outcome.OPEN, Outcome.NOT_RULED_OUT)
    assert found.high > 0.05
    assert found.note == strict.note
    assert found.note.startswith("noise could hide a regression of up to +")


def test_many_checks_at_once_are_held_to_more():
    chance = random.Random(5)
    for seed in range(200):
        pairs = pair(1 + 0.1 * chance.random(), requests=20, spread=0.05, seed=seed)
        found = check(*pairs, METRICS["requests_per_second"], 0.0)
        if 0.01 < found.p_value < 0.05 and found.worse > 0:
            break
    else:
        pytest.fail("no pair with a p value between 1 % and 5 %")

    assert found.is_shut
    assert not check(*pairs, METRICS["requests_per_second"], 0.0, checks=5).is_shut


@pytest.mark.parametrize("rounds", [0, 1])
def test_too_few_rounds_are_no_answer(rounds):
    before, after = pair(2.0)
    after.rounds = after.rounds[:rounds]

    with pytest.raises(
        UsageError, match=r"current result \(.{8}\) has (no rounds|one round), which says nothing"
    ):
        check(before, after, find_metric("p99"), 0.05)
    with pytest.raises(UsageError, match="the baseline"):
        check(after, before, find_metric("p99"), 0.05)


def test_rounds_that_were_cut_short_do_not_count():
    before, after = pair(1.0)
    for each in after.rounds[:4]:
        each.was_interrupted = True

    with pytest.raises(UsageError, match="has one round"):
        check(before, after, find_metric("p99"), 0.05)


def test_a_result_in_which_nothing_succeeds_is_a_regression_and_no_quick_one():
    before, after = pair()
    after.rounds[2] = Round(number=2, started_at=0.0, duration_s=1.0, errors={"refused": 100})

    found = check(before, after, find_metric("p99"), 0.05)

    assert found.outcome is Outcome.REGRESSION
    assert found.note == "nothing succeeded in 1 of 5 rounds"
    with pytest.raises(UsageError, match="the baseline has no p99 response time in some rounds"):
        check(after, before, find_metric("p99"), 0.05)


@pytest.mark.parametrize(
    ("name", "worse"), [("cpu", 0.5), ("memory", 0.25), ("server-cpu", 0.5), ("server-memory", 0.25)]
)
def test_resources_are_metrics_too(name, worse):
    before, after = pair()
    for result, cpu_s, rss_mb in ((before, 0.1, 40.0), (after, 0.15, 50.0)):
        for each in result.rounds:
            each.duration_s = 1.0
            each.generator = each.server = Resources(cpu_s, [Sample(0.0, 10.0, rss_mb)])

    found = check(before, after, find_metric(name), 0.05)

    assert found.outcome is Outcome.REGRESSION
    assert found.worse == pytest.approx(worse)


def test_resources_nobody_watched_are_no_answer():
    with pytest.raises(UsageError, match="the baseline has no memory of the server in some rounds"):
        check(*pair(), find_metric("server-memory"), 0.05)


# --------------------------------------------------------------------------------------------------------- errors


def failing(errors, requests=1000):
    return make_result(rounds=1, requests=requests, errors=errors)


def test_errors_are_compared_in_points():
    found = check_errors(failing(0), failing(250), 0.05)

    assert found.outcome is Outcome.REGRESSION
    assert (found.baseline, found.current) == (0.0, 20.0)
    assert found.worse == pytest.approx(0.2)
    assert found.low < 0.2 < found.high
    assert check_errors(failing(250), failing(0), 0.0).outcome is Outcome.OPEN


def test_more_errors_within_the_limit_do_not_shut():
    assert check_errors(failing(0), failing(40), 0.05).outcome is Outcome.OPEN


def test_errors_that_chance_explains_do_not_shut():
    assert check_errors(failing(0), failing(1), 0.0).outcome is Outcome.OPEN
    assert check_errors(failing(0), failing(20), 0.0).outcome is Outcome.REGRESSION


def test_no_errors_at_all_are_none():
    found = check_errors(failing(0), failing(0), 0.0)

    assert (found.outcome, found.p_value, found.worse) == (Outcome.OPEN, 1.0, 0.0)


def test_nothing_but_errors_is_all_errors():
    found = check_errors(failing(0), failing(5, requests=0), 0.5)

    assert (found.outcome, found.current) == (Outcome.REGRESSION, 100.0)
