"""`http-benchmark history`: what was measured so far, and whether the latest is out of the ordinary."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from math import isfinite, nan
from typing import TYPE_CHECKING, Final

from http_benchmark.cli.chosen import add_database_option
from http_benchmark.errors import UsageError
from http_benchmark.export.csv_form import write_csv
from http_benchmark.export.json_form import dump, read_results
from http_benchmark.report.figures import (
    can_show,
    cells_of,
    fit,
    shorten,
    show_column_ms,
    show_harmless,
    show_number,
)
from http_benchmark.report.grid import Column, lay_out
from http_benchmark.statistics.metrics import find_metric
from http_benchmark.statistics.trend import trend_of
from http_benchmark.storage.database import check_writable
from http_benchmark.storage.environment import differences
from http_benchmark.storage.rows import RESULT_FIELDS
from http_benchmark.storage.store import ResultStorage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult

ROWS: Final = 20
_POINTS: Final = 30
_ROOM_FOR_A_NAME: Final = 16
_SHORTEST_NAME: Final = 8
_BARS: Final = "▁▂▃▄▅▆▇█"
_AGO: Final = re.compile(r"([1-9][0-9]{0,5})(min|h|d|w)")
_UNITS: Final = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_database_option(parser)
    parser.add_argument("--name", help="only results of this name")
    parser.add_argument("--client", help="only results of this client library")
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="only those since: 2026-11-01, 2026-11-01T12:00 (UTC), 90min, 12h, 7d, 2w",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help=f"the newest so many; default {ROWS} in a table, else all"
    )
    parser.add_argument(
        "--metric",
        default="requests_per_second",
        help="what the trend is of: rate, mean, p50, p99, ...; default rate",
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="FILE",
        help="first put the results of a JSON file into the database, such as one that was kept beside it",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print them whole, as JSON")
    form.add_argument("--csv", action="store_true", help="print them as CSV, one line for each")


def run(options: argparse.Namespace) -> int:
    """Print results and return the exit code."""
    store = ResultStorage(options.database)
    read = [(path, read_results(path)) for path in options.add]
    if read:
        check_writable(store.path)
    elif not store.path.exists():
        raise UsageError(f"{store.path} does not exist: nothing was kept there; --database names another")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"limit is {options.limit}, but must be above 0")
    metric = find_metric(options.metric)
    if metric.name not in RESULT_FIELDS:
        raise UsageError(f"{metric.phrase} is kept of each round, and not of a result: take another --metric")
    since = None if options.since is None else read_moment(options.since, datetime.now(UTC))
    for path, results in read:
        _add(path, results, store)
    found = store.find_results(
        name=options.name,
        client=options.client,
        since=since,
        limit=options.limit if options.json or options.csv else None,
        with_rounds=options.json,
    )
    if options.json:
        sys.stdout.write(dump(found))
    elif options.csv:
        text = StringIO(newline="")
        write_csv(found, text)
        sys.stdout.write(fit(text.getvalue(), sys.stdout))
    elif not found:
        print("no results", file=sys.stderr)
    else:
        _print_table(found[: options.limit or ROWS][::-1])
        _print_trends(found, metric.name, higher_is_better=metric.higher_is_better)
    return 0


def _add(path: str, results: Sequence[BenchmarkResult], store: ResultStorage) -> None:
    """Put results that are not there yet into the database."""
    known = {each.id for each in store.find_results(with_rounds=False)}
    new = [each for each in results if each.id not in known]
    for each in new:
        store.save_result(each)
    there = f", {len(results) - len(new)} were there already" if len(new) < len(results) else ""
    print(fit(f"{show_harmless(path)}: {len(new)} added{there}", sys.stderr), file=sys.stderr)


def read_moment(text: str, now: datetime) -> datetime:
    """Return the moment a text names: a date, a time, or how long ago.

    >>> read_moment("7d", datetime(2026, 11, 20, tzinfo=UTC)).isoformat()
    '2026-11-13T00:00:00+00:00'
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text!r} is no time, such as 2026-11-01, 2026-11-01T12:00 or 7d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def group(results: Sequence[BenchmarkResult]) -> dict[tuple[str, str, str], list[BenchmarkResult]]:
    """Return results by what makes them runs of one thing: name, client and its mode; the oldest first."""
    found: dict[tuple[str, str, str], list[BenchmarkResult]] = {}
    for each in reversed(results):
        found.setdefault((each.name, each.client_library, each.client_type), []).append(each)
    return found


