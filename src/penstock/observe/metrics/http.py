"""Counting requests: by route, method and status how many, how long they took, and their octets.

A request costs one look-up and four increments. A label is a route's template, a method that is known and a
status, never what a client chose: raw paths and unknown methods are one series each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.observe.metrics.histogram import BUCKETS, LIMIT_US, SUM
from penstock.observe.metrics.ledger import OTHER, bound_label, ledger
from penstock.observe.metrics.memory import BLOCK_WORDS, HTTP

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.observe.metrics.ledger import Ledger
    from penstock.observe.metrics.memory import Words

    Record = Callable[[str | None, str, int, int, int, int], None]

OCTETS_IN: Final = SUM + 1
OCTETS_OUT: Final = SUM + 2

# What more an application answers to, it says (`Recorder.methods`).
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"}
)
_LAST: Final = BUCKETS - 1


class Recorder:
    """Counts the requests of this process."""

    def __init__(self, own: Ledger = ledger) -> None:
        self._ledger = own
        self.methods = _METHODS
        """Those that may be labels."""
        self._of_loop: dict[tuple[str | None, str, int], Words] = {}
        self._of_threads: dict[tuple[str | None, str, int], Words] = {}
        self._in_loop = self._make(self._of_loop)
        in_threads = self._make(self._of_threads)

        def record_in_thread(
            route: str | None, method: str, status: int, duration_ns: int, octets_in: int, octets_out: int
        ) -> None:
            with own.lock:
                in_threads(route, method, status, duration_ns, octets_in, octets_out)

        self.record_in_thread: Record = record_in_thread
        """Count a request, in any thread: route, method, status, nanoseconds, octets received and sent."""
        own.hold(self)

    def begin(self) -> Record:
        """Return what this thread, and no other, may call until its `end`: it needs no lock, unless some
        other thread has that already.
        """
        return self._in_loop if self._ledger.claim_loop() else self.record_in_thread

    def end(self) -> None:
        """What `begin` has returned to this thread is called no more."""
        self._ledger.leave_loop()

    def forget(self) -> None:
        """See `ledger.Holder`."""
        self._of_loop.clear()
        self._of_threads.clear()

    def _make(self, series: dict[tuple[str | None, str, int], Words]) -> Record:
        def record(
            route: str | None, method: str, status: int, duration_ns: int, octets_in: int, octets_out: int
        ) -> None:
            # PERF: 0.5 us, a third of it the four words; with an index from the start of the area instead of
            # a slice for each series 0.6. benchmarks/metrics.py
            words = series.get((route, method, status))
            if words is None:
                words = self._find(series, route, method, status)
            us = (duration_ns - 1) // 1000  # as `bucket_of`
            if us < 16:
                words[us if us > 0 else 0] += 1  # noqa: FURB136 - PERF: a call
            elif us < LIMIT_US:
                bits = us.bit_length()
                words[((bits - 4) << 4) + ((us >> (bits - 5)) & 15)] += 1
            else:
                words[_LAST] += 1
            words[SUM] += duration_ns
            if octets_in:
                words[OCTETS_IN] += octets_in
            words[OCTETS_OUT] += octets_out

        return record

    def _find(
        self, series: dict[tuple[str | None, str, int], Words], route: str | None, method: str, status: int
    ) -> Words:
        """Return the words for these label values, bounded; what is no label itself is never kept."""
        known = (
            bound_label(route or ""),
            method if method in self.methods else OTHER,
            status if 100 <= status <= 999 else 0,
        )
        words = series.get(known)
        if words is None:
            name, verb, number = known
            values = [name, verb, str(number) if number else OTHER]
            words = self._ledger.find(HTTP, "", values, BLOCK_WORDS).words
            if len(series) < 2 * BLOCK_WORDS:
                series[known] = words
        return words


recorder: Final = Recorder()
"""That of this process."""
