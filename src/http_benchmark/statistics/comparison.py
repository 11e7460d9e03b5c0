"""Do two subjects differ? One value per round each; round i of both was measured side by side.

Machines drift: round 7 may be 10 % slower than round 2 for everybody. So what is tested is the ratio within
each round, in which drift cancels: by Wilcoxon's signed ranks, with bootstrapped limits, from `FEW` rounds
on; below, where ranks can prove nothing, by Student's t of the logarithms of the ratios. Results that were
not measured in turns are compared as two heaps: by Mann and Whitney's test, or Welch's t. Both rules find a
false difference in at most one comparison of 20. Mann-Whitney is always told beside it.

What is not found is not proven absent: `detectable` says what would have been found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import exp, inf, isfinite, log, log1p, sqrt
from statistics import fmean, median, stdev, variance
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.errors import UsageError
from http_benchmark.statistics import wording
from http_benchmark.statistics.estimates import (
    RESAMPLES,
    cliffs_delta,
    interval_of_pairs,
    interval_of_two,
    middle_of_pairs,
    middle_of_two,
)
from http_benchmark.statistics.metrics import Metric, find_metric
from http_benchmark.statistics.power import detectable, rounds_for
from http_benchmark.statistics.ranks import mann_whitney, signed_rank
from http_benchmark.statistics.student import t_quantile, t_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Round

ALPHA: Final = 0.05
FEW: Final = 8
"""Below so many rounds ranks have too few steps: 5 pairs cannot reach 0.05 at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a comparison of b to a came to."""

    metric: str
    higher_is_better: bool
    a: str
    b: str
    """What the subjects are called."""
    rounds: int
    """Of each; of the one with fewer."""
    is_paired: bool
    """Whether round i of both was measured side by side."""
    ratio: float
    """b / a, in the middle of the rounds; 0.0 where a round has no value."""
    low: float
    high: float
    """Between which the ratio lies with 95 %; both are the ratio where one round says nothing of it."""
    p_value: float
    """How often chance alone looks like this, corrected for the number of comparisons (Holm)."""
    mann_whitney_p: float
    """The same by Mann and Whitney's test, which knows nothing of rounds and of other comparisons."""
    effect: float
    """Cliff's delta: 1.0 where every round of b is above every round of a, 0.0 where neither is."""
    detectable: float
    """The least difference that would have been found four times out of five, as a fraction; infinite of one
    round.
    """
    is_significant: bool
    sentence: str
    """All of this in plain English."""

    @property
    def shift_percent(self) -> float:
        """How much b is above a, in %."""
        return 100 * (self.ratio - 1)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it: what is infinite is None."""
        return {
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class _Finding:
    """Of logarithms."""

    middle: float
    low: float
    high: float
    p_value: float
    spread: float
    """Standard deviation of a round's ratio."""


def compare_samples(
    a: Sequence[float],
    b: Sequence[float],
    *,
    metric: str,
    higher_is_better: bool,
    names: tuple[str, str] = ("a", "b"),
    paired: bool = True,
    resolution: float = 0.0,
    resamples: int = RESAMPLES,
) -> Verdict:
    """Return whether b differs from a. Samples of different length are never paired.

    A smaller difference than `resolution`, a fraction, is that of the measure and no difference.
    """
    if not (a and b):
        raise UsageError("nothing can be compared: there is a subject without rounds")
    rounds = min(len(a), len(b))
    paired = paired and len(a) == len(b)
    finding = None
    if all(isfinite(value) and value > 0 for value in (*a, *b)):
        logs_a, logs_b = [log(value) for value in a], [log(value) for value in b]
        finding = (
            _of_pairs([y - x for x, y in zip(logs_a, logs_b, strict=True)], resamples)
            if paired
            else _of_two(logs_a, logs_b, resamples)
        )
    known = finding or _Finding(-inf, -inf, -inf, 1.0, inf)
    verdict = Verdict(
        metric=metric,
        higher_is_better=higher_is_better,
        a=names[0],
        b=names[1],
        rounds=rounds,
        is_paired=paired,
        ratio=exp(known.middle),
        low=exp(known.low),
        high=exp(known.high),
        p_value=known.p_value,
        mann_whitney_p=mann_whitney(a, b),
        effect=cliffs_delta(a, b),
        detectable=max(detectable(known.spread, rounds), resolution) if finding else inf,
        is_significant=known.p_value < ALPHA and abs(known.middle) > log1p(resolution),
        sentence="",
    )
    if finding is None:
        empty = [name for name, values in zip(names, (a, b), strict=True) if not min(values) > 0]
        return replace(verdict, sentence=wording.incomparable(verdict, empty))
    return replace(verdict, sentence=wording.verdict(verdict, _needed(known.spread)))


