"""What happened between looks at cumulative histograms: the last second, the last minute, by route.

The processes that serve count upwards for ever; whoever watches wants to know about now. A look takes every
series as it stands, and what it has grown by since the look before is kept for a minute. Sums over the minute
grow by the newest look and shrink by the oldest, so a look costs what has changed and not what there is.
A series that has shrunk, of a worker whose counts were lost, counts as new.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.observe.live.buckets import EMPTY, HEAT_ROWS, heat_row, percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Buckets = dict[int, int]  # index of a bucket: count, never 0
    RouteName = tuple[str, str]  # method, template

WINDOW_S: Final = 60
SHORT_S: Final = 5
CLASSES: Final = 5
"""Of status codes: 1xx to 5xx."""


class Series(NamedTuple):
    """One cumulative histogram of durations."""

    method: str
    route: str
    status: int
    buckets: Sequence[int]


class Tally:
    """Requests of some time: how many, with which status, how long they took."""

    __slots__ = ("buckets", "classes", "count")

    def __init__(self) -> None:
        self.count = 0
        self.classes = [0] * CLASSES
        self.buckets: Buckets = {}

    def add(self, status_class: int, grown: Iterable[tuple[int, int]]) -> None:
        buckets = self.buckets
        added = 0
        for index, count in grown:
            buckets[index] = buckets.get(index, 0) + count
            added += count
        self.classes[status_class] += added
        self.count += added

    def take(self, other: Tally, sign: int = 1) -> None:
        """Add all of `other`, or with -1 take it away again."""
        self.count += sign * other.count
        for at, count in enumerate(other.classes):
            self.classes[at] += sign * count
        buckets = self.buckets
        for index, count in other.buckets.items():
            left = buckets.get(index, 0) + sign * count
            if left:
                buckets[index] = left
            else:
                del buckets[index]

    def latency(self) -> dict[str, float | None]:
        """p50, p90, p99 and the longest, in ms; None for each when there was no request."""
        return percentiles(self.buckets) if self.count else EMPTY

    def heat(self) -> list[int]:
        """Rows of the heat map that have any, and how many: row, count, row, count."""
        rows = [0] * HEAT_ROWS
        for index, count in self.buckets.items():
            rows[heat_row(index)] += count
        return [number for row, count in enumerate(rows) if count for number in (row, count)]


class Look(NamedTuple):
    """What there was between two looks."""

    at: float
    seconds: float
    total: Tally
    routes: dict[RouteName, Tally]


class Windows:
    """The looks of the last minute, and their sums."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str, int], Sequence[int]] | None = None
        self._looks: deque[Look] = deque()
        self._at = 0.0
        self.total = Tally()
        self.routes: dict[RouteName, Tally] = {}

    def take(self, series: Iterable[Series], now: float) -> Look:
        """Look at the series as they stand; the first look finds nothing, for it may all be old."""
        before, self._before = self._before, {}
        look = Look(now, max(now - self._at, 1e-3) if before is not None else 1.0, Tally(), {})
        for method, route, status, buckets in series:
            key = (method, route, status)
            self._before[key] = buckets
            if before is None:
                continue
            old = before.get(key)
            if old == buckets:
                continue
            tally = look.routes.get((method, route))
            if tally is None:
                tally = look.routes[method, route] = Tally()
            tally.add(min(max(status // 100, 1), CLASSES) - 1, _grown(old, buckets))
        for tally in look.routes.values():
            look.total.take(tally)
        self._at = now
        self._keep(look)
        return look

    def _keep(self, look: Look) -> None:
        self._looks.append(look)
        self.total.take(look.total)
        for name, tally in look.routes.items():
            self.routes.setdefault(name, Tally()).take(tally)
        while self._looks[0].at <= look.at - WINDOW_S:
            self._forget(self._looks.popleft())

    def _forget(self, look: Look) -> None:
        self.total.take(look.total, -1)
        for name, tally in look.routes.items():
            kept = self.routes[name]
            kept.take(tally, -1)
            if not kept.count:
                del self.routes[name]

    @property
    def has_series(self) -> bool:
        """False: nobody has counted anything so far."""
        return bool(self._before)

    @property
    def seconds(self) -> float:
        """How long the looks that are kept span."""
        return sum(look.seconds for look in self._looks)

    def recent(self) -> Tally:
        """The last seconds together."""
        tally = Tally()
        for look in reversed(self._looks):
            if look.at <= self._at - SHORT_S:
                break
            tally.take(look.total)
        return tally


def _grown(old: Sequence[int] | None, new: Sequence[int]) -> list[tuple[int, int]]:
    """Buckets in which there is more than before, and by how much."""
    if old is not None:
        grown = [(at, now - was) for at, (was, now) in enumerate(zip(old, new, strict=False)) if now != was]
        if all(count > 0 for _, count in grown):
            grown += [(at, count) for at, count in enumerate(new[len(old) :], len(old)) if count]
            return grown
    return [(at, count) for at, count in enumerate(new) if count]
