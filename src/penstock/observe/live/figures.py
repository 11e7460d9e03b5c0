"""The live figures of a server: `/live`, `/live/events`, the dashboard and `penstock top` show nothing else.

A `Feed` looks once a second and keeps five minutes, so that who comes late sees how it came to this. A look
is one JSON object, `null` for what nobody measures:

    number, time            the look, counted from 1, and when (Unix seconds)
    status, status_for_seconds      ok, starting, draining, stuck, and since when
    pid, uptime_seconds, release, version, python, restarts, requests_total, requests_in_flight,
    connections, rss_bytes, thread_pool, stores     as `/metrics` tells them
    rate_per_s              requests answered in the last second
    latency                 {recent, minute}: {count, p50_ms, p90_ms, p99_ms, max_ms} of 5 and 60 seconds
    point                   what the history grows by: {t, rate, p50, p90, p99, max, classes, heat};
                            classes counts 1xx to 5xx, heat is row, count, row, count, ...
    routes                  of the last minute, slowest first: {method, route, count, rate_per_s, errors,
                            p50_ms, p90_ms, p99_ms, max_ms}
    requests                in flight, oldest first: {age_seconds, line, route, runs, worker, trace_id, stack}
    workers                 {rate_per_s, replaced, ...} and what `/metrics` tells of each
    errors                  newest first: {time, status, method, path, route, trace_id, error_type, worker}
    events                  newest first: {time, kind, pid, slot}; kind is started, ended, killed, stuck,
                            moving or a status

`/live/history` is {interval_s, heat_edges_ms, points}. All that comes from clients is cut to some length, and
is text that whoever shows it has to escape. Absent on purpose: a clock, and any look into another process.
"""

from __future__ import annotations

import platform
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from penstock.observe.live.buckets import heat_edges_ms
from penstock.observe.live.windows import CLASSES, Windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.observe.live.windows import Look, Series, Tally
    from penstock.observe.overview import Overview

INTERVAL_S: Final = 1.0
HISTORY_S: Final = 300
_REQUESTS: Final = 50
_ROUTES: Final = 25
_STACKS: Final = 20
_STACK_CHARS: Final = 3000
_ERRORS: Final = 100
_EVENTS: Final = 30
_TEXT_CHARS: Final = 300