def compare_results(results: Sequence[BenchmarkResult], metric: str = "requests_per_second") -> list[Verdict]:
    """Compare each with the best, in their order; the best itself has no verdict. With many comparisons some
    look different by chance: Holm's correction takes that back.
    """
    if len(results) < 2:
        return []
    measure = find_metric(metric)
    labels = labels_of(results)
    kept = [_whole_rounds(result) for result in results]
    middles = [median([measure.of(each) for each in rounds]) for rounds in kept]
    ranked = [(value if measure.higher_is_better else -value) if value > 0 else -inf for value in middles]
    best = ranked.index(max(ranked))
    verdicts = []
    for at, rounds in enumerate(kept):
        if at != best:
            verdicts.append(compare_rounds(kept[best], rounds, measure, (labels[best], labels[at])))
    return _holm(verdicts)


def labels_of(results: Sequence[BenchmarkResult]) -> list[str]:
    """Return what to call each: its library, with its mode where that is needed, or its name."""
    for label in (
        lambda each: each.client_library if each.client_type != "load" else each.name,
        lambda each: f"{each.client_library} ({each.client_type})",
    ):
        found = [label(each) for each in results]
        if len(set(found)) == len(found):
            return found
    return [each.name for each in results]


def compare_rounds(a: list[Round], b: list[Round], measure: Metric, names: tuple[str, str]) -> Verdict:
    """Return whether the rounds of b differ from those of a; paired where they took turns."""
    paired = _took_turns(a, b)
    if paired:
        both = {each.number for each in a} & {each.number for each in b}
        a, b = ([each for each in rounds if each.number in both] for rounds in (a, b))
    return compare_samples(
        [measure.of(each) for each in a],
        [measure.of(each) for each in b],
        metric=measure.name,
        higher_is_better=measure.higher_is_better,
        names=names,
        paired=paired,
        resolution=measure.resolution,
    )


def _whole_rounds(result: BenchmarkResult) -> list[Round]:
    """A round that was stopped half-way counts only where there is no other."""
    whole = [each for each in result.rounds if not each.was_interrupted]
    found = whole or list(result.rounds)
    if not found:
        raise UsageError(f"{result.name} has no rounds and cannot be compared")
    return found


def _took_turns(a: list[Round], b: list[Round]) -> bool:
    """Whether one began before the other had ended: then their rounds stand side by side."""
    if not {each.number for each in a} & {each.number for each in b}:
        return False
    (began_a, ended_a), (began_b, ended_b) = (
        (min(each.started_at for each in rounds), max(each.started_at + each.duration_s for each in rounds))
        for rounds in (a, b)
    )
    return began_a < ended_b and began_b < ended_a


def _holm(verdicts: list[Verdict]) -> list[Verdict]:
    """Correct p values: the least counts as many times as there are comparisons, the next once less, ..."""
    order = sorted(range(len(verdicts)), key=lambda at: verdicts[at].p_value)
    found = list(verdicts)
    worst = 0.0
    for rank, at in enumerate(order):
        verdict = verdicts[at]
        worst = max(worst, min(1.0, verdict.p_value * (len(verdicts) - rank)))
        changed = replace(verdict, p_value=worst)
        if verdict.is_significant and worst >= ALPHA:
            changed = replace(changed, is_significant=False)
            changed = replace(changed, sentence=wording.one_of_many(changed, len(verdicts)))
        found[at] = changed
    return found


def _of_pairs(ratios: list[float], resamples: int) -> _Finding:
    count = len(ratios)
    if count == 1:
        return _Finding(ratios[0], ratios[0], ratios[0], 1.0, inf)
    spread = stdev(ratios)
    if count >= FEW:
        low, high = interval_of_pairs(ratios, ALPHA / 2, resamples)
        return _Finding(middle_of_pairs(ratios), low, high, signed_rank(ratios), spread)
    return _by_student(fmean(ratios), spread / sqrt(count), count - 1, spread)


def _of_two(a: list[float], b: list[float], resamples: int) -> _Finding:
    shift = middle_of_two(a, b)
    if min(len(a), len(b)) == 1:
        return _Finding(shift, shift, shift, 1.0, inf)
    parts = variance(a) / len(a), variance(b) / len(b)
    spread = sqrt(variance(a) + variance(b))
    if min(len(a), len(b)) >= FEW:
        low, high = interval_of_two(a, b, ALPHA / 2, resamples)
        return _Finding(shift, low, high, mann_whitney(a, b), spread)
    doubt = sum(parts)
    freedom = doubt**2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)) if doubt else 1.0
    return _by_student(fmean(b) - fmean(a), sqrt(doubt), freedom, spread)


def _by_student(middle: float, error: float, freedom: float, spread: float) -> _Finding:
    if not error:
        return _Finding(middle, middle, middle, 0.0 if middle else 1.0, spread)
    reach = t_quantile(ALPHA / 2, freedom) * error
    p_value = 2 * t_tail(abs(middle) / error, freedom)
    return _Finding(middle, middle - reach, middle + reach, p_value, spread)


def _needed(spread: float) -> int:
    """How many rounds would show the difference that was asked for in vain."""
    if not isfinite(spread):
        return FEW
    return max(FEW, rounds_for(wording.WORTH_SEEING, spread))
