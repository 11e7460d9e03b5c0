"""Verdicts on simulated rounds whose truth is known. The machine drifts, for both subjects alike."""

from __future__ import annotations

import json
import random
from math import exp, inf, isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_benchmark.errors import UsageError
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.round import Round
from http_benchmark.statistics.comparison import compare_results, compare_samples
from http_benchmark.statistics.power import detectable

RATE = "requests_per_second"
rates = st.floats(1, 1e6)


def rounds_of(chance, count, factor=1.0, *, noise=0.025, drift=0.03, level=20_000.0):
    """Two subjects in turns; `noise` is each one's own, `drift` wanders for both."""
    a, b, wander = [], [], 0.0
    for _ in range(count):
        wander += chance.gauss(0, drift)
        a.append(level * exp(wander + chance.gauss(0, noise)))
        b.append(level * factor * exp(wander + chance.gauss(0, noise)))
    return a, b


def compare(a, b, **options):
    return compare_samples(a, b, **{"metric": RATE, "higher_is_better": True, "resamples": 200} | options)


def found_among(simulations, rounds, factor, **options):
    chance = random.Random(f"{rounds} {factor}")
    return sum(
        compare(*rounds_of(chance, rounds, factor, **options), resamples=1).is_significant
        for _ in range(simulations)
    )


@pytest.mark.parametrize("rounds", [2, 5, 10, 20])
def test_identical_servers_are_hardly_ever_told_apart(rounds):
    assert found_among(1_000, rounds, 1.0) <= 70  # 5 % is what is allowed to chance


def test_a_server_that_is_five_percent_slower_is_found():
    assert found_among(1_000, 10, 1 / 1.05) >= 950
    assert found_among(1_000, 12, 1 / 1.05, noise=0.03) >= 920


def test_twenty_comparisons_of_identical_servers_and_twenty_of_a_slower_one():
    chance = random.Random(2026)

    same = [compare(*rounds_of(chance, 10)) for _ in range(20)]
    slower = [compare(*rounds_of(chance, 10, 0.95)) for _ in range(20)]

    assert sum("no significant difference" in each.sentence for each in same) >= 18
    assert sum(each.is_significant and "slower" in each.sentence for each in slower) >= 18


@pytest.mark.parametrize(("rounds", "paired"), [(6, True), (10, True), (6, False), (10, False)])
def test_the_interval_covers_the_truth_nineteen_times_of_twenty(rounds, paired):
    chance = random.Random(rounds)

    verdicts = [
        compare(*rounds_of(chance, rounds, 0.9, drift=0.03 if paired else 0), paired=paired)
        for _ in range(150)
    ]

    assert sum(each.low <= 0.9 <= each.high for each in verdicts) >= 136


def test_drift_that_hides_a_difference_from_two_heaps_does_not_hide_it_from_pairs():
    a, b = rounds_of(random.Random(3), 10, 0.94, noise=0.01, drift=0.15)

    assert compare(a, b).is_significant
    assert not compare(a, b, paired=False).is_significant


def test_one_round_that_went_wrong_changes_little():
    a, b = rounds_of(random.Random(4), 12, 0.9, noise=0.01)
    b[5] /= 3

    verdict = compare(a, b)

    assert verdict.is_significant
    assert verdict.ratio == pytest.approx(0.9, abs=0.02)


def test_what_is_detectable_is_detected_four_times_of_five():
    chance = random.Random(5)
    least = detectable(0.025 * sqrt(2), 10)

    found = sum(compare(*rounds_of(chance, 10, 1 + least), resamples=1).is_significant for _ in range(400))

    assert 0.72 <= found / 400 <= 0.86


def test_a_clear_difference_needs_few_rounds():
    verdict = compare([1830, 1850, 1841], [1000, 1012, 1004], names=("aiohttp", "httpx"))

    assert verdict.sentence == "httpx is 1.83x slower than aiohttp in requests a second (1.82 to 1.84)"
    assert verdict.is_significant and verdict.effect == -1.0


def test_a_faster_one_is_called_faster_whichever_way_the_metric_counts():
    options = {"names": ("a", "b"), "metric": "p99_response_time"}

    assert "b is 2.00x faster than a in p99 response time" in (
        compare([0.2, 0.2, 0.21], [0.1, 0.1, 0.105], higher_is_better=False, **options).sentence
    )
    assert "b is 1.050x slower than a" in (
        compare([0.2, 0.21, 0.2], [0.21, 0.2205, 0.21], higher_is_better=False, **options).sentence
    )


def test_too_few_rounds_say_how_many_would_do():
    verdict = compare([100, 97, 104], [101, 102, 98], names=("x", "y"))

    assert not verdict.is_significant
    assert verdict.sentence == (
        "too few rounds to tell y from x in requests a second (1.000x after 3 rounds); 13 would do"
    )


def test_one_round_says_nothing():
    verdict = compare([100], [50])

    assert verdict.sentence == (
        "too few rounds to tell b from a in requests a second (0.50x after one round); 8 would do"
    )
    assert verdict.low == verdict.high == verdict.ratio == pytest.approx(0.5)
    assert (verdict.p_value, verdict.detectable) == (1.0, inf)
    assert json.loads(json.dumps(verdict.to_dict(), allow_nan=False))["detectable"] is None


def test_what_would_have_been_seen_is_told():
    a, b = rounds_of(random.Random(8), 10, noise=0.02)

    verdict = compare(a, b)

    assert verdict.sentence == (
        f"no significant difference between a and b in requests a second ({verdict.ratio:.3f}x, "
        f"{verdict.low:.3f} to {verdict.high:.3f}); {100 * verdict.detectable:.2g} % or more would have been seen"
    )


