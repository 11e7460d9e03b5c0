"""Load from several machines: one generator on each worker of a Dask cluster, all begun at one moment.

    dask scheduler                                # on one machine
    dask worker tcp://10.0.0.1:8786               # on each that makes load
    http-benchmark load --distributed tcp://10.0.0.1:8786 ...

Each worker gets one task, which runs nowhere else and never twice, and opens its connections. Then all are
told when to begin. Wall clocks differ, so that of each
worker is compared with ours first, to half of a round trip; the moment is then told to each in its own
time. Scenarios travel with the contents of all files they were made from, rounds come back with their
histograms whole, and all adds up exactly. A worker that is lost or falls silent is told and holds up
nobody. A cluster runs whatever it is sent: use one that only you can reach.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from uuid import uuid4

from http_benchmark.errors import BenchmarkError, MissingLibrary, NothingMeasured, UsageError
from http_benchmark.load.parts import divide_options, divide_scenario, head_start_s, join_rounds
from http_benchmark.load.remote import Assignment, own_version, run_assignment
from http_benchmark.load.worker import Task

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario
    from http_benchmark.measurement.round import Round

_REACH_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1
_TRIPS: Final = 5
_SURE_S: Final = 0.25
_LEAD_S: Final = 0.3
"""From telling the moment to the moment: it has to reach all."""
_GRACE_S: Final = 30.0
"""Beyond all that a round may take."""
_REMOTE: Final = "__import__('http_benchmark.load.remote', fromlist=['x'])"
"""Sent as text: a function of ours could not even be read where this package is missing."""


class Clock(NamedTuple):
    """What the wall clock of a worker shows."""

    ahead_s: float
    """Of ours."""
    unsure_s: float
    """By which that may be wrong."""


def run_distributed(
    scenario: Scenario,
    options: LoadOptions,
    scheduler: str,
    *,
    number: int = 0,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> Round:
    """Run one round of load from all workers of a cluster; for several, `Cluster` connects once."""
    with Cluster(scheduler) as cluster:
        return cluster.run(scenario, options, number=number, stop=stop, tell=tell)


class Cluster:
    """A connection to a cluster. UsageError when there is none, or its workers are of another kind."""

    def __init__(self, scheduler: str) -> None:
        self._scheduler = scheduler
        self._client = _connect(scheduler)
        try:
            self.workers = self._find_workers()
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run(
        self,
        scenario: Scenario,
        options: LoadOptions,
        *,
        number: int = 0,
        stop: threading.Event | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Round:
        """Run one round from all workers that are there now. `stop` ends it at once and still returns
        what there is. `tell` gets what goes wrong with single workers; None: stderr.
        """
        self.workers = self._find_workers()
        parts = len(self.workers)
        shares = zip(divide_scenario(scenario, parts), divide_options(options, parts), strict=True)
        course = _Course(self._client, self.workers, tell or _to_stderr, stop)
        course.hand_out([Task(part, share, number) for part, share in shares])
        try:
            course.begin(options)
            return course.collect(_longest_s(options))
        except BaseException:
            course.give_up()
            raise

    def _find_workers(self) -> list[str]:
        workers = sorted(self._client.nthreads())
        if not workers:
            raise NothingMeasured(
                f"{self._scheduler} has no workers; start `dask worker {self._scheduler}` on each machine"
            )
        _check_versions(self._client.run(eval, f"{_REMOTE}.own_version()", on_error="return"))
        return workers


class _Course:
    """One round: who does what, and what came of it."""

    def __init__(
        self,
        client: Any,
        workers: list[str],
        tell: Callable[[str], None],
        stop: threading.Event | None,
    ) -> None:
        self._client = client
        self._stop = stop
        self._is_stopping = False
        self._tell = tell
        self._run_id = uuid4().hex
        self._futures: dict[str, Any] = {}
        """By worker; without those that are done or lost."""
        self._rounds: list[Round] = []
        self._workers = workers
        self._clocks = {worker: self._read_clock(worker) for worker in workers}

    def hand_out(self, tasks: list[Task]) -> None:
        """Give each worker its task."""
        for part, (worker, task) in enumerate(zip(self._workers, tasks, strict=True)):
            self._futures[worker] = self._client.submit(
                run_assignment,
                Assignment(task, self._run_id, part),
                workers=[worker],
                allow_other_workers=False,
                pure=False,
                retries=0,
                key=f"http-benchmark-{self._run_id}-{part}",
            )

    def begin(self, options: LoadOptions) -> None:
        """Wait until the connections of all are open, and tell all when to begin."""
        until_s = time.monotonic() + 2 * options.timeout_s + _GRACE_S
        while waited := self._unready():
            self._look()
            self._stop_if_wanted()
            if self._is_stopping:
                return
            if time.monotonic() > until_s:
                for worker in waited & set(self._futures):
                    self._lose(worker, "could not open its connections in time")
        moment_s = time.time() + _LEAD_S
        moments_s = [
            moment_s + head_start_s(options, part) + self._clocks[worker].ahead_s
            for part, worker in enumerate(self._workers)
        ]
        self._ask(f"begin({self._run_id!r}, {moments_s!r})")

    def collect(self, longest_s: float | None) -> Round:
        """Wait for all, and add up what came."""
        until_s = None if longest_s is None else time.monotonic() + longest_s
        while self._futures:
            self._look()
            was_stopping = self._is_stopping
            self._stop_if_wanted()
            if self._is_stopping and not was_stopping:
                until_s = time.monotonic() + _GRACE_S
            if until_s is not None and time.monotonic() > until_s:
                for worker in list(self._futures):
                    self._lose(worker, "does not answer any more")
        if not self._rounds:
            raise NothingMeasured("not one worker came to its end")
        found = join_rounds(self._rounds)
        found.was_interrupted |= len(self._rounds) < len(self._workers)
        return found

    def _unready(self) -> set[str]:
        """Those that have neither opened their connections nor ended."""
        found = self._ask(f"is_ready({self._run_id!r})")
        return {worker for worker in self._futures if found.get(worker) is not True}

    def _stop_if_wanted(self) -> None:
        if self._stop is not None and self._stop.is_set() and not self._is_stopping:
            self._is_stopping = True
            self._ask(f"stop({self._run_id!r})")

    def _ask(self, call: str) -> dict[str, Any]:
        """Return what a call of `remote` comes to on each worker, be it an exception."""
        found: dict[str, Any] = self._client.run(eval, f"{_REMOTE}.{call}", on_error="return")
        return found

    def _look(self) -> None:
        time.sleep(_LOOK_EVERY_S)
        present = self._client.nthreads()
        for worker, future in list(self._futures.items()):
            if future.status == "finished":
                made: Round = future.result()
                made.started_at -= self._clocks[worker].ahead_s
                self._rounds.append(made)
                del self._futures[worker]
            elif future.status in {"error", "cancelled", "lost"}:
                error = future.exception() if future.status == "error" else None
                if isinstance(error, BenchmarkError):
                    raise error
                self._lose(worker, f"failed: {error}" if error else "was lost")
            elif worker not in present:  # its task would wait for ever for it to come back
                self._lose(worker, "left the cluster")

    def give_up(self) -> None:
        """End all that runs."""
        self._ask(f"stop({self._run_id!r})")
        self._client.cancel(list(self._futures.values()))

    def _lose(self, worker: str, why: str) -> None:
        self._client.cancel([self._futures.pop(worker)])
        self._tell(f"worker {worker} {why}")

    def _read_clock(self, worker: str) -> Clock:
        best = Clock(0.0, float("inf"))
        for _ in range(_TRIPS):
            sent_s = time.time()
            there_s = self._client.run(time.time, workers=[worker])[worker]
            back_s = time.time()
            if (back_s - sent_s) / 2 < best.unsure_s:
                best = Clock(there_s - (sent_s + back_s) / 2, (back_s - sent_s) / 2)
        if best.unsure_s > _SURE_S:
            self._tell(
                f"the clock of worker {worker} is known to {best.unsure_s:.1f} s only, so it may begin late"
            )
        return best


def _connect(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise MissingLibrary("distributed", 'pip install "penstock[bench-distributed]"') from None
    try:
        return Client(scheduler, timeout=_REACH_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"there is no Dask scheduler at {scheduler} ({_first_line(error)}); start one with `dask "
            "scheduler`, which prints its address, such as tcp://10.0.0.1:8786"
        ) from None


def _check_versions(found: dict[str, Any]) -> None:
    ours = own_version()
    for worker, version in sorted(found.items()):
        if isinstance(version, BaseException):
            raise UsageError(
                f"the worker {worker} has no http_benchmark ({_first_line(version)}); install penstock "
                f"{ours} where it runs"
            )
        if version != ours:
            raise UsageError(
                f"the worker {worker} has version {version} of http_benchmark, and this is {ours}; install "
                "the same on both"
            )


def _longest_s(options: LoadOptions) -> float | None:
    """How long a round may take; None where only the server knows."""
    if options.requests is not None:
        return None
    return _LEAD_S + 2 * options.timeout_s + options.warm_up_s + options.duration_s + _GRACE_S


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _to_stderr(message: str) -> None:
    print(f"http-benchmark: {message}", file=sys.stderr)
