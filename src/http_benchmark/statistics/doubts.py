"""What makes a result doubtful, seen in the result itself: each says what was seen and what to do."""

from __future__ import annotations

from math import sqrt
from statistics import median, stdev
from typing import TYPE_CHECKING, Final

from http_benchmark.statistics.wording import percent

if TYPE_CHECKING:
    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Resources, Round

ROUNDS: Final = 5
SPREAD: Final = 0.05
SATURATED: Final = 0.9
"""Of one core."""
LATE_SHARE: Final = 0.01
FEW_REQUESTS: Final = 1_000


def doubts(result: BenchmarkResult) -> list[str]:
    """Return them, the gravest first; none of a result without rounds."""
    rounds = result.rounds
    if not rounds:
        return []
    found = [
        _errors(result),
        _unanswered(rounds),
        _late(rounds),
        _generator(result),
        _target(rounds),
        _interrupted(rounds),
        _few_rounds(rounds),
        _spread(rounds),
        _cold_start(rounds),
        _few_requests(rounds),
    ]
    return [each for each in found if each]


def _errors(result: BenchmarkResult) -> str:
    if not (count := sum(result.errors.values())):
        return ""
    kinds = ", ".join(
        f"{kind}: {number}" for kind, number in sorted(result.errors.items(), key=lambda each: -each[1])[:3]
    )
    share = count / (count + sum(each.requests for each in result.rounds))
    return (
        f"{count} requests failed, {percent(share)} ({kinds}): rates and times are of the others alone; see "
        "that the target answers all before you compare"
    )


def _unanswered(rounds: list[Round]) -> str:
    if not (count := sum(each.in_flight_at_end for each in rounds if not each.was_interrupted)):
        return ""  # of a round that was stopped it is the stop
    return (
        f"{count} requests were not answered within the seconds a round waits at its end, and are in no "
        "figure: lower the load, or see why they hang"
    )


def _late(rounds: list[Round]) -> str:
    late, dropped = sum(each.late for each in rounds), sum(each.dropped for each in rounds)
    due = sum(each.requests + each.error_count + each.in_flight_at_end for each in rounds) + dropped
    if not due or (late + dropped) / due <= LATE_SHARE:
        return ""
    return (
        f"{late} sends were late and {dropped} never made, of {due}: the rate is more than this client or "
        "this target can do; lower --rate, or raise --concurrency"
    )


def _generator(result: BenchmarkResult) -> str:
    if result.client_type == "load":
        return ""  # load/limits.py knows more of it
    share = _busiest(result.rounds, [each.generator for each in result.rounds])
    if share < SATURATED:
        return ""
    return (
        f"the client used {percent(share)} of a core: the rate is its own ceiling, and times "
        "include waiting for its turn; for times alone lower --concurrency, or set a --rate"
    )


def _target(rounds: list[Round]) -> str:
    share = _busiest(rounds, [each.server for each in rounds])
    if share < SATURATED:
        return ""
    return (
        f"the target used {percent(share)} of a core: it may be the limit, and not what sends the requests; "
        "lower --concurrency, or measure against a faster --url"
    )


def _interrupted(rounds: list[Round]) -> str:
    if not any(each.was_interrupted for each in rounds):
        return ""
    return "the measurement was stopped before its end: what is here is of the time until then"


def _few_rounds(rounds: list[Round]) -> str:
    if len(rounds) >= ROUNDS:
        return ""
    rounds_told = "one round" if len(rounds) == 1 else f"{len(rounds)} rounds"
    return f"{rounds_told} cannot tell chance from difference: --rounds {ROUNDS} or more, of shorter time"


def _spread(rounds: list[Round]) -> str:
    rates = [each.rate_per_s for each in rounds if not each.was_interrupted]
    if len(rates) < 3 or not median(rates):
        return ""
    share = stdev(rates) / median(rates)
    if share <= SPREAD:
        return ""
    return (
        f"the rate went from {min(rates):.0f} to {max(rates):.0f} a second between rounds (deviation "
        f"{percent(share)}): see what else runs on the machine, measure longer rounds, or more of them"
    )


def _cold_start(rounds: list[Round]) -> str:
    first, *rest = (each.rate_per_s for each in rounds if not each.was_interrupted or each is rounds[0])
    if len(rest) < 3:
        return ""
    noise = stdev(rest) * sqrt(1 + 1 / len(rest))
    if first >= min(rest) or median(rest) - first < max(3 * noise, SPREAD * median(rest)):
        return ""
    return (
        f"the first round was {percent(1 - first / median(rest))} slower than the others: the warm-up was "
        "too short; raise --warmup"
    )


def _few_requests(rounds: list[Round]) -> str:
    count = sum(each.requests for each in rounds)
    if not count or count >= FEW_REQUESTS:
        return ""
    return (
        f"{count} requests are too few for high percentiles: p99 is one of the {max(1, count // 100)} "
        "slowest; measure longer"
    )


def _busiest(rounds: list[Round], watched: list[Resources | None]) -> float:
    """Return the greatest share of a core that was used over a round."""
    return max(
        (
            resources.cpu_s / each.duration_s
            for each, resources in zip(rounds, watched, strict=True)
            if resources is not None and each.duration_s > 0
        ),
        default=0.0,
    )
