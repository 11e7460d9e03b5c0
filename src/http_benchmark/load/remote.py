"""What runs on a worker of a cluster: one part of a load, begun at a moment of the worker's wall clock.

The part runs in a thread of its own; all else here is called from the worker's event loop meanwhile.
"""

from __future__ import annotations

import threading
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.errors import BenchmarkError, NothingMeasured, UsageError
from http_benchmark.load.worker import Task, run_part, sleep_until

if TYPE_CHECKING:
    from http_benchmark.measurement.round import Round


class Assignment(NamedTuple):
    """What a worker has to do."""

    task: Task
    run_id: str
    part: int
    """Which of the parts of the load it is, from 0."""


class _Run:
    """A part that is under way in this process."""

    def __init__(self) -> None:
        self.part = 0
        self.is_ready = False
        """Whether its connections are open."""
        self.told = threading.Event()
        self.moment_s = 0.0
        """When to begin, by the wall clock here, once that was told."""
        self.stop = threading.Event()


_RUNS: Final[dict[str, _Run]] = {}
"""By id."""
_UNTOLD_S: Final = 60.0
"""Beyond the timeout of connections of others: who started this is gone."""


def run_assignment(assignment: Assignment) -> Round:
    """Run it in this thread of the worker: open the connections, wait to be told when to begin."""
    run = _RUNS.setdefault(assignment.run_id, _Run())
    run.part = assignment.part

    def start() -> None:
        run.is_ready = True
        if not run.told.wait(_UNTOLD_S + assignment.task.options.timeout_s):
            raise NothingMeasured("nobody said when to begin")
        sleep_until(run.moment_s, time.time, run.stop)

    try:
        return run_part(assignment.task, start=start, stop=run.stop)
    except BenchmarkError as error:  # as one that survives being sent
        kind = UsageError if error.exit_code == UsageError.exit_code else NothingMeasured
        raise kind(str(error)) from None
    finally:
        del _RUNS[assignment.run_id]


def is_ready(run_id: str) -> bool:
    """Whether all connections of a run are open here."""
    run = _RUNS.get(run_id)
    return run is not None and run.is_ready


def begin(run_id: str, moments_s: list[float]) -> None:
    """Say when to begin: of each part, by the wall clock of its worker."""
    if (run := _RUNS.get(run_id)) is not None:
        run.moment_s = moments_s[run.part]
        run.told.set()


def stop(run_id: str) -> None:
    """End a run, if this process has it."""
    if (run := _RUNS.get(run_id)) is not None:
        run.stop.set()
        run.told.set()


def own_version() -> str:
    """Return the version of this package."""
    try:
        return version("penstock")
    except PackageNotFoundError:  # run from its source
        return "unknown"
