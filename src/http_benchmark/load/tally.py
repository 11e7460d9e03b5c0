"""What is counted during a round, and the Round it becomes.

Times go into arrays, one set for each second, and become histograms after the round: making them while
requests are in flight would stand in the way of the replies, and be measured as the server's. Eight octets a
request are kept; past `BACKLOG` samples, the oldest are put into histograms a few at a time between replies,
so that no run grows without end.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Final

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.round import Round, Second

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG: Final = 2_000_000
SLICE: Final = 512
_LATE_NS: Final = 1_000_000


class Block:
    """The samples of one second, in nanoseconds."""

    __slots__ = ("corrected", "errors", "first_octets", "latency", "lateness", "slow_latency")

    def __init__(self) -> None:
        self.latency = array("q")
        """Of replies that came in one piece: the time to their first octet is the same."""
        self.slow_latency = array("q")
        """Of replies that came in several."""
        self.first_octets = array("q")
        """Of those."""
        self.corrected = array("q")
        """Open loop: from when each was due, in the order of no other array."""
        self.lateness = array("q")
        """Open loop: of each send."""
        self.errors = 0

    def size(self) -> int:
        return len(self.latency) + len(self.slow_latency)


class Tally:
    """Counts of one round. `start_ns` is where measuring begins: what began before is not counted."""

    def __init__(self, *, is_open_loop: bool = False) -> None:
        self.is_open_loop = is_open_loop
        self.start_ns: int | None = None
        """None: not yet measuring."""
        self.octets_received = 0
        self.octets_sent = 0
        self.sent = 0
        """Requests."""
        self.first_uses = 0
        """Requests that were the first on their connection."""
        self.opened = 0
        """Connections."""
        self.dropped = 0
        self.errors: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.error_ns = 0
        """Time that requests took which failed."""
        self.block = Block()
        """Of the second that runs; loops hold its arrays until `next_second`."""
        self._folded: list[_Folded] = []
        self._waiting: deque[tuple[Block, _Folded]] = deque()
        self._backlog = 0

    def begin(self, now_ns: int, connections: int) -> None:
        """Forget all of warm-up; so many connections are open."""
        self.__init__(is_open_loop=self.is_open_loop)  # type: ignore[misc]  # all, whatever it will hold
        self.start_ns = now_ns
        self.opened = connections

    def success(self, begun_ns: int, sent_ns: int, first_ns: int, now_ns: int) -> None:
        """Count a reply that did not take the fast way."""
        if self.start_ns is None or begun_ns < self.start_ns:
            return
        block = self.block
        if first_ns == now_ns:
            block.latency.append(now_ns - sent_ns)
        else:
            block.slow_latency.append(now_ns - sent_ns)
            block.first_octets.append(first_ns - sent_ns)
        if self.is_open_loop:
            block.corrected.append(now_ns - begun_ns)

    def error(self, kind: str, text: str, begun_ns: int, now_ns: int) -> None:
        """Count a request that failed."""
        if self.start_ns is None or begun_ns < self.start_ns:
            return
        self.errors[kind] = self.errors.get(kind, 0) + 1
        self.examples.setdefault(kind, text)
        self.error_ns += now_ns - begun_ns
        self.block.errors += 1

    @property
    def successes(self) -> int:
        """So far."""
        return self._backlog + self.block.size() + sum(each.second.latency.total for each in self._folded)

    @property
    def error_count(self) -> int:
        return sum(self.errors.values())

    @property
    def is_behind(self) -> bool:
        """Whether so many samples wait that `fold_some` should be called between replies."""
        return self._backlog > BACKLOG

    def next_second(self) -> None:
        """Begin a new block; loops must ask for the arrays of the new one."""
        folded = _Folded(len(self._folded), self.block.errors)
        self._folded.append(folded)
        self._waiting.append((self.block, folded))
        self._backlog += self.block.size()
        self.block = Block()

    def fold_some(self, most: int = SLICE) -> None:
        """Put the oldest samples into their histograms."""
        if not self._waiting:
            return
        block, folded = self._waiting[0]
        before = block.size()
        is_empty = folded.take(block, most)
        self._backlog -= before - block.size()
        if is_empty:
            self._waiting.popleft()

    def to_round(
        self, number: int, started_at: float, end_ns: int, *, correct: Callable[[Histogram], Histogram] | None
    ) -> Round:
        """Return what was counted. `correct`: how latencies of a closed loop are corrected; None: of an open
        loop, by when each was due.
        """
        if self.block.size() or self.block.errors:
            self.next_second()
        while self._waiting:
            self.fold_some(1 << 62)
        duration_ns = max(1, end_ns - (self.start_ns or 0))
        self._join_tail(duration_ns)
        latency, first_octet, corrected, lateness = (Histogram() for _ in range(4))
        for each in self._folded:
            latency.merge(each.second.latency)
            first_octet.merge(each.first_octet)
            corrected.merge(each.corrected)
            lateness.merge(each.lateness)
        return Round(
            number=number,
            started_at=started_at,
            duration_s=duration_ns / 1e9,
            latency=latency,
            corrected=corrected if correct is None else correct(latency),
            first_octet=first_octet,
            lateness=lateness if self.is_open_loop else None,
            errors=self.errors,
            examples=self.examples,
            late=sum(each.late for each in self._folded),
            dropped=self.dropped,
            connections_opened=self.opened,
            connections_reused=self.sent - self.first_uses,
            octets_received=self.octets_received,
            octets_sent=self.octets_sent,
            effective_concurrency=(latency.total_ns + self.error_ns) / duration_ns,
            seconds=[each.second for each in self._folded],
        )

    def _join_tail(self, duration_ns: int) -> None:
        """Add what finished in the drain, or in less than 0.1 s, to the second before."""
        most = max(1, (duration_ns + 900_000_000) // 1_000_000_000)
        while len(self._folded) > most:
            last = self._folded.pop()
            self._folded[-1].merge(last)


class _Folded:
    """Histograms of one second."""

    __slots__ = ("corrected", "first_octet", "late", "lateness", "second")

    def __init__(self, offset_s: int, errors: int) -> None:
        self.second = Second(offset_s, errors=errors)
        self.first_octet = Histogram()
        self.corrected = Histogram()
        self.lateness = Histogram()
        self.late = 0

    def take(self, block: Block, most: int) -> bool:
        """Move samples of a block here, so many of each kind; True: it is empty now."""
        values = _cut(block.latency, most)
        whole = Histogram(values)
        self.second.latency.merge(whole)
        self.first_octet.merge(whole)
        self.second.latency.record_many(_cut(block.slow_latency, most))
        self.first_octet.record_many(_cut(block.first_octets, most))
        self.corrected.record_many(_cut(block.corrected, most))
        lateness = _cut(block.lateness, most)
        self.lateness.record_many(lateness)
        self.late += sum(value > _LATE_NS for value in lateness)
        return not (block.size() or block.corrected or block.lateness)

    def merge(self, other: _Folded) -> None:
        """Add all of another."""
        self.second.latency.merge(other.second.latency)
        self.second.errors += other.second.errors
        self.first_octet.merge(other.first_octet)
        self.corrected.merge(other.corrected)
        self.lateness.merge(other.lateness)
        self.late += other.late


def _cut(samples: array[int], most: int) -> list[int]:
    """Take the last samples off an array: which of a second go first does not matter."""
    taken = samples[-most:].tolist()
    del samples[-most:]
    return taken
