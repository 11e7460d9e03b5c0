"""Delays between tries."""

from __future__ import annotations

from penstock.server.backoff import Backoff


def test_the_first_failure_costs_no_time_and_later_ones_double_up_to_a_cap():
    backoff = Backoff()

    delays = [backoff.fail(100.0, lived_s=1.0) for _ in range(10)]

    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert backoff.until == 130.0


def test_what_lived_long_begins_a_new_series():
    backoff = Backoff()
    for _ in range(5):
        backoff.fail(100.0, lived_s=1.0)

    assert backoff.fail(200.0, lived_s=60.0) == 0.0


def test_a_reset_forgets():
    backoff = Backoff()
    for _ in range(5):
        backoff.fail(100.0, lived_s=1.0)

    backoff.reset()

    assert backoff.until == 0.0
    assert backoff.fail(100.0, lived_s=0.0) == 0.0