def test_much_noise_says_how_many_rounds_would_show_five_percent():
    sentence = compare(*rounds_of(random.Random(9), 8, noise=0.1)).sentence

    assert "% or more would have been seen; " in sentence
    assert sentence.endswith("rounds would show 5 %")


def test_rounds_without_success_cannot_be_compared():
    verdict = compare([10, 11, 12], [10, 0, 12], names=("good", "bad"))

    assert verdict.sentence == (
        "bad cannot be compared with good in requests a second: bad had rounds in which nothing succeeded"
    )
    assert not verdict.is_significant
    assert (verdict.ratio, verdict.p_value) == (0.0, 1.0)


def test_a_difference_of_one_bucket_is_none():
    options = {"metric": "p50_response_time", "higher_is_better": False, "resolution": 0.01}

    assert not compare([1.0] * 5, [1.0078] * 5, **options).is_significant
    assert compare([1.0] * 5, [1.02] * 5, **options).is_significant
    assert compare([1.0] * 5, [1.0] * 5, **options).detectable == 0.01


def test_nothing_at_all_is_told():
    with pytest.raises(UsageError, match="subject without rounds"):
        compare([], [1])


@given(st.lists(st.tuples(rates, rates), min_size=1, max_size=12), st.booleans())
def test_the_other_way_round_is_the_inverse(pairs, paired):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]

    there, back = compare(a, b, paired=paired), compare(b, a, paired=paired)

    assert isclose(there.ratio * back.ratio, 1, rel_tol=1e-9)
    assert isclose(there.p_value, back.p_value, abs_tol=1e-9)
    assert there.effect == pytest.approx(-back.effect)
    assert there.low <= there.high


@given(st.lists(st.tuples(rates, rates), min_size=1, max_size=12))
def test_the_same_rounds_always_get_the_same_verdict(pairs):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]

    assert compare(a, b) == compare(a, b)


def result_of(library, rates, *, began=1000.0, gap=20.0, mode="sync", interrupted=()):
    rounds = [
        Round(
            number,
            began + gap * number,
            1.0,
            Histogram([int(1e9 / rate)] * int(rate)),
            was_interrupted=number in interrupted,
        )
        for number, rate in enumerate(rates)
    ]
    return summarise(
        rounds,
        name=f"{library} GET",
        client_library=library,
        client_type=mode,
        http_method="GET",
        url="http://127.0.0.1/",
        concurrency=1,
        config_snapshot={},
    )


def test_each_result_is_compared_with_the_best():
    results = [
        result_of("requests", [500, 505, 498, 502, 501]),
        result_of("aiohttp", [1500, 1511, 1490, 1503, 1507], began=1001),
        result_of("httpx", [800, 812, 790, 801, 806], began=1002),
    ]

    verdicts = compare_results(results)

    assert [(each.a, each.b, each.is_significant, each.is_paired) for each in verdicts] == [
        ("aiohttp", "requests", True, True),
        ("aiohttp", "httpx", True, True),
    ]
    assert [each.b for each in compare_results(results, "p99") if "slower" in each.sentence] == [
        "requests",
        "httpx",
    ]


def test_results_of_different_days_are_two_heaps():
    today = result_of("httpx", [800, 812, 790, 801, 806], began=1e6)
    before = result_of("httpx", [900, 912, 890, 901, 906])

    (verdict,) = compare_results([today, before])

    assert not verdict.is_paired
    assert verdict.is_significant


def test_one_library_in_two_modes_is_named_with_its_mode():
    (verdict,) = compare_results([result_of("httpx", [800] * 3), result_of("httpx", [700] * 3, mode="async")])

    assert (verdict.a, verdict.b) == ("httpx (sync)", "httpx (async)")


def test_a_round_that_was_stopped_counts_for_neither():
    a = result_of("a", [800, 801, 802, 803, 5], interrupted=(4,))
    b = result_of("b", [700, 701, 702, 703, 704], began=1001)

    (verdict,) = compare_results([a, b])

    assert (verdict.rounds, verdict.ratio) == (4, pytest.approx(0.875, abs=0.001))


def test_many_comparisons_need_more_to_be_believed():
    chance = random.Random(1)
    found = 0
    for _ in range(60):
        subjects = [
            result_of(f"c{at}", [1000 * exp(chance.gauss(0, 0.03)) for _ in range(5)], began=1000 + at)
            for at in range(6)
        ]
        found += any(each.is_significant for each in compare_results(subjects))

    assert found <= 12  # that the best is the best by chance is not corrected


def test_a_difference_likely_by_chance_among_many_is_not_believed():
    base = result_of("base", [1000, 1010, 990, 1005, 1000])
    slower = [951, 1000, 951, 1005, 970]
    subjects = [base] + [result_of(f"s{at}", slower, began=1001 + at) for at in range(8)]

    alone, *_ = compare_results(subjects[:2])
    together = compare_results(subjects)

    assert alone.is_significant
    assert [each.is_significant for each in together] == [False] * 8
    assert "counting 8 comparisons" in together[0].sentence


def test_one_result_or_none_needs_no_verdict():
    assert compare_results([]) == compare_results([result_of("a", [1])]) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("p98", "did you mean p9"),
        ("requests_per_secnd", "did you mean requests_per_second"),
        ("colour", "there are requests_per"),
    ],
)
def test_an_unknown_metric_is_told(name, hint):
    with pytest.raises(UsageError, match=hint):
        compare_results([result_of("a", [1]), result_of("b", [2])], name)
