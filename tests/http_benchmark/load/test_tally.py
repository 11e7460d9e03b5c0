"""Samples become histograms: all of them, whenever that is done, each in its second."""

import pytest

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.load import tally as tallies
from http_benchmark.load.tally import Tally

SECOND = 1_000_000_000


def filled(*, folds):
    tally = Tally(is_open_loop=True)
    tally.success(1, 1, 2, 2)  # of warm-up
    tally.error("reset", "of warm-up", 1, 2)
    tally.begin(10, 3)
    tally.success(9, 11, 12, 12)  # was due before
    for second in range(3):
        tally.block.latency.extend(range(1_000 * second, 1_000 * second + 900))
        tally.success(10, 20, 25, 30 + second)
        tally.block.lateness.extend([5, 2_000_000])
        tally.error(f"status {500 + second}", "text", 10, 20)
        if second < 2:
            tally.next_second()
        for _ in range(folds):
            tally.fold_some(100)
    return tally


@pytest.mark.parametrize("folds", [0, 1, 50])
def test_nothing_is_lost_however_it_is_folded(folds):
    made = filled(folds=folds).to_round(4, 1.5, 10 + 3 * SECOND, correct=None)

    values = [value for second in range(3) for value in range(1_000 * second, 1_000 * second + 900)]
    assert made.latency == Histogram([*values, 10, 11, 12])
    assert made.first_octet == Histogram([*values, 5, 5, 5])
    assert made.corrected == Histogram([20, 21, 22])
    assert (made.late, made.lateness.total) == (3, 6)
    assert made.errors == {"status 500": 1, "status 501": 1, "status 502": 1}
    assert [(each.offset_s, each.latency.total, each.errors) for each in made.seconds] == [
        (0, 901, 1),
        (1, 901, 1),
        (2, 901, 1),
    ]
    assert (made.number, made.started_at, made.duration_s, made.connections_opened) == (4, 1.5, 3.0, 3)


def test_what_finishes_in_the_drain_belongs_to_the_last_second():
    made = filled(folds=0).to_round(0, 0.0, 10 + 2 * SECOND, correct=None)

    assert [each.latency.total for each in made.seconds] == [901, 1_802]


def test_it_is_behind_when_too_many_samples_wait(monkeypatch):
    monkeypatch.setattr(tallies, "BACKLOG", 1_000)
    tally = filled(folds=0)

    assert tally.is_behind and tally.successes == 2_703
    while tally.is_behind:
        tally.fold_some()
    assert tally.successes == 2_703
