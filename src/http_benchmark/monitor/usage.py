"""What one process has used so far and holds now, and what somebody who can tell looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Usage(NamedTuple):
    """Of one process, threads that have ended included."""

    cpu_s: float
    """User and system."""
    user_s: float
    """To the tick of the kernel, 10 ms, as is `system_s`; `cpu_s` is exact where it can be."""
    system_s: float
    ended_user_s: float
    """Of its children that ended and were waited for, and of theirs; to the tick."""
    ended_system_s: float
    rss_bytes: int
    threads: int
    switches: int
    """Context switches of the threads that live; of all threads for this process itself."""
    read_bytes: int
    """From the storage, not from caches; 0 where it may not be seen."""
    written_bytes: int


class Watched(Protocol):
    """One process, and never another one that was given its number later."""

    pid: int

    def read(self) -> Usage | None:
        """Return what it used; None once it is gone."""

    def children(self) -> list[int]:
        """Return its children that live."""

    def close(self) -> None:
        """Watch no longer."""


class Reader(Protocol):
    """A way to ask the system."""

    def open(self, pid: int) -> Watched | None:
        """Begin to watch a process; None when there is none."""

    def members(self, roots: Iterable[int]) -> set[int]:
        """Return these processes, all their descendants, and all of the sessions they lead."""
