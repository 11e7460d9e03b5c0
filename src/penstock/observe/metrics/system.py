"""What the system knows of the processes that count: memory, descriptors, processor time, when they began.

Read by whoever is asked, of all of them, so that a process that is stuck is told of as well. Where there is
no /proc, these are absent.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from penstock.observe.memory import measure_rss
from penstock.observe.metrics.gather import Family

if TYPE_CHECKING:
    from penstock.observe.metrics.gather import Process, Snapshot

_LABELS: Final = ("worker",)


def system_families(snapshot: Snapshot) -> list[Family]:
    """Return a series for each process, by its place; what was lost with one that was killed, too."""
    memory = Family("process_resident_memory_bytes", "gauge", "Memory resident", "bytes", _LABELS)
    descriptors = Family("process_open_fds", "gauge", "Open descriptors", "", _LABELS)
    limits = Family("process_max_fds", "gauge", "Descriptors it may open", "", _LABELS)
    cpu = Family("process_cpu_seconds", "counter", "Processor time", "seconds", _LABELS)
    started = Family("process_start_time_seconds", "gauge", "When it began, Unix time", "seconds", _LABELS)
    epoch_s = time.time() - time.monotonic()
    for process in snapshot.processes:
        label = (str(process.place),)
        started.series[label] = round(epoch_s + process.started, 3)
        _measure(process, label, memory, descriptors, limits, cpu)
    lost = Family("penstock_requests_lost", "counter", "Requests in flight in a worker that was killed")
    lost.series[()] = snapshot.lost
    return [memory, descriptors, limits, cpu, started, lost]


def _measure(
    process: Process, label: tuple[str, ...], memory: Family, descriptors: Family, limits: Family, cpu: Family
) -> None:
    octets = measure_rss(process.pid)
    if octets:
        memory.series[label] = octets
    try:
        folder = Path("/proc", str(process.pid))
        descriptors.series[label] = sum(1 for _ in (folder / "fd").iterdir())
        for line in (folder / "limits").read_text().splitlines():
            if line.startswith("Max open files"):
                limits.series[label] = int(line.split()[3])
        # proc(5): the name may hold anything, so fields are counted from behind it.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        cpu.series[label] = round((int(fields[11]) + int(fields[12])) / _ticks_per_s(), 2)
    except (OSError, ValueError, IndexError):
        pass  # it has ended, it is another user's, or there is no such thing


@cache
def _ticks_per_s() -> int:
    return os.sysconf("SC_CLK_TCK")
