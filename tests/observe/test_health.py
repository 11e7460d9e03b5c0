"""What the figures of several workers make of the state of their server."""

from __future__ import annotations

import time

import pytest

from penstock.observe.board import Board
from penstock.observe.health import (
    render_health,
    render_ready,
    tell_alive,
    tell_health,
    tell_ready,
    tell_started,
)
from penstock.observe.overview import FIGURES_BYTES, FRONT_BYTES, Figures, Front, Overview

NOW = time.monotonic()


def check(status, name="database", *, critical=True):
    reason = "no" if status == "failed" else None
    return {
        "name": name,
        "critical": critical,
        "status": status,
        "since": NOW - 5,
        "ran": None if status == "pending" else NOW - 1,
        "took_ms": 1.5,
        "reason": reason,
    }


OK, FAILED, PENDING = check("ok"), check("failed"), check("pending")
MINOR = check("failed", "mail", critical=False)


def figures(*checks, state="ready", still_s=0.0):
    return Figures(state, NOW, "r1", loop_still_s=still_s, checks=list(checks))


def overview(*workers, state="ready", is_supervised=True, ending=()):
    board = Board(FRONT_BYTES, *[FIGURES_BYTES] * len(workers))
    told = [(100 + place, place, NOW - 60, place in ending, 2) for place in range(1, len(workers) + 1)]
    Front(1, NOW - 90, is_supervised, 30.0, state=state, workers=told).tell(board.slots[0])
    for slot, each in zip(board.slots[1:], workers, strict=True):
        each.tell(slot)
    return Overview(board)


STUCK = figures(OK, still_s=40.0)
STARTING = figures(state="starting")


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ((figures(), figures()), (200, {"status": "ok"})),
        ((figures(OK), figures(OK)), (200, {"status": "ok"})),
        ((figures(MINOR), figures(OK)), (200, {"status": "degraded", "failed": ["mail"]})),
        ((figures(FAILED), figures(OK)), (200, {"status": "degraded", "failed": ["database"]})),
        (
            (figures(FAILED), figures(FAILED, MINOR)),
            (503, {"status": "failing", "failed": ["database", "mail"]}),
        ),
        ((figures(FAILED), STUCK), (503, {"status": "failing", "failed": ["database"]})),
        ((figures(PENDING), figures(PENDING)), (503, {"status": "starting"})),
        ((figures(PENDING), figures(OK)), (200, {"status": "ok"})),
        ((figures(check("pending", critical=False)),), (200, {"status": "ok"})),
        ((STUCK, STARTING), (503, {"status": "stuck"})),
        ((figures(OK), STUCK), (200, {"status": "ok"})),
        ((STARTING, STARTING), (503, {"status": "starting"})),
        ((figures(state="draining"),), (503, {"status": "draining"})),
        ((), (503, {"status": "starting"})),
    ],
)
def test_readiness(workers, expected):
    assert tell_ready(overview(*workers)) == expected


def test_draining_is_what_it_is_whatever_the_checks_say():
    draining = overview(figures(FAILED), figures(OK), state="draining")

    assert tell_ready(draining) == (503, {"status": "draining", "failed": ["database"]})
    assert tell_alive(draining) == (200, {"status": "ok"})


def test_a_worker_that_was_told_to_end_is_asked_no_more():
    reloaded = overview(figures(FAILED), figures(OK), ending=(1,))

    assert tell_ready(reloaded) == (200, {"status": "ok"})


def test_what_has_started_has_whatever_it_lacks_since():
    assert tell_started(overview(STARTING)) == (503, {"status": "starting"})
    assert tell_started(overview(figures(PENDING))) == (503, {"status": "starting"})
    for one in (overview(figures(FAILED)), overview(STUCK), overview(figures(OK), state="draining")):
        assert tell_started(one) == (200, {"status": "ok"})


def test_only_what_a_restart_mends_is_not_alive():
    assert tell_alive(overview(figures(FAILED), is_supervised=False))[0] == 200
    assert tell_alive(overview(STUCK, is_supervised=False)) == (503, {"status": "stuck"})
    assert tell_alive(overview(STUCK))[0] == 200


def test_health_in_words():
    status, told = tell_health(overview(figures(FAILED, MINOR), figures(OK)), is_private=True)

    lines = render_health(told).splitlines()
    assert status == 200
    assert lines[0].startswith("degraded, release r1, 1 worker ready, for ")
    assert lines[1].startswith("check database: failed in 1 of 2 workers for ")
    assert lines[1].endswith(" s: no")
    assert lines[2].startswith("check mail, not critical: failed in 1 of 1 workers for ")
    assert lines[3:] == [
        "worker 1, pid 101, generation 2, release r1: failing: database, mail",
        "worker 2, pid 102, generation 2, release r1: ready",
    ]


def test_readiness_in_words():
    assert render_ready({"status": "ok"}) == "ok\n"
    assert render_ready({"status": "failing", "failed": ["a", "b"]}) == "failing: a, b\n"


def test_the_public_is_told_names_alone():
    _, told = tell_health(overview(figures(FAILED), figures(OK)), is_private=False)

    assert "workers" not in told
    assert "reason" not in told["checks"]["database"]
