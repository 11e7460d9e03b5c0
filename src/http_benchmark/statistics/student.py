"""Student's t distribution, for means of few values. Degrees of freedom need not be whole (Welch)."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p


def t_tail(t: float, freedom: float) -> float:
    """Return the probability of t or more.

    >>> round(t_tail(2.262157, 9), 6)
    0.025
    """
    below = t < 0
    half = 0.5 * _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)
    return 1 - half if below else half


@lru_cache(maxsize=4096)  # the same few again and again, 0.5 ms each
def t_quantile(tail: float, freedom: float) -> float:
    """Return the t above which that much lies; of a tail below one half.

    >>> [round(t_quantile(0.025, freedom), 3) for freedom in (1, 4, 9, 100)]
    [12.706, 2.776, 2.262, 1.984]
    """
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > tail:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if t_tail(middle, freedom) > tail:
            low = middle
        else:
            high = middle
    return high


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction."""
    if x <= 0 or x >= 1:
        return float(x > 0)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    # The fraction converges fast on this side only; the function is symmetrical.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction, from its end: 100 terms are more than double precision shows."""
    value = 1.0
    for m in range(100, 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        value = 1 + even / (1 + odd / value)
    return 1 / (1 - (a + b) * x / ((a + 1) * value))
