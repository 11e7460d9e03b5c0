"""Buckets of durations, as people read them: percentiles, and the rows of a heat map.

Buckets are those of `metrics.histogram`, told by their numbers, and only those that hold any. A row of the
heat map is half an octave. A percentile is the upper edge of its bucket, so it is at most 6.25 % too high and
never too low.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.observe.metrics.histogram import edge_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_BIT: Final = 6
_LAST_BIT: Final = 25
HEAT_ROWS: Final = 2 * (_LAST_BIT - _FIRST_BIT)
"""From below 64 us, the first row, to 33 s and beyond, the last."""
QUANTILES: Final = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
EMPTY: Final[dict[str, float | None]] = dict.fromkeys((*QUANTILES, "max_ms"))


def heat_row(index: int) -> int:
    """Return the row of a bucket, the quickest first."""
    lower = edge_of(index)
    bit = lower.bit_length() - 1
    if bit < _FIRST_BIT:
        return 0
    row = 2 * (bit - _FIRST_BIT) + (lower >> (bit - 1) & 1)
    return min(row, HEAT_ROWS - 1)


def heat_edges_ms() -> list[float]:
    """Return where each row ends, but for the last, which has no end."""
    edges = [(2 + half) << (bit - 1) for bit in range(_FIRST_BIT, _LAST_BIT) for half in (0, 1)]
    return [edge / 1000 for edge in edges[1:]]


def percentiles(buckets: Mapping[int, int]) -> dict[str, float | None]:
    """Return p50, p90, p99 and the longest of at least one duration, in ms, by nearest rank."""
    indexes = sorted(buckets)
    total = sum(buckets.values())
    found = dict(EMPTY)
    found["max_ms"] = _upper_edge_ms(indexes[-1])
    waiting = [(name, max(1, -int(-quantile * total // 1))) for name, quantile in QUANTILES.items()]
    counted = 0
    for index in indexes:
        counted += buckets[index]
        while waiting and waiting[0][1] <= counted:
            found[waiting.pop(0)[0]] = _upper_edge_ms(index)
        if not waiting:
            break
    return found


def _upper_edge_ms(index: int) -> float:
    return edge_of(index + 1) / 1000
