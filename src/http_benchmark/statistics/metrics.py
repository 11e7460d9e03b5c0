"""What rounds can be compared by."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.errors import UsageError
from http_benchmark.measurement.result import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.measurement.round import Round

BUCKET: Final = 0.01
"""Percentiles come from buckets; what differs by less may be one bucket."""


class Metric(NamedTuple):
    """A figure of a round."""

    name: str
    phrase: str
    """In a sentence: "slower in ..."."""
    higher_is_better: bool
    of: Callable[[Round], float]
    resolution: float = 0.0


def _percentile(percent: float) -> Metric:
    label = f"p{percent:g}"
    return Metric(
        f"{label.replace('.', '')}_response_time",
        f"{label} response time",
        False,
        lambda each: each.latency.percentile(percent) / 1e9,
        BUCKET,
    )


def _metrics() -> dict[str, Metric]:
    found = [
        Metric("requests_per_second", "requests a second", True, lambda each: each.rate_per_s),
        Metric("avg_response_time", "mean response time", False, lambda each: each.latency.mean_ns / 1e9),
        Metric("max_response_time", "greatest response time", False, lambda each: each.latency.max_ns / 1e9),
        *(_percentile(percent) for percent in PERCENTILES),
    ]
    return {metric.name: metric for metric in found}


METRICS: Final = _metrics()
SHORT: Final = {"rps": "requests_per_second", "rate": "requests_per_second", "mean": "avg_response_time"}


def find_metric(name: str) -> Metric:
    """Return the metric of that name: that of a column, or a short one such as "p99", "rps" or "mean"."""
    wanted = name.lower().replace(".", "")
    for candidate in (wanted, SHORT.get(wanted, ""), f"{wanted}_response_time"):
        if candidate in METRICS:
            return METRICS[candidate]
    short = [metric.removesuffix("_response_time") for metric in METRICS]
    near = get_close_matches(wanted, [*METRICS, *short, *SHORT], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(METRICS)}"
    raise UsageError(f"there is no metric {name!r}{hint}")
