"""The ring of the last errors: what is kept of a reply, how much, and from which threads."""

from __future__ import annotations

import json
import threading
import time

from penstock.http.request import Request
from penstock.observe.board import Board
from penstock.observe.overview import FIGURES_BYTES, Figures, read_figures
from penstock.observe.recent_errors import KEPT, RecentErrors

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def failed(target="/orders/7", failure="", route=None, method="GET"):
    request = Request.build(method, target, [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")])
    request.failure, request.route = failure, route
    return request


def test_an_error_is_told_by_what_finds_it_again():
    errors = RecentErrors()

    errors.note(failed("/orders/7?token=secret", "ValueError", "/orders/{order_id}", "POST"), 500)
    (told,) = errors.tell()

    assert abs(told.pop("time") - time.time()) < 60
    assert told == {
        "number": 1,
        "status": 500,
        "method": "POST",
        "path": "/orders/7",
        "route": "/orders/{order_id}",
        "trace_id": TRACE,
        "error_type": "ValueError",
    }


def test_the_last_ones_are_kept_the_newest_first():
    errors = RecentErrors()

    for number in range(KEPT + 7):
        errors.note(failed(f"/{number}"), 503, "/{number}")
    told = errors.tell()

    assert [each["path"] for each in told] == [f"/{number}" for number in reversed(range(7, KEPT + 7))]
    assert errors.tell() is told  # nothing is made anew while nothing is new


def test_threads_lose_no_error():
    errors = RecentErrors()

    def fail():
        for _ in range(200):
            errors.note(failed(), 500)

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    numbers = [each["number"] for each in errors.tell()]
    assert sorted(numbers, reverse=True) == numbers
    assert len(set(numbers)) == KEPT
    assert numbers[0] == 800


def test_long_names_are_cut_and_a_full_ring_fits_the_board():
    errors = RecentErrors()
    for _ in range(KEPT):
        errors.note(failed("/" + "x" * 8000, "E" * 500, "/" + "r" * 5000, "M" * 99), 500)
    board = Board(FIGURES_BYTES)
    line = {"line": "GET /" + "y" * 200, "route": "r" * 500, "since": 1.0, "runs": "thread"}

    Figures("ready", 1.0, errors=errors.tell(), listed=[line] * 50).tell(board.slots[0])
    figures = read_figures(board.slots[0])

    assert len(figures.errors) == KEPT
    assert len(figures.listed) == 50
    assert max(len(json.dumps(each)) for each in figures.errors) < 800


def test_what_does_not_fit_the_board_is_left_out():
    board = Board(1000)
    told = [{"path": "x" * 90}] * 50

    Figures("ready", 1.0, errors=told, listed=told).tell(board.slots[0])

    assert 0 < len(read_figures(board.slots[0]).errors) < 50
