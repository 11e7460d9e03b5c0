"""Tells whoever watches how far a round has come, from a few of the latest samples.

Four times a second it stands in the way of the replies for as long as the watcher takes: about half a
millisecond where a screen is drawn. Nothing is told unless somebody watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.load.traffic import Traffic

_SAMPLES: Final = 400
_NS: Final = 1e9


class Teller:
    """Of one round."""

    def __init__(
        self, traffic: Traffic, watch: Callable[[Progress], None], *, name: str, number: int, rounds: int
    ) -> None:
        self._traffic = traffic
        self._watch = watch
        self._name, self._number, self._rounds = name, number, rounds
        self._latency = Histogram()
        self._told_ns = 0
        self._told = 0

    def tell(self, now: int, start_ns: int, end_ns: int | None) -> None:
        """Tell, about a round that measures between these times."""
        tally = self._traffic.tally
        requests = tally.successes
        self._latency.record_many(tally.block.latency[-_SAMPLES:].tolist())
        self._latency.record_many(tally.block.slow_latency[-_SAMPLES:].tolist())
        took_s = (now - self._told_ns) / _NS if self._told_ns else 0.0
        told = self._told if requests >= self._told else 0  # warm-up has ended since
        p50_ns, p99_ns = self._latency.percentiles((50, 99))
        self._watch(
            Progress(
                name=self._name,
                round=self._number,
                rounds=self._rounds,
                elapsed_s=(now - start_ns) / _NS,
                of_s=None if end_ns is None else (end_ns - start_ns) / _NS,
                rate_per_s=(requests - told) / took_s if took_s > 0 else 0.0,
                p50_ns=p50_ns,
                p99_ns=p99_ns,
                requests=requests,
                errors=tally.error_count,
            )
        )
        self._told, self._told_ns = requests, now
