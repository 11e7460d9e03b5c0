"""The feed of live figures, with boards written by hand and time told: rates, percentiles, who came and went."""

from __future__ import annotations

import json
import time

import pytest

from penstock.observe.board import Board
from penstock.observe.live.buckets import HEAT_ROWS, heat_edges_ms, heat_row, percentiles
from penstock.observe.live.figures import HISTORY_S, Feed
from penstock.observe.live.windows import WINDOW_S, Series, Windows
from penstock.observe.metrics.histogram import BUCKETS, bucket_of, edge_of
from penstock.observe.overview import FIGURES_BYTES, FRONT_BYTES, Figures, Front, Overview

WALL = 1_800_000_000.0


def index_of(us):
    """The bucket of a duration."""
    return bucket_of(us * 1000)


def series(method="GET", route="/", status=200, **counts):
    """Cumulative counts by duration: `us_1000=3` are three of a millisecond."""
    buckets = [0] * BUCKETS
    for name, count in counts.items():
        buckets[index_of(int(name.removeprefix("us_")))] += count
    return Series(method, route, status, buckets)


class Told:
    """What a server tells, as a feed sees it."""

    def __init__(self, slots=2):
        self.board = Board(FRONT_BYTES, *[FIGURES_BYTES] * slots)
        self.front = Front(100, 0.0, True, 10.0, state="ready")
        self.feed = Feed("1.2.3")
        self.at = 1000.0

    def worker(self, slot, pid, **figures):
        figures = {"state": "ready", "told": self.at, **figures}
        self.front.workers = sorted(
            [each for each in self.front.workers if each[1] != slot] + [(pid, slot, 0.0, False, 1)],
            key=lambda each: each[1],
        )
        Figures(**figures).tell(self.board.slots[slot])

    def look(self, *counted, seconds=1.0):
        self.at += seconds
        self.front.tell(self.board.slots[0])
        overview = Overview(self.board)
        overview.now = self.at
        return self.feed.take(overview, counted or None, WALL + self.at)


def test_rows_of_the_heat_map_end_where_their_edges_say():
    edges = heat_edges_ms()

    assert len(edges) == HEAT_ROWS - 1
    for us in (1, 63, 95, 96, 127, 128, 999, 1_000_000, 30_000_000, 10**9):
        lower = edge_of(index_of(us)) if us < 10**8 else us
        row = heat_row(index_of(us)) if us < 10**8 else HEAT_ROWS - 1
        assert row == sum(edge * 1000 <= lower for edge in edges)


@pytest.mark.parametrize("us", [1, 17, 1000, 50_000, 9_999_999])
def test_a_percentile_is_at_most_a_sixteenth_too_high(us):
    found = percentiles({index_of(us): 7})

    assert len(set(found.values())) == 1
    assert us <= found["p50_ms"] * 1000 <= us * 17 / 16 + 1


def test_percentiles_are_by_nearest_rank():
    found = percentiles({index_of(1000): 90, index_of(5000): 9, index_of(80_000): 1})

    assert found["p50_ms"] == found["p90_ms"] < 1.1
    assert 5 < found["p99_ms"] < 5.4
    assert 80 < found["max_ms"] < 86


def test_the_first_look_takes_what_is_old_for_no_news():
    windows = Windows()

    assert windows.take([series(us_1000=500)], 10.0).total.count == 0
    assert windows.take([series(us_1000=503)], 11.0).total.count == 3


def test_a_minute_forgets_what_is_older():
    windows = Windows()
    windows.take([series(route="/a"), series(route="/b")], 0.0)
    windows.take([series(route="/a", us_1000=5), series(route="/b")], 1.0)
    for second in range(2, WINDOW_S + 5):
        windows.take([series(route="/a", us_1000=5), series(route="/b", us_2000=second)], float(second))

    assert ("GET", "/a") not in windows.routes
    assert windows.total.count == windows.routes["GET", "/b"].count == WINDOW_S
    assert list(windows.total.buckets) == [index_of(2000)]
    assert windows.seconds == pytest.approx(WINDOW_S)


def test_a_series_that_is_new_counts_whole_and_one_that_shrank_too():
    windows = Windows()
    windows.take([series(us_1000=100)], 0.0)

    assert windows.take([series(us_1000=100), series(status=500, us_1000=2)], 1.0).total.classes[4] == 2
    assert windows.take([series(us_1000=40), series(status=500, us_1000=2)], 2.0).total.count == 40


def test_rates_are_of_the_time_that_passed():
    told = Told()
    told.worker(1, 11, requests=0)
    told.look(series())

    told.worker(1, 11, requests=300)
    look = told.look(series(us_1000=300), seconds=2.0)

    assert (look["rate_per_s"], look["point"]["rate"], look["workers"][0]["rate_per_s"]) == (150, 150, 150)
    assert look["point"]["classes"] == [0, 300, 0, 0, 0]
    assert look["point"]["heat"] == [heat_row(index_of(1000)), 300]


