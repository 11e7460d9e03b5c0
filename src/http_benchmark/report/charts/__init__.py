"""What is drawn, as plain values: `chart.py` says what a chart is, one module makes each kind of them.

Who draws them (`plotly_form.py` in the page, `svg.py` in a file) adds nothing but looks. Series are thinned
to some hundred points, so that an hour of measuring makes no larger report than a minute.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from http_benchmark.report.charts.comparison import latency_bars, rate_bars, rounds
from http_benchmark.report.charts.distribution import distribution
from http_benchmark.report.charts.over_time import errors_over_time, latency_over_time, rate_over_time
from http_benchmark.report.charts.rate_latency import rate_and_latency
from http_benchmark.report.charts.resources import cpu, memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.report.charts.chart import Chart, Series

_MAKERS = (
    rate_bars,
    latency_bars,
    distribution,
    latency_over_time,
    rate_over_time,
    rate_and_latency,
    rounds,
    cpu,
    memory,
    errors_over_time,
)


def make_charts(results: Sequence[BenchmarkResult]) -> list[Chart]:
    """Return those that there are figures for."""
    made = (maker(results) for maker in _MAKERS)
    charts = [chart for chart in made if chart is not None]
    return [replace(chart, series=[_drawable(each) for each in chart.series]) for chart in charts]


def _drawable(series: Series) -> Series:
    """Without what is no number: files of results may hold anything."""
    known = [
        (x, y if y is None or isfinite(y) else None)
        for x, y in zip(series.x, series.y, strict=True)
        if isfinite(x)
    ]
    low, high = ([each if isfinite(each) else 0.0 for each in ends] for ends in (series.low, series.high))
    return replace(series, x=[x for x, _ in known], y=[y for _, y in known], low=low, high=high)
