"""What watching processes costs: the thread of the sampler, in % of one core, at the interval of 0.1 s.

Watched are processes that sleep, which is what most workers of a server look like to it, and this one. Ten
times a second the caches are cold, so a look costs more than in a loop; so it is measured as it is used. By
psutil the same is printed beside it, to say why /proc is asked instead. Goal: under 1 %.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise
from http_benchmark.errors import MissingLibrary
from http_benchmark.monitor.portable import PsutilReader
from http_benchmark.monitor.proc import ProcReader
from http_benchmark.monitor.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_benchmark.monitor.usage import Reader

GOAL_PERCENT = 1.0
_INTERVAL_S = 0.1
_ROUNDS = 5
_SECONDS = 4.0
_PROCESSES = (1, 10)


@contextmanager
def sleeping(count: int) -> Iterator[list[int]]:
    """Start processes of Python that sleep."""
    command = [sys.executable, "-c", "print(flush=True); import time; time.sleep(600)"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in processes:
            if process.stdout is not None:
                process.stdout.readline()
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def cost_percent(pids: list[int], reader: Reader, seconds: float) -> float:
    """Return what the thread of a sampler used, in % of a core."""
    started_s = time.monotonic()
    with Sampler(pids, _INTERVAL_S, reader=reader) as sampler:
        time.sleep(seconds)
    return 100.0 * sampler.own_cpu_s / (time.monotonic() - started_s)


def measure(options: Options) -> Report:
    """Watch one process and ten, in turns."""
    readers: dict[str, Reader] = {"/proc": ProcReader()}
    left_out = [f"goal: below {GOAL_PERCENT:g} % of a core"]
    try:
        readers["psutil"] = PsutilReader()
    except MissingLibrary as error:
        left_out.append(f"psutil: {error}")
    seconds, rounds = (0.3, 1) if options.is_quick else (_SECONDS, _ROUNDS)
    samples: dict[tuple[int, str], list[float]] = {}
    with sleeping(max(_PROCESSES)) as pids:
        for _ in range(rounds):
            for count in _PROCESSES:
                for name, reader in readers.items():
                    found = cost_percent(pids[:count], reader, seconds)
                    samples.setdefault((count, name), []).append(found)
    figures: list[Figure] = [
        summarise(f"{count} processes every {_INTERVAL_S:g} s", name, found, "% of a core")
        for (count, name), found in samples.items()
    ]
    return Report(figures, left_out)


if __name__ == "__main__":
    sys.exit(main(["rightness_monitor"]))
