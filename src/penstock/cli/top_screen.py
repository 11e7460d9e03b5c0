"""The live figures as lines of text: for a screen of some size, or as long as they are.

What does not fit is left out from the end of each table, and the tables share the rows. Everything a client
or an application may have put into the figures loses what a terminal would obey.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from penstock.cli.plain import show_age, show_plain, show_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Row = Sequence[tuple[str, str]]  # text and style of each cell

_STYLES: Final = {"bold": "1", "dim": "2", "bad": "1;31", "warn": "33", "good": "32", "head": "2"}
_BARS: Final = "▁▂▃▄▅▆▇█"
_SILENT_S: Final = 2.5
_LEAST_ROWS: Final = 3
_WIDE: Final = 112
_SHOWN: Final = 20
"""Rows of a table where there is no screen to fill."""


class Table:
    """Rows under a head; the last column takes what is left."""

    def __init__(self, head: str, rows: Iterable[Row], empty: str, numbers: str = "") -> None:
        self.head = head.split("|")
        self.rows = list(rows)
        self.empty = empty
        self._numbers = {int(digit) for digit in numbers}

    def lines(self, limit: int, paint: Callable[[str, str], str]) -> list[str]:
        """The head, and so many rows."""
        if not self.rows:
            return [paint(self.empty, "dim")]
        rows = self.rows[:limit]
        widths = [
            max(len(name), *(len(row[at][0]) for row in rows)) for at, name in enumerate(self.head[:-1])
        ]
        widths.append(0)
        head = "  ".join(self._align(name, at, widths) for at, name in enumerate(self.head))
        lines = [paint(head, "head")]
        for row in rows:
            cells = [paint(self._align(text, at, widths), style) for at, (text, style) in enumerate(row)]
            lines.append("  ".join(cells))
        return lines

    def _align(self, text: str, at: int, widths: Sequence[int]) -> str:
        return text.rjust(widths[at]) if at in self._numbers else text.ljust(widths[at])


class Screen:
    """Makes the lines; `rates` are those of the last seconds."""

    def __init__(self, *, is_coloured: bool) -> None:
        self._is_coloured = is_coloured
        self.rates: list[float] = []

    def lines(self, look: dict[str, Any], width: int, height: int = 0, lost: str = "") -> list[str]:
        """Return what shows a look; with a height never more lines than that."""
        top = [self._title(look, lost), *self._figures(look, width), ""]
        tables = [_workers(look), _routes(look), _requests(look), _errors(look)]
        if not height:
            for table in tables:
                top += [*table.lines(_SHOWN, self._paint), ""]
            return top[:-1]
        for table, limit in _share(tables, height - len(top) - 1):
            top += [*table.lines(limit, self._paint), ""]
        return [*top[: height - 1], self._paint("q quits", "dim")]

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self._is_coloured else text

    def _title(self, look: dict[str, Any], lost: str) -> str:
        paint = self._paint
        if lost:
            return paint(f"CONNECTION LOST  {show_plain(lost)}", "bad")
        status = look["status"]
        words = [
            f"release {show_plain(look['release'])}" if look.get("release") else "",
            f"up {show_age(look['uptime_seconds'])}",
            f"process {look['pid']}",
            _count(len(look["workers"]), "worker"),
            _count(look["restarts"], "restart"),
            time.strftime("%H:%M:%S", time.localtime(look["time"])),
        ]
        state = paint("serving", "good") if status == "ok" else paint(status.upper(), "bad")
        if status != "ok":
            state += f" for {show_age(look['status_for_seconds'])}"
        return "  ".join([paint("penstock", "bold"), state, *filter(None, words)])

    def _figures(self, look: dict[str, Any], width: int) -> list[str]:
        paint, pool, latency = self._paint, look["thread_pool"], look["latency"] or {}
        rate = paint(f"{show_count(look['rate_per_s'])}/s", "bold")
        spans = [
            f"{label}  "
            + "  ".join(f"{name} {paint(show_ms(of.get(f'{name}_ms')), 'bold')}" for name in _QUANTILES)
            for label, of in (("last 5 s", latency.get("recent", {})), ("60 s", latency.get("minute", {})))
        ]
        failed = sum(row["errors"] for row in look["routes"] or [])
        flight = f"{look['requests_in_flight']} in flight"
        if look["oldest_request_seconds"] is not None:
            flight += f", oldest {show_age(look['oldest_request_seconds'])}"
        rest = [
            paint(f"{failed} errors in a minute", "bad" if failed else ""),
            flight,
            f"threads {pool['active_workers']} of {pool['total_workers']}, {pool['queue_depth']} waiting",
            _count(look["connections"], "connection"),
            show_size(look["rss_bytes"]),
        ]
        if look["stores"]["lost"]:
            rest.append(paint("a store is lost", "warn"))
        line = f"{rate}  {spark(self.rates, width - 16)}" if self.rates else rate
        if width < _WIDE:
            return [line, *spans, "  ".join(rest[:3]), "  ".join(rest[3:])]
        return [line, "   ".join(spans), "   ".join(rest)]


_QUANTILES: Final = ("p50", "p90", "p99", "max")


def _share(tables: Sequence[Table], height: int) -> list[tuple[Table, int]]:
    """The tables there is room for, and how many rows each gets: some, then as many as it has, in turn."""
    wanted = [min(len(table.rows), _SHOWN) or 1 for table in tables]
    heads = [2 if table.rows else 1 for table in tables]  # with the empty line behind it
    shown = len(tables)
    while shown > 1 and sum(heads[:shown]) + shown > height:
        shown -= 1
    room = max(height - sum(heads[:shown]), 1)
    given = [0] * shown
    for least in (1, _LEAST_ROWS, _SHOWN):
        for at in range(shown):
            given[at] += max(0, min(min(least, wanted[at]) - given[at], room - sum(given)))
    return list(zip(tables, given, strict=False))


def _workers(look: dict[str, Any]) -> Table:
    rows = []
    for worker in look["workers"]:
        pool = worker["thread_pool"]
        rows.append(
            [
                (str(worker["slot"]), ""),
                (str(worker["pid"]), ""),
                (f"{show_count(worker['rate_per_s'])}/s", ""),
                (str(worker["requests_in_flight"]), ""),
                (str(worker["connections"]), ""),
                (f"{pool['active_workers']} of {pool['total_workers']}", ""),
                (show_size(worker["rss_bytes"]), ""),
                (show_age(worker["uptime_seconds"]), ""),
                (str(worker["replaced"]), "warn" if worker["replaced"] else ""),
                _state(worker),
            ]
        )
    head = "SLOT|PID|BEGUN|IN FLIGHT|CONNS|THREADS|RSS|UP|REPLACED|STATE"
    return Table(head, rows, "no worker", "0123468")


def _state(worker: dict[str, Any]) -> tuple[str, str]:
    state: str = worker["state"]
    if state == "stuck":
        return f"STUCK, loop still for {show_age(worker['loop_still_seconds'])}", "bad"
    if worker["figures_age_seconds"] > _SILENT_S:
        return f"silent for {show_age(worker['figures_age_seconds'])}", "bad"
    if worker["loop_still_seconds"] > _SILENT_S:
        return f"loop still for {show_age(worker['loop_still_seconds'])}", "bad"
    return state, "" if state == "ready" else "warn"


def _routes(look: dict[str, Any]) -> Table:
    rows = [
        [
            (show_count(row["count"]), ""),
            (f"{show_count(row['rate_per_s'])}/s", ""),
            (show_ms(row["p50_ms"]), ""),
            (show_ms(row["p99_ms"]), ""),
            (show_ms(row["max_ms"]), ""),
            (str(row["errors"]), "bad" if row["errors"] else ""),
            (show_plain(f"{row['method']} {row['route'] or '(no route)'}"), ""),
        ]
        for row in look["routes"] or []
    ]
    return Table(
        "IN A MINUTE|RATE|P50|P99|MAX|5XX|ROUTE, SLOWEST FIRST", rows, "no request in a minute", "012345"
    )


def _requests(look: dict[str, Any]) -> Table:
    rows = [
        [
            (show_age(row["age_seconds"]), "bad" if row["age_seconds"] >= 30 else ""),
            (str(row["worker"]), ""),
            (show_plain(", ".join(dict.fromkeys(filter(None, (row.get("phase"), row["runs"]))))), ""),
            (row.get("trace_id") or "-", ""),
            (show_plain(row["line"]), ""),
        ]
        for row in look["requests"]
    ]
    return Table("AGE|WORKER|AT|TRACE|IN FLIGHT, OLDEST FIRST", rows, "no request in flight", "01")


def _errors(look: dict[str, Any]) -> Table:
    rows = [
        [
            (time.strftime("%H:%M:%S", time.localtime(row["time"])), ""),
            (str(row["status"]), "bad"),
            (str(row["worker"]), ""),
            (row["trace_id"], ""),
            (show_plain(row["error_type"] or "-"), ""),
            (show_plain(f"{row['method']} {row['path']}"), ""),
        ]
        for row in look["errors"]
    ]
    return Table("AT|STATUS|WORKER|TRACE|ERROR|REQUEST, NEWEST FIRST", rows, "no error so far", "2")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def show_count(number: float) -> str:
    """At most five letters: 7, 0.3, 4,312, 12.4k, 3.1M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= 10 * size or (unit == "M" and number >= size):
            return f"{number / size:.1f}{unit}"
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def show_ms(ms: float | None) -> str:
    """Two digits or three: a percentile is no more exact than a sixteenth of itself."""
    if ms is None:
        return "-"
    if ms < 0.9995:
        return f"{ms * 1000:.0f} us"
    value, unit = (ms, "ms") if ms < 1000 else (ms / 1000, "s")
    return f"{value:.0f} {unit}" if value >= 9.95 else f"{value:.1f} {unit}"


def spark(values: Sequence[float], width: int) -> str:
    """A bar for each of the last values.

    >>> spark([0, 1, 4, 8], 10)
    '▁▁▄█'
    """
    shown = values[-max(width, 1) :]
    highest = max(shown) or 1
    return "".join(_BARS[min(7, max(0, round(8 * value / highest) - 1))] for value in shown)
