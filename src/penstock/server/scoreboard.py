"""What workers know of each other: a few numbers each in memory that all of them share.

A worker writes its own entry and reads the others'; nobody locks, since a number that is a moment old does no
harm. The supervisor gives out the entries and clears those of the dead.

Why connections are shared out by it: all workers poll the same listening sockets, and whoever comes first
takes what waits. PERF: 64 connections of wrk over 2 workers fell 64:0, 1:63, 44:20, over 4 workers 0:64:0:0,
13:0:1:50. One accepted a turn did not help (5:59, 42:11:9:2), nor did EPOLLEXCLUSIVE, which does little
through an epoll within the loop's (15:49, 0:64:0:0). SO_REUSEPORT, a socket for each worker, was not taken:
it leaves the spread to a hash, loses what waits in the queue of a worker that ends, and unix sockets lack it.
By `Entry.allowance` it is 33:31, 30:34 and 16:14:16:18, 17:17:13:17.
"""

from __future__ import annotations

import mmap

# More than a worker has on average before it lets others go first: the fewer, the more even and the more
# often a burst waits for the next in line.
_LEAD = 4
_LEAD_SHARE = 16
_FREE = -1
_NUMBER_BYTES = 8


class Scoreboard:
    """Entries for at most `size` workers, those that end included."""

    def __init__(self, size: int) -> None:
        # The first number tells how many places were ever given, so that nobody reads the rest.
        self._connections = memoryview(mmap.mmap(-1, (size + 1) * _NUMBER_BYTES)).cast("q")
        self._free = list(range(size, 0, -1))

    def give(self) -> Entry | None:
        """Return an entry for a new worker; None when all are taken."""
        if not self._free:
            return None
        entry = Entry(self._connections, self._free.pop())
        entry.leave()
        self._connections[0] = max(self._connections[0], entry.place)
        return entry

    def take_back(self, entry: Entry) -> None:
        entry.leave()
        self._free.append(entry.place)


class Entry:
    """The numbers of one worker."""

    def __init__(self, connections: memoryview[int], place: int) -> None:
        self._connections = connections
        self.place = place

    def set_connections(self, count: int) -> None:
        """Tell how many connections are open; from the first time on this worker takes part."""
        self._connections[self.place] = count

    def leave(self) -> None:
        """Take no part any more."""
        self._connections[self.place] = _FREE

    def allowance(self, count: int) -> int:
        """Return how many more connections this worker, which has `count`, may accept before others are to
        have theirs; less than one: it is their turn.
        """
        others = self._connections[1 : self._connections[0] + 1].tolist()
        least = min([other for other in others if other >= 0], default=0)
        return least + max(_LEAD, least // _LEAD_SHARE) - count
