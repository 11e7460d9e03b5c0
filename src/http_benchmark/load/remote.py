"""What runs on a worker of a cluster: one part of a load, begun at a moment of the worker's wall clock."""

from __future__ import annotations

import threading
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.errors import BenchmarkError, NothingMeasured, UsageError
from http_benchmark.load.worker import Task, run_part, sleep_until

if TYPE_CHECKING:
    from http_benchmark.measurement.round import Round

_STOPS: Final[dict[str, threading.Event]] = {}
"""Of the runs of this process, by id."""


class Assignment(NamedTuple):
    """What a worker has to do, and when."""

    task: Task
    begin_s: float
    """Wall clock of the worker."""
    run_id: str


def run_assignment(assignment: Assignment) -> Round:
    """Run it in this thread of the worker."""
    stop = _STOPS.setdefault(assignment.run_id, threading.Event())
    try:
        return run_part(
            assignment.task,
            start=lambda: sleep_until(assignment.begin_s, time.time, stop),
            stop=stop,
        )
    except BenchmarkError as error:  # as one that survives being sent
        kind = UsageError if error.exit_code == UsageError.exit_code else NothingMeasured
        raise kind(str(error)) from None
    finally:
        del _STOPS[assignment.run_id]


def stop(run_id: str) -> bool:
    """End a run, if this process has it."""
    found = _STOPS.get(run_id)
    if found is not None:
        found.set()
    return found is not None


def own_version() -> str:
    """Return the version of this package."""
    try:
        return version("penstock")
    except PackageNotFoundError:  # run from its source
        return "unknown"
