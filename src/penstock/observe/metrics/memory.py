"""Memory in which processes count: one area for each, which it alone writes and all read.

An area is a directory of entries, which only grows, and blocks of 64-bit words. An entry names a series and
says where its words are. It is written first and told after, by one store of the length of the directory, and
carries a checksum: a reader sees whole entries only, at whatever instruction their writer was killed. Words
are counted up in place; an aligned word is never seen half.

`Areas` holds the areas of all processes and one more, the past: what those have counted that are no more. The
supervisor adds an area to it and empties it (`fold`) under a number that is odd meanwhile, so that a reader
counts nothing twice and misses nothing. Pages that nobody has touched cost nothing.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

    Words = memoryview[int]
    Doubles = memoryview[float]

FAMILY: Final = 0
"""An entry that says what a name means, and has no words."""
COUNTER: Final = 1
"""Two words: whole amounts, and a double for the others."""
GAUGE: Final = 2
"""Two words, the first a double."""
HISTOGRAM: Final = 3
"""A block: buckets, then the sum."""
HTTP: Final = 4
"""A block: buckets of durations, then their sum and the octets of requests and replies."""

# One process tells so many series at most, as a Prometheus server of ordinary size takes of one target; the
# reserve is for those that take up what is beyond it.
SERIES_LIMIT: Final = 1024
_RESERVE: Final = 256

BLOCK_WORDS: Final = 512
"""A page, so that a series that nobody uses touches none."""
_WORD: Final = 8
_PAGE: Final = BLOCK_WORDS * _WORD
_DIRECTORY_BYTES: Final = 2**18
_BLOCKS: Final = SERIES_LIMIT + _RESERVE
AREA_BYTES: Final = _DIRECTORY_BYTES + _BLOCKS * _PAGE

# Not charged before it is used, for most of it never is. Python has a name for it since 3.13; the number is
# that of Linux on the machines named.
_NOT_RESERVED: Final = getattr(
    mmap,
    "MAP_NORESERVE",
    0x4000 if sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64") else 0,
)

# Words at the head of an area.
_USED: Final = 0  # octets of the directory; stored last
_GENERATION: Final = 1  # counts how often it was emptied
_PID: Final = 2
_STARTED: Final = 3  # a double, on the monotonic clock
BEGUN: Final = 4
"""Requests begun; what ended without a count was lost with its process."""
_HEAD_BYTES: Final = 64

# Checksum of what follows, octets of the key, kind, nothing, first word, number of words.
_ENTRY: Final = struct.Struct("<IHBBII")

# Words at the head of all areas.
_SEQUENCE: Final = 0
_HIGHEST: Final = 1  # place that was ever given, so that nobody touches the rest
# A fold takes milliseconds. One that lasts longer has lost its supervisor, and what there is has to do.
_PATIENCE_S: Final = 1.0
_LOOK_S: Final = 0.0005


class Entry(NamedTuple):
    """One line of a directory."""

    kind: int
    key: bytes
    first: int
    size: int
    """In words."""


class Area:
    """One process's part. One thread at a time appends; who may write which word is the ledger's to say."""

    def __init__(self, memory: memoryview | None = None) -> None:
        if memory is None:
            memory = memoryview(mmap.mmap(-1, AREA_BYTES))
        self._directory = memory[:_DIRECTORY_BYTES]
        self.head: Words = memory[:_HEAD_BYTES].cast("Q")
        self._head_doubles: Doubles = memory[:_HEAD_BYTES].cast("d")
        self._octets = memory[_DIRECTORY_BYTES:AREA_BYTES]
        self.words: Words = self._octets.cast("Q")
        self.doubles: Doubles = self._octets.cast("d")
        self._at = _HEAD_BYTES
        self._series = 0
        self._block = 0  # the next that is free
        self._cell = 0  # the next free word of a block shared by small series
        self._cells_end = 0
        # What this process has read of it: of which generation, how far, and the entries.
        self._read = (-1, 0, list[Entry]())

    def begin(self, pid: int, started: float) -> None:
        """A process takes this area."""
        self._head_doubles[_STARTED] = started
        self.head[_PID] = pid

    @property
    def pid(self) -> int:
        """Of the process whose it is; 0 while it is nobody's."""
        return self.head[_PID]

    @property
    def started(self) -> float:
        return self._head_doubles[_STARTED]

    def append(self, kind: int, key: bytes, count: int, *, is_reserved: bool = False) -> int:
        """Add a series of so many words, and return the first of them; -1 when there is no room."""
        end = self._at + -(-(_ENTRY.size + len(key)) // _WORD) * _WORD
        limit = SERIES_LIMIT + (_RESERVE if is_reserved else 0)
        room = _DIRECTORY_BYTES if is_reserved or not count else _DIRECTORY_BYTES - _DIRECTORY_BYTES // 8
        if end > room or (count and self._series >= limit) or len(key) > 0xFFFF:
            return -1
        at, self._at = self._at, end
        first = self._reserve(count)
        self._series += bool(count)
        fields = _ENTRY.pack(0, len(key), kind, 0, first, count)[4:]
        octets = b"".join([crc32(key, crc32(fields)).to_bytes(4, "little"), fields, key])
        self._directory[at : at + len(octets)] = octets
        self.head[_USED] = max(self.head[_USED], end)
        return first

    def _reserve(self, count: int) -> int:
        """Blocks begin at a page; small series share one."""
        if count == BLOCK_WORDS:
            self._block += 1
            return (self._block - 1) * BLOCK_WORDS
        if self._cell + count > self._cells_end:
            self._cell = self._reserve(BLOCK_WORDS)
            self._cells_end = self._cell + BLOCK_WORDS
        self._cell += count
        return self._cell - count

    def entries(self) -> list[Entry]:
        """Return what the directory says by now. One thread at a time."""
        generation, used = self.head[_GENERATION], self.head[_USED]
        known, at, entries = self._read
        if known != generation:
            at, entries = _HEAD_BYTES, []
        if at < used:
            for entry, after in self._parse(at, used):
                entries.append(entry)
                at = after
        self._read = (generation, at, entries)
        return entries

    def _parse(self, at: int, end: int) -> Iterator[tuple[Entry, int]]:
        while at < end:
            checksum, length, kind, _, first, count = _ENTRY.unpack_from(self._directory, at)
            octets = bytes(self._directory[at + 4 : at + _ENTRY.size + length])
            if crc32(octets) != checksum:
                return  # not written yet, on a machine that shows stores in another order
            at += -(-(_ENTRY.size + length) // _WORD) * _WORD
            yield Entry(kind, octets[_ENTRY.size - 4 :], first, count), at

    def read(self, entry: Entry) -> bytes:
        """Return the words of a series as octets, each as it was at one moment."""
        return self._octets[entry.first * _WORD : (entry.first + entry.size) * _WORD].tobytes()

    def write(self, first: int, octets: bytes) -> None:
        """Put octets in place of words."""
        self._octets[first * _WORD : first * _WORD + len(octets)] = octets

    def clear(self) -> None:
        """Empty it, for the next process."""
        for entry in self.entries():
            self.write(entry.first, bytes(entry.size * _WORD))
        self.head[_USED] = self.head[_PID] = self.head[_STARTED] = self.head[BEGUN] = 0
        self.head[_GENERATION] += 1
        self._at, self._series, self._block, self._cell, self._cells_end = _HEAD_BYTES, 0, 0, 0, 0


class Areas:
    """The areas of the processes of one server, by place from 1 on, and the past."""

    def __init__(self, places: int) -> None:
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _NOT_RESERVED
        memory = memoryview(mmap.mmap(-1, _PAGE + (places + 1) * AREA_BYTES, flags=flags))
        self._head: Words = memory[:_PAGE].cast("Q")
        parts = [memory[_PAGE + n * AREA_BYTES : _PAGE + (n + 1) * AREA_BYTES] for n in range(places + 1)]
        self.past = Area(parts[0])
        self._parts = parts
        self._areas: dict[int, Area] = {}

    def get(self, place: int) -> Area | None:
        """Return the area of a place; None when there are fewer."""
        if not 0 < place < len(self._parts):
            return None
        area = self._areas.get(place)
        if area is None:
            area = self._areas[place] = Area(self._parts[place])
        return area

    def taken(self) -> list[tuple[int, Area]]:
        """Return the areas that are some process's, by place."""
        highest = self._head[_HIGHEST]
        found = ((place, self.get(place)) for place in range(1, highest + 1))
        return [(place, area) for place, area in found if area is not None and area.pid]

    def reserve(self, place: int) -> None:
        """A process is to have this place. By whoever starts it, which is one process."""
        if place < len(self._parts):
            self._head[_HIGHEST] = max(self._head[_HIGHEST], place)

    @contextmanager
    def folding(self) -> Iterator[None]:
        """While areas are added to the past and emptied. In one process only, that of the supervisor."""
        self._head[_SEQUENCE] += 1
        try:
            yield
        finally:
            self._head[_SEQUENCE] += 1

    def sequence(self) -> int:
        """Return the number of folds, twice; waits for the end of one that is under way."""
        end = time.monotonic() + _PATIENCE_S
        while (number := self._head[_SEQUENCE]) % 2 and time.monotonic() < end:
            time.sleep(_LOOK_S)
        return number
