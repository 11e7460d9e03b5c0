"""Phases of a request, of the times a connection keeps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe.phases import PHASES, blame, measure, name_current

MS = 1_000_000


@dataclass
class Times:
    accepted_at: int = 0
    requests: int = 2
    began: int = 0
    started: int = 0
    content_at: int = 0
    handler_at: int = 0
    answered_at: int = 0


def test_a_request_served_at_once_has_a_handler_only():
    assert measure(Times(started=10 * MS), 12 * MS) == {"handler": 2.0}


def test_each_phase_ends_where_the_next_begins():
    times = Times(1 * MS, 1, 3 * MS, 6 * MS, 10 * MS, 15 * MS, 21 * MS)

    phases = measure(times, 28 * MS)

    assert phases == {"accept": 2, "head": 3, "content": 4, "queue": 5, "handler": 6, "write": 7}
    assert tuple(phases) == PHASES


def test_only_the_first_request_of_a_connection_has_waited_for_the_accept():
    first = measure(Times(accepted_at=1 * MS, requests=1, started=4 * MS), 5 * MS)
    second = measure(Times(accepted_at=1 * MS, requests=2, started=4 * MS), 5 * MS)

    assert (first, second) == ({"accept": 3.0, "handler": 1.0}, {"handler": 1.0})


def test_content_that_is_streamed_to_a_thread_comes_behind_the_queue():
    times = Times(started=1 * MS, handler_at=3 * MS, content_at=9 * MS)

    assert measure(times, 10 * MS) == {"queue": 2.0, "content": 6.0, "handler": 1.0}


def test_an_answer_ahead_of_the_content_leaves_no_gap():
    times = Times(started=1 * MS, content_at=9 * MS, answered_at=4 * MS)

    assert measure(times, 10 * MS) == {"content": 8.0, "handler": 0.0, "write": 1.0}


def test_a_head_that_is_not_complete_has_no_phases():
    assert measure(Times(began=1 * MS), 5 * MS) == {}


@given(st.lists(st.integers(1, 10**12), min_size=7, max_size=7), st.integers(1, 3), st.integers(0, 31))
def test_phases_add_up_to_the_whole_whatever_happened(numbers, requests, happened):
    numbers.sort()
    accepted, *rest, until = numbers
    began, started, content_at, handler_at, answered = (
        at if name == "started" or happened >> place & 1 else 0
        for place, (name, at) in enumerate(
            zip(("began", "started", "content", "queue", "answered"), rest, strict=True)
        )
    )

    phases = measure(Times(accepted, requests, began, started, content_at, handler_at, answered), until)

    begin = accepted if requests == 1 else began or started
    assert sum(phases.values()) == pytest.approx((until - begin) / MS, abs=0.01)
    assert list(phases) == [name for name in PHASES if name in phases]
    assert all(ms >= 0 for ms in phases.values())


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ({"handler": 5.0, "write": 1.0}, "handler"),
        ({"queue": 5.0, "handler": 1.0}, "queue"),
        ({"handler": 5.0, "write": 9.0}, "client"),
        ({"accept": 3.0, "content": 3.0, "queue": 1.0, "handler": 4.0}, "client"),
        ({"handler": 0.0}, "handler"),
    ],
)
def test_who_took_the_longest_is_named(phases, expected):
    assert blame(phases) == expected


@pytest.mark.parametrize(
    ("phases", "is_receiving", "is_queued", "expected"),
    [
        ({"handler": 1.0}, True, False, "content"),
        ({"handler": 1.0}, False, True, "queue"),
        ({"handler": 1.0}, False, False, "handler"),
        ({"handler": 1.0, "write": 1.0}, False, False, "write"),
    ],
)
def test_the_phase_a_request_is_in_is_named(phases, is_receiving, is_queued, expected):
    assert name_current(phases, is_receiving=is_receiving, is_queued=is_queued) == expected
