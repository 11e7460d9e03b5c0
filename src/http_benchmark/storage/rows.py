"""A result as rows of the tables, and back, without loss.

Columns have the names of the fields, so that a field and its column are found by one name; a test sees that
each field has its column. A figure that is NaN (nobody knows it) is NULL. Counts of a histogram are
HdrHistogram's V2 text, which any of its tools reads; what that rounds stands beside it.
"""

from __future__ import annotations

import json
from dataclasses import fields
from math import nan
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.errors import StorageError
from http_benchmark.histogram.encoding import from_v2, to_v2
from http_benchmark.measurement.result import BenchmarkResult
from http_benchmark.measurement.round import Resources, Round, Sample, Second

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from http_benchmark.histogram.histogram import Histogram

KINDS: Final = ("latency", "corrected", "first_octet", "lateness")
"""The histograms of a round."""
WATCHED: Final = ("generator", "server")
"""Whose resources a round has."""

_APART: Final = {"rounds", "environment"}
_JSON: Final = {"config_snapshot", "warnings", "errors", "examples"}
RESULT_FIELDS: Final = tuple(each.name for each in fields(BenchmarkResult) if each.name not in _APART)
ROUND_FIELDS: Final = tuple(
    each.name for each in fields(Round) if each.name not in {*KINDS, *WATCHED, "seconds"}
)
RESOURCES_FIELDS: Final = tuple(each.name for each in fields(Resources) if each.name != "samples")
SAMPLE_FIELDS: Final = tuple(each.name for each in fields(Sample))
_UNKNOWN: Final = {each.name: nan if each.type == "float" else 0 for each in fields(BenchmarkResult)}
"""What NULL means, where the field cannot be None."""
_MAY_BE_NONE: Final = {"cpu_usage_avg", "memory_usage_avg"}


def put(connection: sqlite3.Connection, result: BenchmarkResult) -> None:
    """Insert all of a result, in a transaction of the caller."""
    _insert(connection, "benchmark_results", {name: _out(result, name) for name in RESULT_FIELDS})
    for place, (key, value) in enumerate(result.environment.items()):
        row = {"result_id": result.id, "place": place, "key": key, "value": json.dumps(value)}
        _insert(connection, "environment", row)
    for position, each in enumerate(result.rounds):
        _put_round(connection, each, {"result_id": result.id, "position": position})


def _put_round(connection: sqlite3.Connection, each: Round, at: Mapping[str, Any]) -> None:
    row = {name: _out(each, name) for name in ROUND_FIELDS}
    _insert(connection, "rounds", {**at, **row, "requests": each.requests})
    for kind in KINDS:
        histogram = getattr(each, kind)
        if histogram is not None:
            _insert(connection, "histograms", {**at, "kind": kind, **pack(histogram)})
    for place, second in enumerate(each.seconds):
        about = {"place": place, "offset_s": second.offset_s, "errors": second.errors}
        _insert(connection, "seconds", {**at, **about, **pack(second.latency)})
    for whose in WATCHED:
        resources = getattr(each, whose)
        if resources is not None:
            _put_resources(connection, resources, {**at, "whose": whose})


def _put_resources(connection: sqlite3.Connection, resources: Resources, at: Mapping[str, Any]) -> None:
    row = {name: getattr(resources, name) for name in (*RESOURCES_FIELDS, "rss_mb_mean", "rss_mb_max")}
    _insert(connection, "resources", {**at, **row})
    for place, sample in enumerate(resources.samples):
        row = {name: getattr(sample, name) for name in SAMPLE_FIELDS}
        _insert(connection, "resource_samples", {**at, "place": place, **row})


def get(connection: sqlite3.Connection, row: Mapping[str, Any], *, with_rounds: bool) -> BenchmarkResult:
    """Return the result of a row of `benchmark_results`; without rounds it is quicker."""
    values = {name: _in(row, name) for name in RESULT_FIELDS}
    for name, value in values.items():
        if value is None and name not in _MAY_BE_NONE:
            values[name] = _UNKNOWN[name]
    found = BenchmarkResult(**values)
    order = "SELECT key, value FROM environment WHERE result_id = ? ORDER BY place"
    found.environment = {key: json.loads(value) for key, value in connection.execute(order, (found.id,))}
    if with_rounds:
        found.rounds = list(_rounds(connection, found.id))
    return found


def _rounds(connection: sqlite3.Connection, result_id: str) -> Iterator[Round]:
    for row in rows(connection, "SELECT * FROM rounds WHERE result_id = ? ORDER BY position", result_id):
        at = (result_id, row["position"])
        found = Round(**{name: _in(row, name) for name in ROUND_FIELDS})
        found.was_interrupted = bool(found.was_interrupted)
        for part in rows(connection, "SELECT * FROM histograms WHERE result_id = ? AND position = ?", *at):
            setattr(found, part["kind"], unpack(part))
        order = "SELECT * FROM seconds WHERE result_id = ? AND position = ? ORDER BY place"
        found.seconds = [
            Second(offset_s=part["offset_s"], latency=unpack(part), errors=part["errors"])
            for part in rows(connection, order, *at)
        ]
        for part in rows(connection, "SELECT * FROM resources WHERE result_id = ? AND position = ?", *at):
            resources = Resources(**{name: part[name] for name in RESOURCES_FIELDS})
            resources.samples = _samples(connection, *at, part["whose"])
            setattr(found, part["whose"], resources)
        yield found


def _samples(connection: sqlite3.Connection, result_id: str, position: int, whose: str) -> list[Sample]:
    order = "SELECT * FROM resource_samples WHERE result_id = ? AND position = ? AND whose = ? ORDER BY place"
    found = rows(connection, order, result_id, position, whose)
    return [Sample(**{name: row[name] for name in SAMPLE_FIELDS}) for row in found]


def rows(connection: sqlite3.Connection, statement: str, *values: object) -> list[dict[str, Any]]:
    """Return what a statement selects, each row by the names of its columns."""
    cursor = connection.execute(statement, values)
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def pack(histogram: Histogram) -> dict[str, Any]:
    """Return a histogram as columns.

    >>> from http_benchmark.histogram.histogram import Histogram
    >>> unpack(pack(Histogram([5, 5, 7000]))) == Histogram([5, 5, 7000])
    True
    """
    return {
        "total": histogram.total,
        "min_ns": histogram.min_ns,
        "max_ns": histogram.max_ns,
        "total_ns": str(histogram.total_ns),
        "squares": str(histogram.squares),
        "v2": to_v2(histogram),
    }


def unpack(row: Mapping[str, Any]) -> Histogram:
    """Return the histogram of such columns."""
    found = from_v2(row["v2"])
    found.total, found.min_ns, found.max_ns = row["total"], row["min_ns"], row["max_ns"]
    found.total_ns, found.squares = int(row["total_ns"]), int(row["squares"])
    return found


def _out(holder: object, name: str) -> Any:
    value = getattr(holder, name)
    return json.dumps(value) if name in _JSON else value  # SQLite has NaN as NULL


def _in(row: Mapping[str, Any], name: str) -> Any:
    if name not in _JSON:
        return row[name]
    try:
        return json.loads(row[name])
    except ValueError:
        raise StorageError(f"its column {name} holds {row[name][:40]!r}, which is no JSON") from None


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608  # our own names
