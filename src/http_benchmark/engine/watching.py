"""What the main thread does while workers work: tells how the round goes, and sees when it makes no sense.

It looks at lengths of arrays, and at a few hundred of the latest times, so that a look costs less than a
millisecond of the interpreter the workers share: percentiles told while a round runs are of a sample.
"""

from __future__ import annotations

from itertools import islice
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from http_benchmark.engine.faults import NOT_CONNECTED
from http_benchmark.histogram.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from http_benchmark.engine.phase import Phase
    from http_benchmark.engine.recorder import Recorder
    from http_benchmark.measurement.progress import Progress

LOOK_S: Final = 0.25
_SAMPLE: Final = 400
"""Times looked at each time, of all workers together."""
_NO_REPLY: Final = NOT_CONNECTED | {"timeout"}
_PATIENCE_NS: Final = 10**9
"""A round in which nothing succeeds is ended no sooner."""


class Watcher:
    """Of one round."""

    def __init__(
        self,
        recorders: Sequence[Recorder],
        warm_up: Sequence[Recorder],
        phase: Phase,
        tell: Callable[[Progress], None] | None,
        progress: Progress,
        workers: int,
    ) -> None:
        self._recorders = recorders
        self._warm_up = warm_up
        self._phase = phase
        self._tell = tell
        self._progress = progress
        """Of which name and numbers are taken."""
        self._workers = workers
        self._began_ns = self._looked_ns = perf_counter_ns()
        self._latency = Histogram()
        self._seen = [0] * len(recorders)
        self._warm = 0

    def look(self) -> None:
        """Tell how far it has come."""
        if self._tell is None:
            return
        now_ns, begin_ns = perf_counter_ns(), self._phase.stretch.begin_ns
        before, warm_before = sum(self._seen), self._warm
        self._warm = sum(len(each.finished) for each in self._warm_up)
        self._latency.record_many(list(self._latest()))
        requests = sum(self._seen)
        p50_ns, p99_ns = self._latency.percentiles((50, 99))
        took_s = (now_ns - self._looked_ns) / 1e9
        self._looked_ns = now_ns
        self._tell(
            self._progress._replace(
                elapsed_s=(now_ns - begin_ns) / 1e9,
                rate_per_s=(requests - before + self._warm - warm_before) / took_s if took_s > 0 else 0.0,
                p50_ns=p50_ns,
                p99_ns=p99_ns,
                requests=requests,
                errors=sum(len(each.failed_until) for each in self._recorders),
            )
        )

    def is_hopeless(self) -> bool:
        """Whether a second has gone by, each worker has failed, and not one request succeeded.

        Where replies came, but wrong ones, each must have failed twice: the others may still be waiting.
        """
        if perf_counter_ns() - self._began_ns < _PATIENCE_NS:
            return False
        everyone = (*self._recorders, *self._warm_up)
        if any(each.finished for each in everyone):
            return False
        kinds = {kind for each in everyone for kind in list(each.errors)}
        failed = sum(len(each.failed_until) for each in everyone)
        return failed >= self._workers * (1 if kinds <= _NO_REPLY else 2)

    def _latest(self) -> Iterator[int]:
        """Yield latencies of the last requests of each recorder since the last look."""
        most = max(1, _SAMPLE // len(self._recorders))
        for number, each in enumerate(self._recorders):
            count = len(each.finished)
            since = max(self._seen[number], count - most)
            for at in islice(range(since, count), most):
                yield each.finished[at] - each.started[at]
            self._seen[number] = count