def _print_table(results: Sequence[BenchmarkResult]) -> None:
    """The newest last, next to the prompt."""

    def times(name: str) -> list[str]:
        values = [getattr(each, name) for each in results]
        return show_column_ms([value if isfinite(value) else None for value in values])

    columns = [
        Column("id", [each.id[:8] for each in results]),
        Column("when (UTC)", [_when(each) for each in results], is_text=True),
        Column("name", [show_harmless(each.name) for each in results], is_text=True),
        Column("client", [show_harmless(_who(each)) for each in results], is_text=True),
        Column("requests/s", [show_number(each.requests_per_second) for each in results]),
        Column("mean ms", times("avg_response_time")),
        Column("p50 ms", times("p50_response_time")),
        Column("p99 ms", times("p99_response_time")),
        Column("errors %", [show_number(each.error_rate) for each in results]),
    ]
    width = _width()
    for line in lay_out(_narrowed(columns, width), width, lambda text, _style: text):
        print(fit(line, sys.stdout))


def _narrowed(columns: Sequence[Column], width: int) -> list[Column]:
    """Return columns that fit: names shortened, and where that is not enough, without mean and median."""
    kept = list(columns)
    room = width - _needed([each for each in kept if each.title != "name"]) - 2
    if room < _ROOM_FOR_A_NAME:
        kept = [each for each in kept if each.title not in {"mean ms", "p50 ms"}]
        room = max(_SHORTEST_NAME, width - _needed([each for each in kept if each.title != "name"]) - 2)
    at = next(at for at, each in enumerate(kept) if each.title == "name")
    kept[at] = Column("name", [shorten(cell, room) for cell in kept[at].cells], is_text=True)
    return kept


def _needed(columns: Sequence[Column]) -> int:
    return sum(max(map(cells_of, (each.title, *each.cells))) + 2 for each in columns) - 2


def _print_trends(results: Sequence[BenchmarkResult], column: str, *, higher_is_better: bool) -> None:
    """One line for each thing that was measured more than once."""
    for (name, client, mode), runs in group(results).items():
        values = [nan if (value := getattr(each, column)) is None else value for each in runs]
        trend = trend_of(values[:-1], values[-1], higher_is_better=higher_is_better)
        if trend is None:
            continue
        who = name if client in name else f"{name}, {client} {mode}"
        bars = sparkline(values[-_POINTS:])
        line = f"\n{show_harmless(who)}: {bars if can_show(sys.stdout, bars) else ''} {trend.sentence}"
        print(fit(line, sys.stdout))
        for each in differences(runs[-2].environment, runs[-1].environment):
            print(fit(f"  {show_harmless(each)}", sys.stdout))


def sparkline(values: Sequence[float]) -> str:
    """Return bars from the least to the greatest; what is not known is a gap. Alike values are half high.

    >>> sparkline([10, 12, float("nan"), 17])
    '▁▃ █'
    """
    known = [value for value in values if isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    top = len(_BARS) - 1
    return "".join(
        " " if not isfinite(value) else _BARS[round(top * (value - low) / (high - low)) if high > low else 3]
        for value in values
    )


def _who(result: BenchmarkResult) -> str:
    return result.client_library + (" async" if result.client_type == "async" else "")


def _when(result: BenchmarkResult) -> str:
    try:
        moment = datetime.fromisoformat(result.created_at)
    except ValueError:  # of another program
        return show_harmless(result.created_at)[:16]
    if moment.tzinfo:
        moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M")


def _width() -> int:
    """Of the terminal; without one a line is as long as it needs to be."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 120 if sys.stdout.isatty() else 10_000
    except (OSError, ValueError):
        return 120
