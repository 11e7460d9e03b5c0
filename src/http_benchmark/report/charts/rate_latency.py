"""Latency against rate: what each second, under its own load, had to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_benchmark.report.charts.chart import Axis, Chart, Series
from http_benchmark.report.charts.over_time import moments_of
from http_benchmark.report.figures import show_number
from http_benchmark.report.subjects import label_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult


def rate_and_latency(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the chart; None where there are no seconds."""
    series: list[Series] = []
    labels = label_results(results)
    for subject, (label, result) in enumerate(zip(labels, results, strict=True)):
        points = [
            (rate, moment.latency.percentile(99) / 1e6)
            for moment in moments_of(result)
            if moment is not None and moment.latency.total and (rate := moment.rate_per_s)
        ]
        if points:
            series.append(
                Series(label, subject, [rate for rate, _ in points], [ms for _, ms in points], kind="dots")
            )
    if not series:
        return None
    return Chart(
        key="rate-and-latency",
        title="Rate and latency",
        says="Each dot is a second: how many requests succeeded in it, and their p99. Dots that rise to the"
        " right show a server near its limit; dots that rise to the left show stalls.",
        x=Axis("requests a second"),
        y=Axis("p99, ms", "log"),
        series=series,
        head=["client", "round", "requests a second", "p50, ms", "p99, ms"],
        rows=[
            [
                label,
                str(each.number + 1),
                show_number(each.rate_per_s),
                *(show_number(ns / 1e6) for ns in each.latency.percentiles((50.0, 99.0))),
            ]
            for label, result in zip(labels, results, strict=True)
            for each in result.rounds
        ],
    )
