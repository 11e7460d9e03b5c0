"""What a result makes doubtful, one thing at a time."""

from __future__ import annotations

import pytest

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.round import Resources, Round
from http_benchmark.statistics.doubts import doubts


def a_round(number, requests=2_000, **changes):
    latency = Histogram()
    if requests:
        latency.record(1_000_000, requests)
    fields = {"number": number, "started_at": 100.0 + number, "duration_s": 1.0, "latency": latency}
    return Round(**fields | changes)


def result_of(rounds, client_type="sync"):
    return summarise(
        rounds,
        name="some",
        client_library="load" if client_type == "load" else "httpx",
        client_type=client_type,
        http_method="GET",
        url="http://127.0.0.1/",
        concurrency=1,
        config_snapshot={},
    )


def told(count=5, client_type="sync", **changes):
    return doubts(result_of([a_round(number, **changes) for number in range(count)], client_type))


def test_a_sound_result_has_no_doubts():
    assert told() == []


@pytest.mark.parametrize(
    ("changes", "seen", "to_do"),
    [
        (
            {"errors": {"reset": 1, "status 503": 39}},
            "200 requests failed, 2 % (status 503: 195, ",
            "see that",
        ),
        ({"in_flight_at_end": 1}, "5 requests were not answered", "lower the load"),
        ({"late": 10, "dropped": 11}, "50 sends were late and 55 never made, of 10055", "lower --rate"),
        ({"generator": Resources(0.97)}, "the client used 97 % of a core", "lower --concurrency"),
        ({"server": Resources(0.95)}, "the target used 95 % of a core", "faster --url"),
        (
            {"was_interrupted": True, "in_flight_at_end": 4},
            "stopped before its end",
            "what is here is of the time until then",
        ),
        ({"requests": 30}, "150 requests are too few", "measure longer"),
    ],
)
def test_each_doubt_says_what_was_seen_and_what_to_do(changes, seen, to_do):
    (doubt,) = told(**changes)

    assert seen in doubt
    assert to_do in doubt.split(": ", 1)[1]


@pytest.mark.parametrize(
    "changes", [{"late": 1}, {"generator": Resources(0.5)}, {"server": Resources(0.2)}, {"errors": {}}]
)
def test_little_is_no_doubt(changes):
    assert told(**changes) == []


def test_of_a_load_generator_at_its_limit_others_tell():
    assert told(client_type="load", generator=Resources(1.0)) == []


@pytest.mark.parametrize(("count", "words"), [(1, "one round"), (4, "4 rounds")])
def test_few_rounds_are_told(count, words):
    (doubt,) = told(count)

    assert doubt.startswith(f"{words} cannot tell chance from difference: --rounds 5")


def test_rounds_that_differ_are_told():
    rates = (2000, 2400, 1700, 2300, 1600)

    (doubt,) = doubts(result_of([a_round(number, rate) for number, rate in enumerate(rates)]))

    assert "from 1600 to 2400 a second between rounds (deviation 18 %)" in doubt


def test_a_cold_first_round_is_told():
    rates = (1500, 2000, 2010, 1995, 2005, 2000)

    found = doubts(result_of([a_round(number, rate) for number, rate in enumerate(rates)]))

    assert "the first round was 25 % slower than the others" in found[-1]
    assert "raise --warmup" in found[-1]


def test_a_first_round_a_little_slower_is_no_doubt():
    rates = (1950, 2000, 2010, 1995, 2005, 2000)

    assert doubts(result_of([a_round(number, rate) for number, rate in enumerate(rates)])) == []


def test_nothing_measured_is_all_errors():
    found = told(requests=0, errors={"refused": 10})

    assert len(found) == 1
    assert "50 requests failed, 100 % (refused: 50)" in found[0]


def test_no_rounds_no_doubts():
    result = result_of([a_round(0)])
    result.rounds.clear()

    assert doubts(result) == []
