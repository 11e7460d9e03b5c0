"""What this process counts in: one `Ledger`, the handle all instruments share.

Until a server gives it a place among its `Areas`, a process counts in an area of its own, and takes that
along when it gets one. A forked process begins with nothing: its parent goes on to count what was there.

There are two sides. One thread, that of the loop, has words of its own and needs no lock; all others share
words and one lock. A series used from both sides has two entries, which readers add up. Series beyond the
bound count in one whose labels are all "other".
"""

from __future__ import annotations

import json
import logging
import os
import time
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from penstock.observe.metrics.folding import add_area
from penstock.observe.metrics.memory import BLOCK_WORDS, FAMILY, SERIES_LIMIT, Area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.observe.metrics.memory import Areas, Doubles, Words

_log = logging.getLogger("penstock.metrics")

OTHER: Final = "other"
"""The value of every label of what is beyond a bound."""
_LABEL_CHARS: Final = 128


class Place(NamedTuple):
    """Where to count: the same octets, as whole numbers and as doubles."""

    words: Words
    doubles: Doubles


class Holder(Protocol):
    """What has kept places."""

    def forget(self) -> None:
        """They are no longer the right ones."""


def make_key(name: str, values: Sequence[str]) -> bytes:
    """Return the key of a series, as it stands in a directory."""
    return json.dumps([name, *values], separators=(",", ":")).encode()


def bound_label(value: object) -> str:
    """Return what a label may say at most."""
    text = str(value)[:_LABEL_CHARS]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Ledger:
    """Where a process counts, and who may write which words of it."""

    def __init__(self) -> None:
        self.lock = RLock()
        """Held to write by every thread but that of the loop. A collector's callback may come in between."""
        self.loop_thread = 0
        """Has words of its own; 0: no thread has."""
        self.areas: Areas | None = None
        """Of the server this process belongs to."""
        self.place = 0
        """Its number among them; 0: none of a worker."""
        self._area: Area | None = None
        self._families: dict[str, bytes] = {}
        self._holders: list[Holder] = []
        self._others: dict[tuple[bool, bytes], Place] = {}
        self._is_full = False

    @property
    def area(self) -> Area:
        """What this process counts in."""
        if self._area is None:
            with self.lock:
                if self._area is None:
                    area = Area()
                    area.begin(os.getpid(), time.monotonic())
                    self._take(area)
                    return area
        return self._area

    def attach(self, areas: Areas, place: int) -> None:
        """Count in the area of this place from now on; 0 is for the process that forks the others, which
        counts into the past.
        """
        with self.lock:
            self.areas = areas
            area = areas.get(place) if place else areas.past
            if area is None:
                _log.warning("there is no room for the metrics of one more process; they are not told")
                return
            before, self.place = self._area, place
            area.begin(os.getpid(), time.monotonic())
            self._take(area)
            if before is not None and before is not area:
                add_area(area, before, with_gauges=True)

    def _take(self, area: Area) -> None:
        self._area = area
        self._others.clear()
        self._is_full = False
        for key in self._families.values():
            area.append(FAMILY, key, 0)
        for holder in self._holders:
            holder.forget()

    def after_fork(self) -> None:
        """In a child: what the parent counts in is the parent's."""
        self.lock = RLock()
        self.loop_thread = self.place = 0
        self._area = None
        self._others.clear()
        for holder in self._holders:
            holder.forget()

    def hold(self, holder: Holder) -> None:
        """Tell it when places are no longer the right ones."""
        with self.lock:
            self._holders.append(holder)

    def define(self, name: str, family: bytes) -> None:
        """Say what a name means, as JSON."""
        with self.lock:
            self._families[name] = family
            if self._area is not None:
                self._area.append(FAMILY, family, 0)

    def claim_loop(self) -> bool:
        """Give this thread words of its own; False when another one has them."""
        with self.lock:
            if not self.loop_thread:
                self.loop_thread = get_ident()
            return self.loop_thread == get_ident()

    def is_of_loop(self) -> bool:
        """Whether this thread has words of its own."""
        return self.loop_thread == get_ident()

    def leave_loop(self) -> None:
        """The loop of this thread has ended."""
        with self.lock:
            if self.loop_thread == get_ident():
                self.loop_thread = 0

    def find(self, kind: int, name: str, values: Sequence[str], count: int) -> Place:
        """Make a place for one more series of this thread's side."""
        with self.lock:
            place = self._append(kind, make_key(name, values), count, is_reserved=not values)
            if place is None:
                self._tell_full()
                place = self._find_other(kind, make_key(name, [OTHER] * len(values)), count)
            return place

    def _append(self, kind: int, key: bytes, count: int, *, is_reserved: bool) -> Place | None:
        area = self.area
        first = area.append(kind, key, count, is_reserved=is_reserved)
        if first < 0:
            return None
        return Place(area.words[first : first + count], area.doubles[first : first + count])

    def _find_other(self, kind: int, key: bytes, count: int) -> Place:
        side = get_ident() == self.loop_thread
        place = self._others.get((side, key))
        if place is None:
            place = self._append(kind, key, count, is_reserved=True)
            if place is None:  # the reserve is used up as well: more names than anybody has
                memory = memoryview(bytearray(BLOCK_WORDS * 8))
                place = Place(memory.cast("Q"), memory.cast("d"))
            self._others[side, key] = place
        return place

    def _tell_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            _log.warning(
                "this process has %d series of metrics; what is more counts under the label values %r",
                *(SERIES_LIMIT, OTHER),
            )


ledger: Final = Ledger()
"""That of this process."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ledger.after_fork)
