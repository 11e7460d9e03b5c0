"""All that the processes of a server have counted, added up: a `Snapshot`, made by whichever is asked.

The areas of the processes that live and the past are read between two folds, so that a process that ends
in the midst of it counts once. Histograms are added as big numbers.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.observe.metrics.histogram import Distribution, none, split
from penstock.observe.metrics.ledger import ledger
from penstock.observe.metrics.memory import BEGUN, BLOCK_WORDS, COUNTER, FAMILY, GAUGE, HISTOGRAM, HTTP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.observe.metrics.ledger import Ledger
    from penstock.observe.metrics.memory import Area

    Value = int | float | Distribution

# A look takes milliseconds, and so does a fold, of which there is one for each process that ends.
_TRIES: Final = 20
_LOOK_S: Final = 0.0002
BLOCK_BYTES: Final = 8 * BLOCK_WORDS
_COUNTER: Final = struct.Struct("<Qd")
_GAUGE: Final = struct.Struct("<d")


class Served(NamedTuple):
    """The requests of one route, method and status."""

    route: str
    """The template; "" where there is none."""
    method: str
    status: int
    """0: one that none is."""
    durations: Distribution
    octets_in: int
    octets_out: int


class Process(NamedTuple):
    """One that counts and lives."""

    place: int
    """Of a worker, from 1 on; 0 is the supervisor's."""
    pid: int
    started: float
    """On the monotonic clock."""
    begun: int
    """Requests, so far."""


@dataclass
class Family:
    """One name with all its series."""

    name: str
    kind: str
    help: str = ""
    unit: str = ""
    labels: Sequence[str] = ()
    across: str = "sum"
    series: dict[tuple[str, ...], Value] = field(default_factory=dict)
    """By label values."""


@dataclass
class Snapshot:
    """All figures as of now."""

    families: dict[str, Family]
    """By name, those of the application and of the server."""
    served: list[Served]
    processes: list[Process]
    begun: int
    """Requests, so far."""
    lost: int
    """Requests that were in flight when their process was killed."""

    def value(self, name: str, *labels: str) -> Any:
        """Return the value of one series; 0 when there is none."""
        family = self.families.get(name)
        return 0 if family is None else family.series.get(labels, 0)


_before: list[Callable[[], None]] = []


def before_looks(refresh: Callable[[], None]) -> Callable[[], None]:
    """Have this called in a process that is asked, so that its gauges are of now; return what ends that."""
    _before.append(refresh)
    return lambda: _before.remove(refresh)


_lock = threading.Lock()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def gather(own: Ledger = ledger) -> Snapshot:
    """Return what all processes of this server have counted; without a server, what this one has."""
    for refresh in tuple(_before):  # others may come and go meanwhile
        refresh()
    with _lock:  # an area's entries are read by one thread at a time
        areas = own.areas
        if areas is None:
            return _add_up(None, [(0, own.area)])
        for attempt in range(_TRIES):
            number = areas.sequence()
            found = _add_up(areas.past, areas.taken())
            if areas.sequence() == number:
                return found
            time.sleep(_LOOK_S * attempt)
        return _add_up(areas.past, areas.taken())  # processes end all the time: one of them may be missed


def count_begun(own: Ledger = ledger) -> tuple[int, dict[int, int]]:
    """Return how many requests all processes of this server have begun, those included that are no more, and
    how many each has, by its pid.
    """
    areas = own.areas
    if areas is None:
        return 0, {}
    while True:
        number = areas.sequence()
        past = areas.past.head[BEGUN]
        begun = {area.pid: area.head[BEGUN] for _, area in areas.taken()}
        if areas.sequence() == number:
            return past + sum(begun.values()), begun


def _add_up(past: Area | None, areas: Sequence[tuple[int, Area]]) -> Snapshot:
    adding = _Adding()
    begun = lost = 0
    if past is not None:
        adding.add(past)
        begun = past.head[BEGUN]
        lost = max(0, begun - adding.count_served())
    processes = []
    for place, area in sorted(areas, key=lambda each: each[1].started):
        adding.add(area)
        processes.append(Process(place, area.pid, area.started, area.head[BEGUN]))
        begun += processes[-1].begun
    processes.sort()
    return Snapshot(adding.finish(), adding.list_served(), processes, begun, lost)


class _Adding:
    """Adds up series by their keys. A reload may give a name another meaning: that of the area which is added
    last holds, and what was counted under another is not told.
    """

    def __init__(self) -> None:
        self._families: dict[bytes, None] = {}
        self._served: dict[bytes, int] = {}
        self._histograms: dict[bytes, int] = {}
        self._counters: dict[bytes, tuple[int, float]] = {}
        self._gauges: dict[bytes, list[float]] = {}

    def add(self, area: Area) -> None:
        """Add an area."""
        from_bytes, read = int.from_bytes, area.read
        for entry in area.entries():
            kind, key = entry.kind, entry.key
            if kind in {HTTP, HISTOGRAM}:
                # Read at once: octet by octet, a word could change between two of its octets.
                blocks = self._served if kind == HTTP else self._histograms
                blocks[key] = blocks.get(key, 0) + from_bytes(read(entry), "little")
            elif kind == COUNTER:
                whole, part = _COUNTER.unpack(read(entry))
                before = self._counters.get(key, (0, 0.0))
                self._counters[key] = (before[0] + whole, before[1] + part)
            elif kind == GAUGE:
                self._gauges.setdefault(key, []).append(_GAUGE.unpack_from(read(entry))[0])
            elif kind == FAMILY:
                self._families.pop(key, None)
                self._families[key] = None

    def count_served(self) -> int:
        """How many requests were recorded."""
        total = sum(self._served.values())
        return split(total.to_bytes(BLOCK_BYTES, "little"))[0].count

    def list_served(self) -> list[Served]:
        listed = []
        for key, total in self._served.items():
            durations, (octets_in, octets_out, *_) = split(total.to_bytes(BLOCK_BYTES, "little"))
            _, route, method, status = json.loads(key)
            number = int(status) if status.isdecimal() else 0
            listed.append(Served(route, method, number, durations, octets_in, octets_out))
        return listed

    def finish(self) -> dict[str, Family]:
        """Return the families with their series; those without labels have one from the beginning."""
        families: dict[str, Family] = {}
        for text in self._families:
            family = Family(**json.loads(text))
            families[family.name] = family
        for key, (whole, part) in self._counters.items():
            if found := _find(families, "counter", key):
                found[0].series[found[1]] = whole + part if part else whole
        for key, told in self._gauges.items():
            if found := _find(families, "gauge", key):
                found[0].series[found[1]] = _ACROSS[found[0].across](told)
        for key, total in self._histograms.items():
            if found := _find(families, "histogram", key):
                found[0].series[found[1]] = split(total.to_bytes(BLOCK_BYTES, "little"))[0]
        for family in families.values():
            if not family.labels and not family.series and family.across == "sum":
                family.series[()] = none() if family.kind == "histogram" else 0
        return families


def _find(families: dict[str, Family], kind: str, key: bytes) -> tuple[Family, tuple[str, ...]] | None:
    """Return whose series that is, and its label values; None when its name now means something else."""
    name, *values = json.loads(key)
    family = families.get(name)
    if family is None or family.kind != kind or len(family.labels) != len(values):
        return None
    return family, tuple(values)


_ACROSS: Final[dict[str, Callable[[list[float]], float]]] = {"sum": sum, "max": max, "min": min}
