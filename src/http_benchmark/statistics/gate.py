"""May this change go in? A regression shuts the gate where it is beyond the limit and more than noise.

What was measured in turns is compared round by round, else as two heaps. With k checks in one call, each is
held to 5 % / k (Bonferroni), so that a gate shuts by chance in at most one call of 20. That is the chance of
rounds: between two days machines differ by more, which only measuring both in one job takes away. That
something failed more often is looked at whatever the metric: requests that fail are fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import erfc, isfinite, sqrt
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import UsageError
from http_benchmark.statistics.comparison import ALPHA, compare_rounds
from http_benchmark.statistics.trend import show_change

if TYPE_CHECKING:
    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Round
    from http_benchmark.statistics.metrics import Metric

ERROR_RATE: Final = "error_rate"


class Outcome(Enum):
    """What a check came to."""

    OPEN = "pass"
    REGRESSION = "REGRESSION"
    NOT_RULED_OUT = "NOT RULED OUT"
    """Noise is wide enough to hide a regression beyond the limit, and the caller asked for certainty."""


@dataclass(frozen=True, slots=True)
class Check:
    """One metric of one subject."""

    metric: str
    outcome: Outcome
    baseline: float
    """The median of its rounds; of errors the share of all, in %."""
    current: float
    worse: float
    """By which fraction current is worse than baseline, below 0 better; of errors in percentage points."""
    low: float
    high: float
    """Between which that lies with 95 %."""
    p_value: float
    note: str = ""

    @property
    def is_shut(self) -> bool:
        return self.outcome is not Outcome.OPEN


def check(
    baseline: BenchmarkResult,
    current: BenchmarkResult,
    metric: Metric,
    limit: float,
    *,
    is_strict: bool = False,
    checks: int = 1,
) -> Check:
    """Return whether `current` is worse in a metric by more than `limit` (0.05: 5 %).

    UsageError where nobody can tell: fewer than two rounds, or a baseline in which nothing succeeded.
    """
    before, after = _rounds(baseline, "the baseline"), _rounds(current, "the current result")
    old, new = [metric.of(each) for each in before], [metric.of(each) for each in after]
    if not all(isfinite(value) and value > 0 for value in old):
        raise UsageError(f"the baseline has no {metric.phrase} in some rounds: choose another")
    if any(not each.requests for each in after):
        dead = sum(not each.requests for each in after)
        note = f"nothing succeeded in {dead} of {len(after)} rounds"
        return Check(metric.name, Outcome.REGRESSION, _middle(old), 0.0, 1.0, 1.0, 1.0, 0.0, note)
    if not all(isfinite(value) and value > 0 for value in new):
        raise UsageError(f"the current result has no {metric.phrase} in some rounds")
    verdict = compare_rounds(before, after, metric, ("the baseline", "the current result"))
    worse, low, high = (value - 1 for value in (verdict.ratio, verdict.low, verdict.high))
    if metric.higher_is_better:
        worse, low, high = -worse, -high, -low
    outcome, note = Outcome.OPEN, ""
    if worse > limit and verdict.is_significant and verdict.p_value < ALPHA / checks:
        outcome = Outcome.REGRESSION
    elif high > limit:
        outcome = Outcome.NOT_RULED_OUT if is_strict else Outcome.OPEN
        note = f"noise could hide a regression of up to {show_change(high)}: measure more rounds"
    return Check(metric.name, outcome, _middle(old), _middle(new), worse, low, high, verdict.p_value, note)


def check_errors(
    baseline: BenchmarkResult, current: BenchmarkResult, limit: float, *, checks: int = 1
) -> Check:
    """Return whether the share of failed requests rose by more than `limit`, in points: 0.05 is from 1 % to
    6 %. Requests are taken for independent of each other (two proportions, normal approximation).
    """
    old_all, new_all = (each.requests_count + each.error_count for each in (baseline, current))
    old = baseline.error_count / old_all if old_all else 0.0
    new = current.error_count / new_all if new_all else 0.0
    rise = new - old
    pooled = (baseline.error_count + current.error_count) / max(1, old_all + new_all)
    scale = 1 / max(1, old_all) + 1 / max(1, new_all)
    doubt = sqrt(pooled * (1 - pooled) * scale)
    p_value = erfc(abs(rise) / doubt / sqrt(2)) if doubt else float(rise == 0)
    reach = 1.96 * sqrt(old * (1 - old) / max(1, old_all) + new * (1 - new) / max(1, new_all))
    shut = rise > limit and p_value < ALPHA / checks
    outcome = Outcome.REGRESSION if shut else Outcome.OPEN
    return Check(ERROR_RATE, outcome, 100 * old, 100 * new, rise, rise - reach, rise + reach, p_value)


def _rounds(result: BenchmarkResult, which: str) -> list[Round]:
    """Those that were not stopped half-way, at least two."""
    found = [each for each in result.rounds if not each.was_interrupted]
    if len(found) < 2:
        have = "no rounds" if not found else "one round"
        raise UsageError(f"{which} ({result.id[:8]}) has {have}, which says nothing of noise: use --rounds 5")
    return found


def _middle(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
