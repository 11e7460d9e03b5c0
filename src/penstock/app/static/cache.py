"""Files ready to be sent, small ones in memory and large ones open: bounded in count and octets, checked
against the file once a second.

An entry belongs to one path as clients write it, and holds a response for each content coding asked for. It
is valid while what `stat` says of the file, and of its precompressed siblings, is what it was.

A change is seen `check_interval_s` later at most. PERF: a stat for each request takes 1.6 us, as much as all
else a cached reply takes in Python; one a second takes nothing. 0 asks each time.

What is held open is asked for changes by each request as well, because its content is not kept; what is not
asked for in ten seconds is closed when something else is: a file that was removed does not fill the disk.

Eviction is CLOCK: the oldest goes, unless it was used since it was last looked at. Entries are changed by
whichever thread loads; a lock guards the books, and the look-up on the loop needs none.
"""

from __future__ import annotations

import os
import threading
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from penstock.http.kept_response import KeptFile
from penstock.http.negotiation import choose_encoding
from penstock.http.open_file import identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.http.kept_response import KeptResponse
    from penstock.http.open_file import Identity

    Kept = KeptResponse | KeptFile

_CODINGS = 16  # spellings of Accept-Encoding remembered for a file; browsers send about three
_ACCEPTED_LENGTH = 128  # browsers send 23 to 31 characters
_OVERHEAD_BYTES = 2048  # of an entry beside its content: fields, tuples, dicts
_IDLE_S = 10.0  # Caddy and Apache open a file for each request, nginx keeps it open for 60 s


class Entry:
    """One path."""

    __slots__ = (
        "by_accepted",
        "by_coding",
        "checked_until",
        "is_used",
        "offered",
        "paths",
        "signature",
        "size",
    )

    def __init__(self, paths: Sequence[str], signature: object, offered: tuple[str, ...]) -> None:
        self.paths = paths
        """The file, and the siblings it could have."""
        self.signature = signature
        self.offered = offered
        """Content codings there are for it, the best first."""
        self.by_coding: dict[str, Kept] = {}
        self.by_accepted: dict[str | None, Kept] = {}
        """By Accept-Encoding, as it was written; None: without one."""
        self.checked_until = 0.0
        self.is_used = False
        self.size = 0

    def remember(self, accepted: str | None, response: Kept) -> None:
        if accepted is not None and len(accepted) > _ACCEPTED_LENGTH:
            return
        if len(self.by_accepted) >= _CODINGS:
            self.by_accepted.clear()
        self.by_accepted[accepted] = response


class Cache:
    """Entries by raw path."""

    def __init__(
        self, *, limit_bytes: int, limit_entries: int, check_interval_s: float, idle_s: float = inf
    ) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.held_bytes = 0
        self._limit_bytes = limit_bytes
        self._limit_entries = limit_entries
        self._interval_s = check_interval_s
        self._idle_s = idle_s
        """What nobody asked for so long is forgotten when the cache is used next."""
        self._idle_look = 0.0
        self._lock = threading.Lock()

    def is_valid(self, raw_path: bytes, entry: Entry) -> bool:
        """Say whether the files are what they were; forgets the entry when they are not."""
        now = monotonic()
        if now < entry.checked_until:
            return True
        if sign(entry.paths) != entry.signature:
            self.forget(raw_path, entry)
            return False
        entry.checked_until = now + self._interval_s
        self._forget_idle(now)
        return True

    def _forget_idle(self, now: float) -> None:
        if now < self._idle_look + self._idle_s:
            return
        self._idle_look = now
        for raw_path, entry in list(self.entries.items()):
            if entry.checked_until + self._idle_s < now:
                self.forget(raw_path, entry)

    def clear(self) -> None:
        """Forget everything."""
        for raw_path, entry in list(self.entries.items()):
            self.forget(raw_path, entry)

    def forget(self, raw_path: bytes, entry: Entry) -> None:
        with self._lock:
            if self.entries.get(raw_path) is entry:
                del self.entries[raw_path]
                self.held_bytes -= entry.size

    def forget_file(self, path: str) -> None:
        """Forget what depends on a file that has just been written."""
        for raw_path, entry in list(self.entries.items()):
            if path in entry.paths:
                self.forget(raw_path, entry)

    def find(self, raw_path: bytes, accepted: str | None) -> Kept | None:
        """Return what is kept for this path and Accept-Encoding and still valid."""
        entry = self.entries.get(raw_path)
        if entry is None or not self.is_valid(raw_path, entry):
            return None
        kept = entry.by_accepted.get(accepted)
        if kept is None:
            coding = choose_encoding(accepted, entry.offered)
            kept = entry.by_coding.get(coding) if coding is not None else None
            if kept is None:
                return None
            entry.remember(accepted, kept)
        if isinstance(kept, KeptFile) and not kept.file.is_unchanged():
            self.forget(raw_path, entry)
            return None
        entry.is_used = True
        return kept

    def add(self, raw_path: bytes, entry: Entry, coding: str, response: Kept) -> Entry:
        """Keep a response; return the entry that holds it, which may be one there was before."""
        # Content once, and once more in the octets rendered of it.
        size = 2 * len(response.body) + _OVERHEAD_BYTES
        self._forget_idle(monotonic())
        with self._lock:
            known = self.entries.get(raw_path)
            if known is not None and known.signature == entry.signature:
                entry = known
            else:
                if known is not None:
                    del self.entries[raw_path]
                    self.held_bytes -= known.size
                entry.checked_until = monotonic() + self._interval_s
                self.entries[raw_path] = entry
            if coding not in entry.by_coding:
                entry.by_coding[coding] = response
                entry.size += size
                self.held_bytes += size
            self._evict()
        return entry

    def _evict(self) -> None:
        entries = self.entries
        while len(entries) > self._limit_entries or self.held_bytes > self._limit_bytes:
            raw_path = next(iter(entries), None)
            if raw_path is None:
                return
            entry = entries.pop(raw_path)
            if entry.is_used:
                entry.is_used = False
                entries[raw_path] = entry
            else:
                self.held_bytes -= entry.size


def make_open_files(count: int, check_interval_s: float) -> Cache:
    """Return a cache for large files: nothing is kept of them but the descriptor and the head."""
    return Cache(
        limit_bytes=count * _OVERHEAD_BYTES,
        limit_entries=count,
        check_interval_s=check_interval_s,
        idle_s=_IDLE_S,
    )


def sign(paths: Sequence[str]) -> tuple[Identity | None, ...]:
    """Return what changes when one of these files does, or comes, or goes."""
    found: list[Identity | None] = []
    for path in paths:
        try:
            found.append(identity_of(os.stat(path)))  # noqa: PTH116 - PERF: 1.6 us, through Path 4
        except (OSError, ValueError):
            found.append(None)
    return tuple(found)
