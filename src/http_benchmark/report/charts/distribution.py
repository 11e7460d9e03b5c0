"""Latency by percentile, on the axis of HdrHistogram: each step to the right is ten times as rare."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from http_benchmark.histogram.histogram import edges_of
from http_benchmark.report.charts.chart import NS, Axis, Chart, Series
from http_benchmark.report.figures import show_time
from http_benchmark.report.subjects import label_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.histogram.histogram import Histogram
    from http_benchmark.measurement.result import BenchmarkResult

_TICKS: Final = [(1.0, "0 %"), (2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %")] + [
    (10.0**power, f"99.{'9' * (power - 2)} %") for power in range(3, 10)
]
_TABLE: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999, 100.0)
_NEXT: Final = 1.004
"""A point is drawn when it is so much further to the right than the one before."""


def distribution(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the chart; None where nothing succeeded."""
    found: list[tuple[str, int, Histogram, bool]] = []
    for subject, (label, result) in enumerate(zip(label_results(results), results, strict=True)):
        found.append((label, subject, result.merged(), False))
        found.append((f"{label} corrected", subject, result.merged("corrected"), True))
    found = [each for each in found if each[2].total]
    if not found:
        return None
    most = max(histogram.total for *_, histogram, _ in found)
    # A correction adds times down to next to nothing; they would leave a line no room for the others.
    least_ns = min((each[2].min_ns for each in found if not each[3]), default=0)
    columns = [histogram.percentiles(_TABLE) for *_, histogram, _ in found]
    corrected = " Dashed: corrected for coordinated omission." if any(each[3] for each in found) else ""
    return Chart(
        key="latency-distribution",
        title="Latency distribution",
        says="So many percent of the requests took no longer than the line is high; each decade to the right"
        f" is ten times as rare.{corrected}",
        x=Axis("requests", "log", [tick for tick in _TICKS if tick[0] <= most]),
        y=Axis("latency, ms", "log"),
        series=[
            Series(label, subject, *points_of(histogram, least_ns), kind="dashes" if is_corrected else "line")
            for label, subject, histogram, is_corrected in found
        ],
        head=["percent", *(label for label, *_ in found)],
        rows=[
            [f"{percent:g} %", *(show_time(column[at] / NS) for column in columns)]
            for at, percent in enumerate(_TABLE)
        ],
        is_wide=True,
    )


def points_of(histogram: Histogram, least_ns: int = 0) -> tuple[list[float], list[float]]:
    """Return x, which is 1 / (1 - share), and milliseconds, of a histogram that is not empty. What is shorter
    than `least_ns` is drawn as that.
    """
    indexes = sorted(histogram.counts)
    total = histogram.total
    x, y = [1.0], [max(histogram.min_ns, least_ns) / 1e6]
    for index, below in zip(indexes, accumulate(histogram.counts[index] for index in indexes), strict=True):
        if below < total and (right := total / (total - below)) >= x[-1] * _NEXT:
            x.append(right)
            y.append(max(min(edges_of(index)[1], histogram.max_ns), least_ns) / 1e6)
    return [*x, float(total)], [*y, histogram.max_ns / 1e6]
