"""The thread that looks at processes while something is measured.

CPU time is counted from the moment `with` is entered to the moment it is left, by the kernel, not from the
samples: how often one looks changes curves, not sums. A sample holds what happened since the one before it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final, Literal, Self

from http_benchmark.measurement.round import Resources, Sample
from http_benchmark.monitor.family import Family, Total
from http_benchmark.monitor.reader import find_reader
from http_benchmark.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_benchmark.monitor.usage import Reader

_MB: Final = 10**6
_LOOK_FOR_CHILDREN_S: Final = 0.5


class Sampler:
    """Watches processes while its `with` block runs. What `resources` says afterwards is of that time.

    A process that ends, or has ended before, is no error. `interval_s` None: the setting
    HTTP_BENCHMARK_RESOURCE_MONITORING_INTERVAL. With "self" and `with_children` a target that this process
    started would be counted as well: leave children out there.
    """

    def __init__(
        self,
        pids: Sequence[int] | Literal["self"],
        interval_s: float | None = None,
        *,
        with_children: bool = True,
        reader: Reader | None = None,
    ) -> None:
        self._pids = [os.getpid()] if pids == "self" else [int(pid) for pid in pids]
        self._interval_s = read_settings().resource_monitoring_interval if interval_s is None else interval_s
        self._with_children = with_children
        self._reader = find_reader() if reader is None else reader
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._found: Resources | None = None
        self.own_cpu_s = 0.0
        """What looking has cost, once the block was left."""

    def __enter__(self) -> Self:
        self._family = Family(self._reader, self._pids, with_children=self._with_children)
        self._family.look_everywhere()
        self._samples: list[Sample] = []
        self._found = None
        self._ended.clear()
        self._started_s = self._looked_s = self._searched_s = time.monotonic()
        self._first = self._last = self._family.read()
        self._thread = threading.Thread(target=self._run, name="resource-sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._family.look_everywhere()
        self._look()
        self._family.close()
        self._found = Resources(
            cpu_s=self._last.cpu_s - self._first.cpu_s,
            user_s=self._last.user_s - self._first.user_s,
            system_s=self._last.system_s - self._first.system_s,
            samples=self._samples,
        )

    def resources(self) -> Resources:
        """Return what they used in the block that was left last."""
        if self._found is None:
            raise RuntimeError("resources are known once the block of the sampler was left")
        return self._found

    def _run(self) -> None:
        due_s = self._started_s + self._interval_s
        while not self._ended.wait(max(0.0, due_s - time.monotonic())):
            now_s = time.monotonic()
            if now_s - self._searched_s >= _LOOK_FOR_CHILDREN_S:
                self._searched_s = now_s
                self._family.look_for_children()
            self._look()
            due_s = max(due_s + self._interval_s, time.monotonic())  # what was missed is not made up for
        self.own_cpu_s = time.thread_time()

    def _look(self) -> None:
        now, now_s = self._family.read(), time.monotonic()
        self._samples.append(_sample(self._last, now, now_s - self._started_s, now_s - self._looked_s))
        self._last, self._looked_s = now, now_s


def _sample(before: Total, now: Total, offset_s: float, took_s: float) -> Sample:
    return Sample(
        offset_s=offset_s,
        cpu_percent=100.0 * (now.cpu_s - before.cpu_s) / took_s if took_s > 0 else 0.0,
        rss_mb=now.rss_bytes / _MB,
        threads=now.threads,
        context_switches=now.switches - before.switches,
        read_mb=(now.read_bytes - before.read_bytes) / _MB,
        written_mb=(now.written_bytes - before.written_bytes) / _MB,
    )
