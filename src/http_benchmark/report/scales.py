"""From values to places on an axis, and where its ticks stand."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_benchmark.report.charts.chart import Axis

_TICKS = 6
_DECADES = 5
"""More of them, and only powers of ten are marked."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values of an axis, from one place to another."""

    axis: Axis
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value."""
        low, high = self.low, self.high
        if self.axis.scale == "log":
            low, high, value = log10(low), log10(high), log10(max(value, low))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return value and text of each."""
        if self.axis.ticks:
            return [tick for tick in self.axis.ticks if self.low <= tick[0] <= self.high]
        found = _log_ticks(self.low, self.high) if self.axis.scale == "log" else []
        if len(found) < 2:  # linear, or so narrow that it is as good as that
            found = self._linear_ticks()
        return [(value, f"{value:,.12g}") for value in found]

    def _linear_ticks(self) -> list[float]:
        step = _step(self.high - self.low)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]


def make_scale(axis: Axis, values: Iterable[float], start: float, end: float) -> Scale:
    """Return the scale that has room for all values."""
    if axis.scale == "log":
        known = [value for value in values if value > 0] or [1.0]
        room = 1.0 if axis.ticks else 1.08
        low, high = min(known) / room, max(known) * room
        return Scale(axis, low, high if high > low * 1.2 else low * 2, start, end)
    if axis.scale == "names":
        return Scale(axis, -0.5, len(axis.ticks) - 0.5, start, end)
    known = list(values) or [0.0]
    low, high = min(known), max(known)
    if axis.from_zero:
        low = min(low, 0.0)
    if high <= low:
        high = low + 1.0
    room = 0.05 * (high - low)
    return Scale(axis, low if axis.from_zero else low - room, high + room, start, end)


def _step(span: float) -> float:
    """Return 1, 2 or 5 times a power of ten, for some ticks over a span."""
    rough = span / _TICKS
    size: float = 10.0 ** floor(log10(rough))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = floor(log10(low)), ceil(log10(high))
    factors = (1, 2, 5) if last - first <= _DECADES else (1,)
    ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return [round(tick, 12) for tick in ticks if low * 0.999 <= tick <= high * 1.001]
