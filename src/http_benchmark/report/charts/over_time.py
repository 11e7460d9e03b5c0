"""Latency, rate and errors second by second; rounds follow each other with a gap between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.report.charts.chart import POINTS, ROWS, Axis, Chart, Series, every_nth, laid_end_to_end
from http_benchmark.report.figures import show_number
from http_benchmark.report.subjects import label_results

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from http_benchmark.measurement.result import BenchmarkResult

    Value = Callable[["Moment"], float | None]

_TIME = Axis("seconds measured, rounds one after the other", from_zero=True)
_LEAST_S = 0.25
"""Of a second that was cut short by the end of its round: less tells no rate."""


class Moment(NamedTuple):
    """One second, or some that were merged."""

    at_s: float
    took_s: float
    """Within the round; 0 for what finished in the drain."""
    latency: Histogram
    errors: int

    @property
    def rate_per_s(self) -> float | None:
        return self.latency.total / self.took_s if self.took_s >= _LEAST_S else None


def moments_of(result: BenchmarkResult, points: int = POINTS) -> list[Moment | None]:
    """Return the seconds of all rounds, merged to so many about, with None between rounds."""
    step = every_nth(sum(len(each.seconds) for each in result.rounds), points)
    found: list[Moment | None] = []
    for before_s, each in laid_end_to_end(result):
        if found:
            found.append(None)
        for start in range(0, len(each.seconds), step):
            merged = each.seconds[start : start + step]
            latency = Histogram()
            for second in merged:
                latency.merge(second.latency)
            first_s, end_s = merged[0].offset_s, min(merged[-1].offset_s + 1, each.duration_s)
            errors = sum(second.errors for second in merged)
            found.append(Moment(before_s + first_s, max(0.0, end_s - first_s), latency, errors))
    return found


def latency_over_time(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return p50 and p99 of each second; None where there are no seconds."""
    return _chart(
        results,
        "latency-over-time",
        "Latency over time",
        "p99 (solid) and p50 (dashed) of the requests that finished in each second. Peaks that come again and"
        " again are often garbage collection or a timer of the server.",
        Axis("latency, ms", "log"),
        [(" p99", "line", _percentile(99)), (" p50", "dashes", _percentile(50))],
    )


def rate_over_time(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the successes of each second; None where there are no seconds."""
    return _chart(
        results,
        "rate-over-time",
        "Rate over time",
        "Requests that succeeded in each second. A line that climbs at the start of each round asks for a"
        " longer warm-up.",
        Axis("requests a second", from_zero=True),
        [("", "line", lambda moment: moment.rate_per_s)],
    )


def errors_over_time(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the errors of each second; None where there were none."""
    if not any(second.errors for result in results for each in result.rounds for second in each.seconds):
        return None
    return _chart(
        results,
        "errors-over-time",
        "Errors over time",
        "Requests that failed in each second; they are no part of any rate or latency.",
        Axis("errors a second", from_zero=True),
        [("", "line", lambda moment: moment.errors / max(moment.took_s, 1.0))],
    )


def _chart(
    results: Sequence[BenchmarkResult],
    key: str,
    title: str,
    says: str,
    axis: Axis,
    lines: Sequence[tuple[str, str, Value]],
) -> Chart | None:
    moments = [moments_of(result) for result in results]
    if not any(any(each) for each in moments):
        return None
    labels = label_results(results)
    rows = [moments_of(result, ROWS) for result in results]
    return Chart(
        key=key,
        title=title,
        says=says,
        x=_TIME,
        y=axis,
        series=[
            Series(
                f"{label}{name}",
                subject,
                [0.0 if moment is None else moment.at_s for moment in moments[subject]],
                [None if moment is None else value(moment) for moment in moments[subject]],
                kind=kind,  # type: ignore[arg-type]  # one of those
            )
            for subject, label in enumerate(labels)
            for name, kind, value in lines
        ],
        head=["client", "from second", *(name.strip() or axis.title for name, *_ in lines)],
        rows=[
            [label, f"{moment.at_s:.0f}", *(_shown(value(moment)) for *_, value in lines)]
            for label, row in zip(labels, rows, strict=True)
            for moment in row
            if moment is not None
        ],
    )


def _percentile(percent: float) -> Value:
    return lambda moment: moment.latency.percentile(percent) / 1e6 if moment.latency.total else None


def _shown(value: float | None) -> str:
    return "-" if value is None else show_number(value)
