"""Verdicts as sentences: who, in what, by how much, how sure; and what to do where nothing can be said."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

from http_benchmark.statistics.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.statistics.comparison import Verdict

ENOUGH: Final = 5
"""With fewer rounds, to have found nothing says nothing."""
WORTH_SEEING: Final = 0.05


def verdict(found: Verdict, rounds_needed: int) -> str:
    """Return what a comparison came to. `rounds_needed` would show `WORTH_SEEING`."""
    if found.is_significant:
        return _difference(found)
    if found.rounds < ENOUGH:
        rounds = "one round" if found.rounds == 1 else f"{found.rounds} rounds"
        return (
            f"too few rounds to tell {found.b} from {found.a} in {_phrase(found)} "
            f"({_number(found.ratio)}x after {rounds}); {rounds_needed} would do"
        )
    more = ""
    if found.detectable > WORTH_SEEING and rounds_needed > found.rounds:
        more = f"; {rounds_needed} rounds would show {percent(WORTH_SEEING)}"
    seen = f"; {percent(found.detectable)} or more would have been seen" if isfinite(found.detectable) else ""
    return f"no significant difference between {_both(found)}{seen}{more}"


def one_of_many(found: Verdict, comparisons: int) -> str:
    """Return what to say of a difference that is too likely by chance among so many comparisons."""
    return f"no significant difference, counting {comparisons} comparisons, between {_both(found)}"


def incomparable(found: Verdict, empty: Sequence[str]) -> str:
    """Return what to say where there are rounds without a value."""
    return (
        f"{found.b} cannot be compared with {found.a} in {_phrase(found)}: "
        f"{' and '.join(empty)} had rounds in which nothing succeeded"
    )


def percent(fraction: float) -> str:
    """Return it with two figures.

    >>> [percent(0.04237), percent(0.12), percent(3.5)]
    ['4.2 %', '12 %', '350 %']
    """
    return f"{100 * fraction:.2g} %" if fraction < 0.995 else f"{100 * fraction:.0f} %"


def _difference(found: Verdict) -> str:
    is_worse = (found.ratio < 1) == found.higher_is_better
    low, high, factor = found.low, found.high, found.ratio
    if factor < 1:
        low, high, factor = 1 / high, 1 / low, 1 / factor
    return (
        f"{found.b} is {_number(factor)}x {'slower' if is_worse else 'faster'} than {found.a} "
        f"in {_phrase(found)} ({_number(low)} to {_number(high)})"
    )


def _both(found: Verdict) -> str:
    return (
        f"{found.a} and {found.b} in {_phrase(found)} "
        f"({_number(found.ratio)}x, {_number(found.low)} to {_number(found.high)})"
    )


def _phrase(found: Verdict) -> str:
    known = METRICS.get(found.metric)
    return known.phrase if known else found.metric.replace("_", " ")


def _number(ratio: float) -> str:
    """Two decimals; three near 1, where they matter."""
    if abs(ratio - 1) < 0.1:
        return f"{ratio:.3f}"
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"