class Feed:
    """What is known of one server over time. Fed and read in one thread."""

    def __init__(self, version: str) -> None:
        self._about = {"version": version, "python": platform.python_version()}
        self._points: deque[dict[str, Any]] = deque(maxlen=int(HISTORY_S / INTERVAL_S))
        self._windows = Windows()
        self._errors: dict[tuple[int, int], dict[str, Any]] = {}  # by worker and number, the newest last
        self._events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)
        self._states: dict[int, tuple[int, str]] = {}  # by pid: slot and state at the last look
        self._counts: dict[int, int] = {}  # by pid: requests so far
        self._replaced: dict[int, int] = {}  # by slot: workers that came after another
        self._total = 0
        self._restarts: int | None = None
        self._status = ""
        self._since = self._at = 0.0
        self._number = 0
        self.latest: dict[str, Any] = {}
        """The last look; empty before the first."""

    def history(self) -> dict[str, Any]:
        return {
            "interval_s": INTERVAL_S,
            "heat_edges_ms": heat_edges_ms(),
            "points": list(self._points),
        }

    def take(self, overview: Overview, series: Iterable[Series] | None, now: float) -> dict[str, Any]:
        """Look: at what the processes told, and at their histograms, None when nobody keeps any; `now` is the
        wall clock's.
        """
        told = overview.metrics()
        seconds = max(overview.now - self._at, 1e-3) if self._number else INTERVAL_S
        self._at = overview.now
        look = None if series is None else self._windows.take(series, overview.now)
        self._number += 1
        self._watch(overview, told, now)
        rate = self._rate(told["requests_total"], look, seconds)
        point = _point(now, rate, look)
        self._points.append(point)
        self.latest = {
            "number": self._number,
            "time": point["t"],
            **self._about,
            **told,
            "status_for_seconds": round(max(0.0, now - self._since), 1),
            "rate_per_s": rate,
            "latency": None if look is None else self._latency(),
            "point": point,
            "routes": None if look is None else self._routes(),
            "requests": [_cut(each, at) for at, each in enumerate(overview.requests()[:_REQUESTS])],
            "workers": self._workers(told["workers"], seconds),
            "errors": self._take_errors(overview),
            "events": list(self._events)[::-1],
        }
        return self.latest

    def _rate(self, total: int, look: Look | None, seconds: float) -> float:
        """Requests a second; those answered where that is counted, else those begun."""
        grown = max(0, total - self._total) if self._number > 1 else 0
        self._total = total
        if look is not None and self._windows.has_series:
            grown, seconds = look.total.count, look.seconds
        return round(grown / seconds, 1)

    def _latency(self) -> dict[str, Any]:
        recent, minute = self._windows.recent(), self._windows.total
        return {
            "recent": {"count": recent.count, **recent.latency()},
            "minute": {"count": minute.count, **minute.latency()},
        }

    def _routes(self) -> list[dict[str, Any]]:
        """Both the slowest and the busiest."""
        seconds = max(self._windows.seconds, 1.0)
        rows = [_row(name, tally, seconds) for name, tally in self._windows.routes.items()]
        rows.sort(key=lambda row: (-row["p99_ms"], -row["count"]))
        busiest = sorted(rows[_ROUTES:], key=lambda row: -row["count"])[:_ROUTES]
        return rows[:_ROUTES] + busiest

    def _workers(self, told: Sequence[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
        before, self._counts = self._counts, {worker["pid"]: worker["requests_total"] for worker in told}
        workers = []
        for worker in told:
            count = worker["requests_total"]
            rate = round(max(0, count - before.get(worker["pid"], count)) / seconds, 1)
            replaced = self._replaced.get(worker["slot"], 0)
            workers.append({**worker, "rate_per_s": rate, "replaced": replaced})
        return sorted(workers, key=lambda worker: (worker["slot"], worker["uptime_seconds"]))

    def _take_errors(self, overview: Overview) -> list[dict[str, Any]]:
        """Those of workers that have ended stay."""
        for worker in overview.workers:
            for error in reversed(worker.figures.errors):
                key = (worker.pid, error["number"])
                if key not in self._errors:
                    self._errors[key] = {**error, "worker": worker.pid}
        ordered = sorted(self._errors.items(), key=lambda each: -each[1]["time"])[:_ERRORS]
        self._errors = dict(ordered)
        return [error for _, error in ordered]

    def _watch(self, overview: Overview, told: dict[str, Any], now: float) -> None:
        """Note what has become of the workers and of the whole."""
        states = {worker.pid: (worker.slot, worker.state) for worker in overview.workers}
        killed = told["restarts"] - (told["restarts"] if self._restarts is None else self._restarts)
        self._restarts = told["restarts"]
        for pid, (slot, state) in self._states.items():
            if pid not in states:
                was_told = state == "draining" or killed <= 0
                killed -= not was_told
                self._note(now, "ended" if was_told else "killed", pid, slot)
                self._replaced[slot] = self._replaced.get(slot, 0) + 1
        for pid, (slot, state) in states.items():
            before = self._states.get(pid)
            if before is None and self._number > 1:
                self._note(now, "started", pid, slot)
            elif before is not None and (before[1] == "stuck") != (state == "stuck"):
                self._note(now, "stuck" if state == "stuck" else "moving", pid, slot)
        self._states = states
        if overview.status != self._status:
            if self._status:
                self._note(now, overview.status, None, None)
            self._status, self._since = overview.status, now

    def _note(self, now: float, kind: str, pid: int | None, slot: int | None) -> None:
        self._events.append({"time": round(now, 3), "kind": kind, "pid": pid, "slot": slot})


def _point(now: float, rate: float, look: Look | None) -> dict[str, Any]:
    point: dict[str, Any] = {"t": round(now, 3), "rate": rate}
    if look is None:
        return point | {
            "p50": None,
            "p90": None,
            "p99": None,
            "max": None,
            "classes": [0] * CLASSES,
            "heat": [],
        }
    latency = look.total.latency()
    point |= {name.removesuffix("_ms"): value for name, value in latency.items()}
    return point | {"classes": look.total.classes, "heat": look.total.heat()}


def _row(name: tuple[str, str], tally: Tally, seconds: float) -> dict[str, Any]:
    latency: dict[str, Any] = tally.latency()
    return {
        "method": name[0],
        "route": name[1][:_TEXT_CHARS],
        "count": tally.count,
        "rate_per_s": round(tally.count / seconds, 2),
        "errors": tally.classes[-1],
        **latency,
    }


def _cut(request: dict[str, Any], at: int) -> dict[str, Any]:
    """What is sent of a request each second: of the oldest with a stack, whose end says where they are."""
    route, stack = request.get("route"), request.get("stack") or ""
    cut = stack[-_STACK_CHARS:] if at < _STACKS else ""
    return {"trace_id": None, **request, "route": route and route[:_TEXT_CHARS], "stack": cut or None}