def test_without_histograms_the_rate_is_of_requests_begun():
    told = Told()
    told.worker(1, 11, requests=1000)
    assert told.look()["rate_per_s"] == 0
    told.worker(1, 11, requests=1050)

    look = told.look()

    assert (look["rate_per_s"], look["latency"], look["routes"]) == (50, None, None)
    assert look["point"]["p99"] is None


def test_routes_are_told_slowest_first_with_their_errors():
    told = Told()
    told.worker(1, 11)
    told.look(series(), series(route="/slow"), series(route="/slow", status=503))

    look = told.look(
        series(us_100=60),
        series(route="/slow", us_900000=2),
        series(route="/slow", status=503, us_900000=1),
    )

    slow, quick = look["routes"]
    assert (slow["route"], slow["count"], slow["errors"], quick["count"]) == ("/slow", 3, 1, 60)
    assert 900 < slow["p99_ms"] < 960
    assert quick["p50_ms"] < 0.2
    assert look["latency"]["recent"]["count"] == look["latency"]["minute"]["count"] == 63


def test_many_routes_are_cut_to_the_slowest_and_the_busiest():
    told = Told()
    told.worker(1, 11)
    told.look(*[series(route=f"/{number}") for number in range(200)])

    look = told.look(*[series(route=f"/{n}", **{f"us_{1000 * (n + 1)}": 200 - n}) for n in range(200)])

    assert len(look["routes"]) == 50
    assert look["routes"][0]["p99_ms"] > 199
    assert look["routes"][25]["route"] == "/0"


def test_a_worker_that_was_killed_is_told_of_and_its_errors_stay():
    told = Told()
    error = {"number": 1, "time": WALL, "status": 500, "trace_id": "a" * 32}
    told.worker(1, 11, errors=[error])
    told.worker(2, 12, errors=[{**error, "time": WALL + 5}])
    assert told.look()["events"] == []

    told.front.restarts = 1
    told.worker(1, 13)
    look = told.look()

    assert [(event["kind"], event["pid"], event["slot"]) for event in look["events"]] == [
        ("started", 13, 1),
        ("killed", 11, 1),
    ]
    assert [error["worker"] for error in look["errors"]] == [12, 11]
    assert [(worker["slot"], worker["replaced"]) for worker in look["workers"]] == [(1, 1), (2, 0)]


def test_a_worker_that_was_told_to_end_is_no_crash():
    told = Told()
    told.worker(1, 11)
    told.look()
    told.front.workers = [(11, 1, 0.0, True, 1), (12, 2, 0.0, False, 1)]
    Figures("ready", told.at).tell(told.board.slots[2])
    told.look()
    told.front.workers = [(12, 2, 0.0, False, 1)]

    look = told.look()

    assert [event["kind"] for event in look["events"]] == ["ended", "started"]


def test_a_stuck_worker_is_told_of_when_it_begins_and_when_it_ends():
    told = Told()
    told.worker(1, 11)
    told.look()
    told.worker(1, 11, loop_still_s=30.0)
    stuck = told.look()
    later = told.look()
    told.worker(1, 11)
    moving = told.look()

    assert (stuck["status"], stuck["workers"][0]["state"]) == ("stuck", "stuck")
    assert later["status_for_seconds"] == pytest.approx(1.0)
    assert [event["kind"] for event in moving["events"]] == ["ok", "moving", "stuck", "stuck"]


def test_history_and_errors_are_bounded():
    told = Told()
    for second in range(HISTORY_S + 20):
        errors = [{"number": second * 50 + at, "time": WALL + second, "status": 500} for at in range(50)]
        told.worker(1, 11, errors=errors)
        look = told.look()

    assert len(told.feed.history()["points"]) == HISTORY_S
    assert len(look["errors"]) == len(told.feed._errors) == 100
    assert look["errors"][0]["time"] == WALL + HISTORY_S + 19


def test_what_clients_chose_is_cut():
    told = Told()
    listed = {"line": "GET /", "route": "r" * 500, "since": 1.0, "runs": "thread"}
    told.worker(1, 11, listed=[listed] * 50)
    told.worker(2, 12, listed=[listed] * 50)
    told.look(series(route="q" * 5000))
    look = told.look(series(route="q" * 5000, us_100=1))

    assert len(look["requests"]) == 50
    assert len(json.dumps(look)) < 60_000
    assert len(look["routes"][0]["route"]) == 300


def test_a_look_at_200_routes_takes_milliseconds():
    windows = Windows()
    quickest = 1.0
    for second in range(5):
        counted = [
            series(route=f"/{n}", **{f"us_{50 * (k + 1)}": second for k in range(20)}) for n in range(200)
        ]
        began = time.process_time()
        windows.take(counted, float(second))
        quickest = min(quickest, time.process_time() - began)

    assert quickest < 0.1  # 6 ms when nothing else runs
