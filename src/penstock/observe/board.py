"""Memory that processes share, in which each tells what others may read while it is busy, stuck or dead.

A slot has one writer, any readers and no lock, for a writer can be killed at any instruction: it writes by
turns into two halves, each with a number and a checksum, and a reader takes the newer one that is whole. What
was told last stays when its writer dies.
"""

from __future__ import annotations

import mmap
import struct
from typing import Final
from zlib import crc32

# Number of the writing, octets, checksum over both and the octets.
_HEAD: Final = struct.Struct("<QII")
_FIRST: Final = struct.Struct("<QI")
_TRIES: Final = 3


_shared: Board | None = None


def share(board: Board | None) -> None:
    """Have the processes forked from here on, and this one, know the board of their server."""
    global _shared  # noqa: PLW0603 - a process is of one server
    _shared = board


def get_shared() -> Board | None:
    """Return the board of the server this process is of; None when nobody reads one."""
    return _shared


class Slot:
    """One writer's place."""

    def __init__(self, memory: memoryview, capacity: int) -> None:
        self.capacity = capacity
        """Octets that can be told at once."""
        size = len(memory) // 2
        self._halves = (memory[:size], memory[size:])

    def write(self, octets: bytes) -> None:
        """Tell this from now on. ValueError: it is more than `capacity`."""
        if len(octets) > self.capacity:
            raise ValueError(f"{len(octets)} octets do not fit into {self.capacity}")
        number = max(_HEAD.unpack_from(half)[0] for half in self._halves) + 1
        half = self._halves[number % 2]
        first = _FIRST.pack(number, len(octets))
        half[: _HEAD.size] = _HEAD.pack(0, 0, 0)  # a reader takes the other one meanwhile
        half[_HEAD.size : _HEAD.size + len(octets)] = octets
        half[: _HEAD.size] = _HEAD.pack(number, len(octets), crc32(octets, crc32(first)))

    def read(self) -> bytes | None:
        """Return what was told last; None when nothing was."""
        for _ in range(_TRIES):
            told = [found for half in self._halves if (found := self._read_half(half)) is not None]
            if told:
                return max(told)[1]
        return None

    def _read_half(self, half: memoryview) -> tuple[int, bytes] | None:
        number, length, checksum = _HEAD.unpack_from(half)
        octets = bytes(half[_HEAD.size : _HEAD.size + min(length, self.capacity)])
        is_whole = crc32(octets, crc32(_FIRST.pack(number, length))) == checksum
        return (number, octets) if is_whole and number else None

    def clear(self) -> None:
        """Forget what was told."""
        for half in self._halves:
            half[: _HEAD.size] = _HEAD.pack(0, 0, 0)


class Board:
    """Slots by number, in memory that a process shares with those it forks."""

    def __init__(self, *capacities: int) -> None:
        sizes = [2 * (_HEAD.size + capacity) for capacity in capacities]
        memory = memoryview(mmap.mmap(-1, sum(sizes)))  # pages that nobody writes cost nothing
        self.slots: list[Slot] = []
        at = 0
        for size, capacity in zip(sizes, capacities, strict=True):
            self.slots.append(Slot(memory[at : at + size], capacity))
            at += size
