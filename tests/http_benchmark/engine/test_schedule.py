from __future__ import annotations

import pytest

from http_benchmark.engine.schedule import schedule_of

NS = 10**9


def test_a_constant_rate_is_even():
    schedule = schedule_of(5 * NS, 2.0, 1000.0)

    due_ns = [schedule.due_ns(index) for index in range(schedule.total)]

    assert schedule.total == 2000
    assert due_ns == [5 * NS + index * 10**6 for index in range(2000)]


@pytest.mark.parametrize(("first", "last"), [(100.0, 900.0), (900.0, 100.0), (1.0, 999.0)])
def test_a_ramp_has_the_rate_of_each_moment(first, last):
    schedule = schedule_of(0, 10.0, first, last)

    assert schedule.total == 5000
    for second in range(10):
        due = schedule.due_before((second + 1) * NS) - schedule.due_before(second * NS)
        rate = first + (last - first) * (second + 0.5) / 10
        assert due == pytest.approx(rate, abs=1.5)


def test_a_ramp_over_a_number_of_requests_ends_with_its_last_rate():
    schedule = schedule_of(0, 30.0, 100.0, 300.0, requests=400)

    assert schedule.total == 400
    assert (schedule.due_ns(399) - schedule.due_ns(398)) / NS == pytest.approx(1 / 300, rel=0.01)
    assert schedule.due_ns(399) / NS == pytest.approx(2.0, rel=0.01)


def test_how_many_were_due_is_known_of_each_moment():
    schedule = schedule_of(0, 1.0, 1000.0)

    assert [schedule.due_before(ns) for ns in (0, 1, 10**6, 10**6 + 1, NS, 2 * NS)] == [
        0,
        1,
        1,
        2,
        1000,
        1000,
    ]
