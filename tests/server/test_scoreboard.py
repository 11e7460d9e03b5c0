"""Shares by count: who has more than the others leaves the next connection to them."""

from __future__ import annotations

from penstock.server.scoreboard import Scoreboard


def give(board, count):
    entry = board.give()
    assert entry is not None
    entry.set_connections(count)
    return entry


def test_who_is_ahead_leaves_connections_to_others():
    board = Scoreboard(8)
    ahead, behind = give(board, 9), give(board, 5)

    assert ahead.allowance(9) < 1
    assert behind.allowance(5) >= 4


def test_a_worker_alone_may_always_accept():
    entry = give(Scoreboard(8), 1000)

    assert entry.allowance(1000) >= 1


def test_with_many_connections_the_lead_grows():
    board = Scoreboard(8)
    entry, _ = give(board, 1000), give(board, 960)

    assert entry.allowance(1000) >= 1


def test_a_worker_that_has_not_begun_or_has_left_does_not_count():
    board = Scoreboard(8)
    entry, gone = give(board, 50), give(board, 0)
    board.give()

    gone.leave()

    assert entry.allowance(50) >= 1


def test_places_are_used_again_and_bounded():
    board = Scoreboard(2)
    first, _ = board.give(), board.give()
    assert first is not None
    assert board.give() is None

    board.take_back(first)

    again = board.give()
    assert again is not None
    assert again.place == first.place
