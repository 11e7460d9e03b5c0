"""What rounds can be compared by."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.errors import UsageError
from http_benchmark.measurement.result import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.measurement.round import Resources, Round

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
        Metric("cpu_usage_avg", "CPU of the generator", False, lambda each: _cpu(each, each.generator)),
        Metric("memory_usage_avg", "memory of the generator", False, lambda each: _memory(each.generator)),
        Metric("server_cpu", "CPU of the server", False, lambda each: _cpu(each, each.server)),
        Metric("server_memory", "memory of the server", False, lambda each: _memory(each.server)),
    ]
    return {metric.name: metric for metric in found}


def _cpu(each: Round, used: Resources | None) -> float:
    """In % of one core; 0.0 where nobody watched."""
    return 100 * used.cpu_s / each.duration_s if used is not None and each.duration_s > 0 else 0.0


def _memory(used: Resources | None) -> float:
    """In MB; 0.0 where nobody watched."""
    return used.rss_mb_mean if used is not None else 0.0


METRICS: Final = _metrics()
SHORT: Final = {
    "rps": "requests_per_second",
    "rate": "requests_per_second",
    "mean": "avg_response_time",
    "cpu": "cpu_usage_avg",
    "memory": "memory_usage_avg",
}


def find_metric(name: str) -> Metric:
    """Return the metric of that name: that of a column, or a short one such as "p99", "rps" or "mean"."""
    wanted = name.lower().replace(".", "").replace("-", "_")
    for candidate in (wanted, SHORT.get(wanted, ""), f"{wanted}_response_time"):
        if candidate in METRICS:
            return METRICS[candidate]
    short = [metric.removesuffix("_response_time") for metric in METRICS]
    near = get_close_matches(wanted, [*METRICS, *short, *SHORT], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(METRICS)}"
    raise UsageError(f"there is no metric {name!r}{hint}")
