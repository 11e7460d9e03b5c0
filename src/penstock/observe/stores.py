"""How the stores of this process do: told with its figures, so that a lost one is seen from outside.

Whoever guards a store registers here and counts for itself; the thread that tells figures reads the counts as
they are. A guard that nobody uses any more is gone, and its counts with it.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIGURES: Final = ("lost", "outages_total", "failures_total", "skipped_total", "refusals_total")


class Watched(Protocol):
    """What guards a store."""

    is_lost: bool
    outages: int
    """Times it was lost."""
    failures: int
    """Uses that failed."""
    skipped: int
    """Uses that were refused because it was lost."""
    refusals: int
    """Values it did not take."""


_watched: WeakSet[Watched] = WeakSet()
_lock = Lock()


def watch(guard: Watched) -> None:
    """Count it in from now on."""
    with _lock:
        _watched.add(guard)


def figures() -> dict[str, int]:
    """Return the figures of all stores of this process together."""
    with _lock:
        guards = list(_watched)
    return {
        "lost": sum(guard.is_lost for guard in guards),
        "outages_total": sum(guard.outages for guard in guards),
        "failures_total": sum(guard.failures for guard in guards),
        "skipped_total": sum(guard.skipped for guard in guards),
        "refusals_total": sum(guard.refusals for guard in guards),
    }


def add_up(told: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the figures of several processes together."""
    listed = list(told)
    return {name: sum(each.get(name, 0) for each in listed) for name in FIGURES}
