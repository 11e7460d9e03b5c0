"""The named checks of what an application needs: how each does in this process, and in all of them together.

Whoever runs a check says when a run begins and ends; the thread that tells figures says how it stands. A run
past its limit counts as failed while it still hangs, by the clock and without the loop, so that one
which blocks the loop is seen as well. Nothing here runs a check, and no probe waits for one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Of one process: they are told twice a second, with the other figures.
CHECKS: Final = 32
NAME_CHARS: Final = 64
_REASON_CHARS: Final = 200

PENDING, OK, FAILED = "pending", "ok", "failed"


class _Ended(NamedTuple):
    """The last run that did."""

    at: float
    took_s: float
    reason: str | None
    """Why it failed; None: it did not."""


class Check:
    """How one check does. Its runner writes, from one thread at a time; any thread reads."""

    def __init__(self, name: str, *, timeout_s: float, is_critical: bool, owner: object) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self.is_critical = is_critical
        self.owner = owner
        """The server in which it runs."""
        self._began: float | None = None
        self._ended: _Ended | None = None
        self._since = time.monotonic()
        """From when on it is as it is."""
        watch(self)

    def begin(self) -> None:
        """A run begins."""
        self._began = time.monotonic()

    def end(self, reason: str | None) -> None:
        """It has ended, and failed for that reason, which is `bounded`, or not."""
        now = time.monotonic()
        began, before = self._began or now, self._ended
        if reason is None and now - began > self.timeout_s:
            reason = self._describe_late()  # nobody waited for it any more
        if before is None or (before.reason is None) != (reason is None):
            self._since = began
        self._ended, self._began = _Ended(now, now - began, reason), None

    def tell(self, now: float) -> dict[str, Any]:
        """Return how it stands."""
        ended, began = self._ended, self._began
        status, reason, since = PENDING, None, self._since
        if ended is not None:
            status, reason = (OK, None) if ended.reason is None else (FAILED, ended.reason)
        if began is not None and now - began > self.timeout_s:
            since = since if status == FAILED else began
            status, reason = FAILED, self._describe_late()
        return {
            "name": self.name,
            "critical": self.is_critical,
            "status": status,
            "since": since,
            "ran": None if ended is None else ended.at,
            "took_ms": None if ended is None else round(ended.took_s * 1000, 1),
            "reason": reason,
        }

    def _describe_late(self) -> str:
        return f"no result within {self.timeout_s:g} s"


def bounded(reason: str) -> str:
    """Return one line without anything a terminal would obey, and not a long one."""
    line = " ".join(reason.split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= _REASON_CHARS else f"{line[: _REASON_CHARS - 3]}..."


_watched: WeakSet[Check] = WeakSet()
_lock = Lock()


def watch(check: Check) -> None:
    """Tell of it from now on, until nobody runs it any more."""
    with _lock:
        _watched.add(check)


def unwatch(check: Check) -> None:
    """Tell of it no more."""
    with _lock:
        _watched.discard(check)


def figures(owner: object = None) -> list[dict[str, Any]]:
    """Return how the checks of this process stand, or those that run in one server of several."""
    now = time.monotonic()
    with _lock:
        found = [check for check in _watched if owner is None or check.owner is owner]
    return sorted((check.tell(now) for check in found), key=lambda told: str(told["name"]))


def blocking(told: Iterable[Mapping[str, Any]]) -> str:
    """Return what the critical checks of a worker make of its state: failing, starting, or "" for nothing."""
    statuses = {check["status"] for check in told if check["critical"]}
    return "failing" if FAILED in statuses else "starting" if PENDING in statuses else ""


@dataclass(slots=True)
class Joined:
    """A check over all workers that run it."""

    name: str
    told: list[Mapping[str, Any]]

    @property
    def status(self) -> str:
        """`ok` in all of them, `failed` in all or in some, else not run yet."""
        statuses = {each["status"] for each in self.told}
        return FAILED if FAILED in statuses else PENDING if PENDING in statuses else OK

    def to_json(self, now: float, *, with_reason: bool) -> dict[str, Any]:
        alike = [each for each in self.told if each["status"] == self.status]
        ran = [each["ran"] for each in self.told if each["ran"] is not None]
        took = [each["took_ms"] for each in self.told if each["took_ms"] is not None]
        content: dict[str, Any] = {
            "status": self.status,
            "critical": any(each["critical"] for each in self.told),
            "since_seconds": round(max(0.0, now - min(each["since"] for each in alike)), 1),
            "checked_seconds_ago": round(max(0.0, now - min(ran)), 1) if ran else None,
            "took_ms": max(took, default=None),
            "workers": len(self.told),
            "workers_failed": sum(each["status"] == FAILED for each in self.told),
        }
        if with_reason and self.status == FAILED:
            content["reason"] = alike[0]["reason"]
        return content


def join(workers: Iterable[Sequence[Mapping[str, Any]]]) -> list[Joined]:
    """Put together by name what several workers tell."""
    by_name: dict[str, Joined] = {}
    for told in workers:
        for each in told:
            by_name.setdefault(each["name"], Joined(each["name"], [])).told.append(each)
    return [by_name[name] for name in sorted(by_name)]
