"""How late the loop's timers are, and how long the garbage collector stops everything: figures of both.

The collector calls whoever wants to know in the middle of whatever runs, a lock held perhaps; so there a
number is appended to a queue and nothing else, and another thread counts.

PERF: 0.9 us a collection; one of the youngest generation takes 5 to 50.
"""

from __future__ import annotations

import gc
from collections import deque
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from penstock.observe.metrics import server_metrics

if TYPE_CHECKING:
    from penstock.server.standstills import Standstills

# Between two counts; more are dropped.
_QUEUE: Final = 4096
# The longest of so long is what is told as of now.
_WINDOW_S: Final = 10.0


class Pauses:
    """Measures from `begin` to `end`; counts where `count` is called."""

    def __init__(self, standstills: Standstills) -> None:
        self._standstills = standstills
        self._began_ns = 0
        self._collections: deque[tuple[int, int]] = deque(maxlen=_QUEUE)
        self._lags: deque[tuple[float, float]] = deque(maxlen=_QUEUE)  # when counted, the longest since
        self.collections = 0
        self.collector_ns = 0
        self.longest_ns = 0

    def begin(self) -> None:
        gc.callbacks.append(self._on_collection)

    def end(self) -> None:
        """Measure no more; count what there is."""
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)
        self.count()

    def _on_collection(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began_ns = perf_counter_ns()
        elif self._began_ns:
            self._collections.append((info["generation"], perf_counter_ns() - self._began_ns))

    def count(self) -> None:
        """Count what has been measured."""
        queue, lags = self._collections, self._standstills.lags
        while queue:
            generation, took_ns = queue.popleft()
            self.collections += 1
            self.collector_ns += took_ns
            self.longest_ns = max(self.longest_ns, took_ns)
            server_metrics.gc_pause.labels(generation=str(generation)).observe_ns(took_ns)
        longest_s = 0.0
        while lags:
            lag_s = lags.popleft()
            longest_s = max(longest_s, lag_s)
            server_metrics.loop_lag.labels().observe_ns(round(lag_s * 1e9))
        now = monotonic()
        self._lags.append((now, longest_s))
        while self._lags and self._lags[0][0] < now - _WINDOW_S:
            self._lags.popleft()

    def tell(self) -> dict[str, float]:
        """Return the figures; the lag is the longest of the last ten seconds."""
        return {
            "lag_seconds": round(max((lag_s for _, lag_s in list(self._lags)), default=0.0), 6),
            "gc_collections_total": self.collections,
            "gc_seconds_total": round(self.collector_ns / 1e9, 6),
            "longest_gc_pause_seconds": round(self.longest_ns / 1e9, 6),
        }
