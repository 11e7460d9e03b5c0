"""What would have been seen: the least difference that so many rounds, as spread as these, show four times
out of five; and how many rounds show a given one.
"""

from __future__ import annotations

from math import expm1, inf, log1p, sqrt
from typing import Final

from http_benchmark.statistics.student import t_quantile

POWER: Final = 0.8
MOST_ROUNDS: Final = 1_000


def detectable(spread: float, rounds: int, alpha: float = 0.05) -> float:
    """Return it as a fraction: 0.04 is a difference of 4 %; infinite of one round.

    `spread` is the standard deviation of the logarithm of the rounds' ratios.

    >>> round(detectable(0.03, 10), 3)
    0.03
    """
    if rounds < 2:
        return inf
    freedom = rounds - 1
    steps = t_quantile(alpha / 2, freedom) + t_quantile(1 - POWER, freedom)
    return expm1(min(steps * spread / sqrt(rounds), 700.0))


def rounds_for(difference: float, spread: float, alpha: float = 0.05) -> int:
    """Return how many rounds show a difference, given as a fraction; at most `MOST_ROUNDS`.

    >>> rounds_for(0.05, 0.035)
    7
    """
    aim = log1p(difference)
    few, many = 1, MOST_ROUNDS  # few do not do, many do, or are the limit
    while many - few > 1:
        rounds = (few + many) // 2
        if log1p(detectable(spread, rounds, alpha)) <= aim:
            many = rounds
        else:
            few = rounds
    return many
