"""What came out of the rounds of each server, and how sure it is; all set against the first.

CPU time per request is that of all processes of a server, user and system, from the kernel, over the requests
that succeeded. Where the generator, not the server, was busy all the time, the rate is the generator's limit:
then CPU time per request is what can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from http_benchmark.measurement.result import merge_rounds, summarise
from http_benchmark.statistics.comparison import compare_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Resources, Round
    from http_benchmark.servers.load_process import Load
    from http_benchmark.servers.rounds import Measured
    from http_benchmark.statistics.comparison import Verdict

BUSY_PERCENT: Final = 95.0
"""Of a core; a generator that uses more has no time left for a faster server."""
IDLE_PERCENT: Final = 80.0
"""Where server and generator both use less of a core, something else decides the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, least and greatest of the rounds."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one server."""

    name: str
    rate_per_s: Spread
    cpu_us: Spread
    """Per request that succeeded."""
    user_us: float
    system_us: float
    rss_mb: float
    """The most of a round, median of the rounds."""
    p50_ms: float
    p99_ms: float
    requests: int
    errors: Mapping[str, int]
    server_percent: float
    """Of one core; medians of the rounds."""
    generator_percent: float
    rate_verdict: Verdict | None
    """Beside the first; None of the first."""
    cpu_verdict: Verdict | None

    @property
    def is_generator_limited(self) -> bool:
        """Whether the generator had no time left."""
        return self.generator_percent >= BUSY_PERCENT

    @property
    def is_idle(self) -> bool:
        """Whether neither server nor generator was busy, as where others take the processors."""
        return max(self.generator_percent, self.server_percent) < IDLE_PERCENT


def figures_of(found: Sequence[Measured]) -> list[Figures]:
    """Return the figures of those that were not left out; others are set against the first of them."""
    whole = [measured for measured in found if measured.rounds]
    return [_figures(measured, whole[0]) for measured in whole]


def _figures(measured: Measured, first: Measured) -> Figures:
    rounds = measured.rounds
    latency = merge_rounds(rounds, lambda each: each.latency)
    p50_ns, p99_ns = latency.percentiles((50.0, 99.0))
    errors: dict[str, int] = {}
    for each in rounds:
        for kind, count in each.errors.items():
            errors[kind] = errors.get(kind, 0) + count
    verdicts: list[Verdict | None] = [None, None]
    if measured is not first:
        names = (first.server.name, measured.server.name)
        verdicts = [
            compare_samples(
                rates_of(first.rounds),
                rates_of(rounds),
                metric="requests_per_second",
                higher_is_better=True,
                names=names,
            ),
            compare_samples(
                cpus_of(first.rounds),
                cpus_of(rounds),
                metric="CPU time per request",
                higher_is_better=False,
                names=names,
            ),
        ]
    cpu_us, share = _spread(cpus_of(rounds)), _user_share(rounds)
    return Figures(
        name=measured.server.name,
        rate_per_s=_spread(rates_of(rounds)),
        cpu_us=cpu_us,
        user_us=cpu_us.middle * share,
        system_us=cpu_us.middle * (1 - share),
        rss_mb=median(_used(each).rss_mb_max for each in rounds),
        p50_ms=p50_ns / 1e6,
        p99_ms=p99_ns / 1e6,
        requests=latency.total,
        errors=errors,
        server_percent=median(_percent(each.server, each) for each in rounds),
        generator_percent=median(_percent(each.generator, each) for each in rounds),
        rate_verdict=verdicts[0],
        cpu_verdict=verdicts[1],
    )


def rates_of(rounds: Sequence[Round]) -> list[float]:
    """Return the successes a second of each round."""
    return [each.rate_per_s for each in rounds]


def cpus_of(rounds: Sequence[Round]) -> list[float]:
    """Return the microseconds of CPU time per success of each round."""
    return [_used(each).cpu_s * 1e6 / each.requests for each in rounds]


def _used(done: Round) -> Resources:
    if done.server is None:
        raise ValueError("a round of a server nobody watched")
    return done.server


def _user_share(rounds: Sequence[Round]) -> float:
    """Return which part of the CPU time is the user's: the kernel tells it in ticks, whatever the sum."""
    user_s = sum(_used(each).user_s for each in rounds)
    both_s = user_s + sum(_used(each).system_s for each in rounds)
    return user_s / both_s if both_s > 0 else 0.0


def _percent(used: Resources | None, done: Round) -> float:
    return 100.0 * used.cpu_s / done.duration_s if used is not None and done.duration_s > 0 else 0.0


def _spread(values: Sequence[float]) -> Spread:
    return Spread(middle=median(values), low=min(values), high=max(values))


def warnings_of(found: Sequence[Figures]) -> list[str]:
    """Return what makes these figures doubtful, and what to do about it."""
    limited = [each.name for each in found if each.is_generator_limited]
    warnings = []
    if limited:
        warnings.append(
            f"the load generator was busy all the time with {', '.join(limited)}: their rates are its limit, "
            "not theirs; compare their CPU time per request, or use --generator wrk"
        )
    if idle := [each for each in found if each.is_idle]:
        names = ", ".join(f"{each.name} ({each.server_percent:.0f} %)" for each in idle)
        warnings.append(
            f"neither server nor generator was busy, in % of a core: {names}; something else took the "
            "processors, or the server waits: compare CPU time per request, or measure again with nothing "
            "else running"
        )
    for each in found:
        if each.errors:
            kinds = ", ".join(f"{count} x {kind}" for kind, count in each.errors.items())
            warnings.append(
                f"{each.name}: {kinds}, beside {each.requests} successes; figures are of successes"
            )
    return warnings


def results_of(
    found: Sequence[Measured],
    load: Load,
    generator: str,
    environment: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> list[BenchmarkResult]:
    """Return what is stored and exported: one result for each server."""
    return [
        summarise(
            measured.rounds,
            name=f"{measured.server.name} {measured.workload.name}",
            client_library=generator,
            client_type="load",
            http_method=measured.workload.method,
            url=f"http://127.0.0.1{measured.workload.path}",
            concurrency=load.connections,
            config_snapshot={
                "server": measured.server.name,
                "command": list(measured.server.command),
                "workload": measured.workload.name,
                "connections": load.connections,
                "duration_s": load.duration_s * len(measured.rounds),
                "rounds": len(measured.rounds),
                "warm_up_s": load.warm_up_s,
                "load_cpus": list(load.cpus),
            },
            environment=environment,
            warnings=[*warnings_of(figures_of([measured])), *warnings],
        )
        for measured in found
        if measured.rounds
    ]
