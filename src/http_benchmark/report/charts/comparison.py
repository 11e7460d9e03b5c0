"""Results beside each other: the middle of their rounds with a bootstrapped interval, and each round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_benchmark.report.charts.chart import Axis, Chart, Series
from http_benchmark.report.figures import show_number
from http_benchmark.report.subjects import label_results
from http_benchmark.statistics.estimates import interval_of_pairs, middle_of_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Round

    Value = Callable[[Round], float]

_TAIL = 0.025
_SAYS = (
    "The bar is the middle of the rounds, the line on it its 95 % interval (bootstrap over rounds), each dot"
    " a round, the first to the left."
)
_DOTS = (0.07, 0.2)
"""Where they stand, beside the middle of the bar."""


def rate_bars(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return rates; None of one round alone."""
    axis = Axis("requests a second", from_zero=True)
    return _bars(results, "rate", "Requests a second", axis, lambda each: each.rate_per_s)


def latency_bars(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return the p99 of rounds; None of one round alone."""
    axis = Axis("p99, ms", from_zero=True)
    return _bars(results, "p99", "p99 of latency", axis, _p99_ms)


def rounds(results: Sequence[BenchmarkResult]) -> Chart | None:
    """Return rate by round, in their order; None where nobody had two."""
    longest = max(len(result.rounds) for result in results)
    if longest < 2:
        return None
    labels = label_results(results)
    return Chart(
        key="rounds",
        title="Rounds",
        says="The rate of each round, in the order in which they were measured. A line that climbs or falls"
        " says that the machine, or the server, changed meanwhile.",
        x=Axis("round", ticks=[(number, str(number)) for number in _some(longest)]),
        y=Axis("requests a second", from_zero=True),
        series=[
            Series(
                label,
                subject,
                [float(each.number + 1) for each in result.rounds],
                [each.rate_per_s for each in result.rounds],
            )
            for subject, (label, result) in enumerate(zip(labels, results, strict=True))
        ],
        head=["round", *labels],
        rows=[
            [
                str(number),
                *(
                    next(
                        (show_number(each.rate_per_s) for each in result.rounds if each.number + 1 == number),
                        "-",
                    )
                    for result in results
                ),
            ]
            for number in range(1, longest + 1)
        ],
    )


def _bars(results: Sequence[BenchmarkResult], key: str, title: str, axis: Axis, value: Value) -> Chart | None:
    labels = label_results(results)
    values = [[value(each) for each in result.rounds] for result in results]
    if len(results) == 1 and len(values[0]) < 2:
        return None
    series: list[Series] = []
    rows: list[list[str]] = []
    for subject, (label, found) in enumerate(zip(labels, values, strict=True)):
        if not found:
            continue
        middle = middle_of_pairs(found)
        low, high = interval_of_pairs(found, _TAIL) if len(found) > 1 else (middle, middle)
        series.append(Series(label, subject, [subject], [middle], "bars", [max(low, 0.0)], [high]))
        step = (_DOTS[1] - _DOTS[0]) / max(len(found) - 1, 1)
        places = [subject + _DOTS[0] + step * at for at in range(len(found))]
        series.append(Series(f"{label}, rounds", subject, places, found, "dots"))
        shown = [show_number(each) for each in (middle, low, high, min(found), max(found))]
        rows.append([label, shown[0], f"{shown[1]} to {shown[2]}", shown[3], shown[4]])
    head = ["client", "middle", "95 % interval", "least round", "greatest round"]
    if not series:
        return None
    names = Axis("", "names", [(float(at), label) for at, label in enumerate(labels)])
    return Chart(key, title, _SAYS, names, axis, series, head, rows)


def _p99_ms(each: Round) -> float:
    return each.latency.percentile(99) / 1e6


def _some(longest: int) -> list[int]:
    step = max(1, -(-longest // 20))
    return list(range(1, longest + 1, step))
