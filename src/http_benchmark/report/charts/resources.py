"""Processor and memory over time, of the process that made the requests and of the server."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from http_benchmark.report.charts.chart import POINTS, Axis, Chart, Series, every_nth, laid_end_to_end
from http_benchmark.report.figures import show_number
from http_benchmark.report.subjects import label_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Resources, Round, Sample

    Value = Callable[[Sample], float]
    Pick = Callable[[Round], Resources | None]

_TIME = Axis("seconds measured, rounds one after the other", from_zero=True)


def cpu(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the chart; None where nobody watched."""
    return _chart(
        results,
        "cpu",
        "Processor",
        "100 % is one core. A client that uses all it can have measures itself, not the server.",
        Axis("CPU, % of one core", from_zero=True),
        lambda sample: sample.cpu_percent,
    )


def memory(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the chart; None where nobody watched."""
    return _chart(
        results,
        "memory",
        "Memory",
        "Resident memory. A line that climbs through all rounds may be a leak.",
        Axis("memory, MB", from_zero=True),
        lambda sample: sample.rss_mb,
    )


def _chart(
    results: Sequence[BenchmarkResult], key: str, title: str, says: str, axis: Axis, value: Value
) -> Chart | None:
    series: list[Series] = []
    rows: list[list[str]] = []
    who: list[tuple[str, Pick]] = [("", lambda each: each.generator), (" server", lambda each: each.server)]
    for subject, (label, result) in enumerate(zip(label_results(results), results, strict=True)):
        for name, pick in who:
            x, y = _points(result, pick, value)
            known = [each for each in y if each is not None]
            if not known:
                continue
            series.append(Series(f"{label}{name}", subject, x, y, "dashes" if name else "line"))
            rows.append([f"{label}{name}", *map(show_number, (min(known), fmean(known), max(known)))])
    if not series:
        return None
    if any(each.kind == "dashes" for each in series):
        says += " Dashed: the server."
    return Chart(key, title, says, _TIME, axis, series, ["process", "least", "mean", "greatest"], rows)


def _points(result: BenchmarkResult, pick: Pick, value: Value) -> tuple[list[float], list[float | None]]:
    x: list[float] = []
    y: list[float | None] = []
    step = every_nth(sum(len(used.samples) for _, used in _watched(result, pick)), POINTS)
    for before_s, used in _watched(result, pick):
        if x:
            x.append(before_s)
            y.append(None)
        for start in range(0, len(used.samples), step):
            merged = used.samples[start : start + step]
            x.append(before_s + merged[0].offset_s)
            y.append(fmean(map(value, merged)))
    return x, y


def _watched(result: BenchmarkResult, pick: Pick) -> Iterator[tuple[float, Resources]]:
    for before_s, each in laid_end_to_end(result):
        if (used := pick(each)) is not None:
            yield before_s, used
