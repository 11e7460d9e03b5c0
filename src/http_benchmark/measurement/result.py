"""The result of one subject over all its rounds, as it is stored, printed and exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from http_benchmark.histogram.histogram import Histogram
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from http_benchmark.measurement.round import Resources, Round

PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)
_NS: Final = 1e9


@dataclass(slots=True, kw_only=True)
class BenchmarkResult:
    """What came out. The names and units are those of the table `benchmark_results`; times are seconds unless
    the name says otherwise. Rates and times are of successes alone.
    """

    id: str
    """A UUID."""
    name: str
    client_library: str
    """The adapter, "load" for the load generator."""
    client_type: str
    """ "sync", "async" or "load"."""
    http_method: str
    url: str
    start_time: str
    """ISO 8601 with UTC offset."""
    end_time: str
    duration: float
    requests_count: int
    requests_per_second: float
    avg_response_time: float
    min_response_time: float
    max_response_time: float
    stdev_response_time: float
    p50_response_time: float
    p90_response_time: float
    p95_response_time: float
    p99_response_time: float
    p999_response_time: float
    p9999_response_time: float
    cpu_usage_avg: float | None
    """Of the generator, in % of one core; None when it was not watched."""
    memory_usage_avg: float | None
    """Of the generator, in MB (10**6 octets)."""
    error_count: int
    error_rate: float
    """In % of all requests that came to an end."""
    concurrency_level: int
    config_snapshot: dict[str, Any]
    created_at: str
    rounds: list[Round] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    """What `storage/environment.py` found of machine, interpreter and libraries."""
    warnings: list[str] = field(default_factory=list)
    """What makes the figures doubtful, and what to do about it."""

    def merged(self, which: str = "latency") -> Histogram:
        """Return one histogram of all rounds: "latency", "corrected", "first_octet" or "lateness"."""
        return merge_rounds(self.rounds, lambda each: getattr(each, which))

    @property
    def errors(self) -> dict[str, int]:
        """By class, over all rounds."""
        found: dict[str, int] = {}
        for each in self.rounds:
            for kind, count in each.errors.items():
                found[kind] = found.get(kind, 0) + count
        return found


def merge_rounds(rounds: Sequence[Round], pick: Callable[[Round], Histogram | None]) -> Histogram:
    """Return the sum of one histogram of each round; of those that have none, nothing."""
    whole = Histogram()
    for each in rounds:
        if (part := pick(each)) is not None:
            whole.merge(part)
    return whole


def summarise(
    rounds: Sequence[Round],
    *,
    name: str,
    client_library: str,
    client_type: str,
    http_method: str,
    url: str,
    concurrency: int,
    config_snapshot: Mapping[str, Any],
    environment: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
) -> BenchmarkResult:
    """Return the result of rounds, at least one."""
    latency = merge_rounds(rounds, lambda each: each.latency)
    duration_s = sum(each.duration_s for each in rounds)
    error_count = sum(each.error_count for each in rounds)
    seconds = dict(zip(PERCENTILES, (ns / _NS for ns in latency.percentiles(PERCENTILES)), strict=True))
    watched = [each.generator for each in rounds if each.generator is not None]
    ended = max(each.started_at + each.duration_s for each in rounds)
    return BenchmarkResult(
        id=str(uuid4()),
        name=name,
        client_library=client_library,
        client_type=client_type,
        http_method=http_method,
        url=redactor().url(url),  # results are passed on
        start_time=_iso(min(each.started_at for each in rounds)),
        end_time=_iso(ended),
        duration=duration_s,
        requests_count=latency.total,
        requests_per_second=latency.total / duration_s if duration_s > 0 else 0.0,
        avg_response_time=latency.mean_ns / _NS,
        min_response_time=latency.min_ns / _NS,
        max_response_time=latency.max_ns / _NS,
        stdev_response_time=latency.stdev_ns / _NS,
        p50_response_time=seconds[50.0],
        p90_response_time=seconds[90.0],
        p95_response_time=seconds[95.0],
        p99_response_time=seconds[99.0],
        p999_response_time=seconds[99.9],
        p9999_response_time=seconds[99.99],
        cpu_usage_avg=_cpu_percent(watched, duration_s),
        memory_usage_avg=fmean(each.rss_mb_mean for each in watched) if watched else None,
        error_count=error_count,
        error_rate=100.0 * error_count / (error_count + latency.total) if error_count else 0.0,
        concurrency_level=concurrency,
        config_snapshot=dict(config_snapshot),
        created_at=datetime.now(UTC).isoformat(),
        rounds=list(rounds),
        environment=dict(environment or {}),
        warnings=list(warnings),
    )


def _cpu_percent(watched: Sequence[Resources], duration_s: float) -> float | None:
    if not watched or duration_s <= 0:
        return None
    return 100.0 * sum(each.cpu_s for each in watched) / duration_s


def _iso(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat()
