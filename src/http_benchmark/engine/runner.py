"""Clients measured from the outside: one configuration, or several in turns.

    result = BenchmarkRunner(BenchmarkConfiguration(url=url, client="httpx", duration_s=5.0)).run()

One interpreter runs all of them, one round at a time, each with fresh clients. Ctrl-C ends the running round,
and what there is is returned; a second one ends all at once.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from http_benchmark.engine.edges import edge_warnings
from http_benchmark.engine.measuring import measure_round
from http_benchmark.engine.subject import Subject, make_subject
from http_benchmark.errors import NothingMeasured, UsageError
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.turns import turns
from http_benchmark.statistics.doubts import doubts
from http_benchmark.statistics.machine import look_at_machine, machine_warnings
from http_benchmark.storage.environment import look_at_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from http_benchmark.clients.adapter import Adapter
    from http_benchmark.configuration import BenchmarkConfiguration
    from http_benchmark.measurement.progress import Progress
    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.measurement.round import Round


class BenchmarkRunner:
    """Measures one client library. `watch` is told about four times a second how far it has come."""

    def __init__(
        self,
        configuration: BenchmarkConfiguration,
        *,
        adapter: Adapter | None = None,
        watch: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._configuration = configuration
        self._adapter = adapter
        self._watch = watch
        self._stop = stop

    def run(self) -> BenchmarkResult:
        """Measure all rounds. NothingMeasured when not one request succeeded, UsageError for what cannot
        be done.
        """
        subject = make_subject(self._configuration, self._adapter or _find(self._configuration.client))
        return _measure([subject], self._watch, self._stop)[0]


def measure_in_turns(
    configurations: Sequence[BenchmarkConfiguration],
    *,
    watch: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> list[BenchmarkResult]:
    """Measure several, a round of each in turn, so that a disturbance meets all; all need as many rounds.

    Return their results in the order given. One of whom a round measured nothing gets no more rounds; if it
    has none at all it is missing, and the others say so among their `warnings`. `stop`, or Ctrl-C without
    it, ends the running round; those never measured are missing then. NothingMeasured when none is left.
    """
    if len({each.rounds for each in configurations}) > 1:
        raise UsageError("what is measured in turns needs the same number of rounds")
    return _measure([make_subject(each, _find(each.client)) for each in configurations], watch, stop)


@dataclass(slots=True)
class _Entry:
    """A subject, and what came of it so far."""

    subject: Subject
    rounds: list[Round] = field(default_factory=list)
    failure: NothingMeasured | None = None


def _measure(
    subjects: Sequence[Subject], watch: Callable[[Progress], None] | None, stop: threading.Event | None
) -> list[BenchmarkResult]:
    if not subjects:
        return []
    entries = [_Entry(subject) for subject in subjects]
    machine = look_at_machine()
    with _stopping(stop) as ending:
        for number, entry in turns(entries, subjects[0].configuration.rounds):
            if ending.is_set():
                break
            if entry.failure is not None:
                continue
            try:
                found = measure_round(entry.subject, number, ending, watch)
            except NothingMeasured as failure:
                entry.failure = failure
            else:
                if found.requests:  # a round that was interrupted while it warmed up has none
                    entry.rounds.append(found)
    measured = [entry for entry in entries if entry.rounds]
    if not measured:
        failures = [entry.failure for entry in entries if entry.failure is not None]
        raise failures[0] if failures else NothingMeasured("stopped before anything was measured")
    missing = [said for entry in entries if (said := _missing(entry))]
    of_machine = machine_warnings(machine, look_at_machine())
    results = [_result_of(entry) for entry in measured]
    for result in results:
        result.warnings = [*missing, *edge_warnings(result), *doubts(result), *of_machine]
    return results


def _result_of(entry: _Entry) -> BenchmarkResult:
    wanted = entry.subject.configuration
    return summarise(
        entry.rounds,
        name=wanted.label,
        client_library=entry.subject.adapter.name,
        client_type=wanted.mode,
        http_method=wanted.method,
        url=wanted.url,
        concurrency=wanted.concurrency,
        config_snapshot=wanted.to_dict(),
        environment=look_at_environment([entry.subject.adapter.distribution]),
    )


def _missing(entry: _Entry) -> str:
    """Return which rounds there are not, and why; "" when all are there."""
    wanted, count = entry.subject.configuration, len(entry.rounds)
    if count == wanted.rounds:
        return ""
    name = f"{entry.subject.adapter.name} ({wanted.mode})"
    if entry.failure is not None:
        return f"{name}: {f'no round after the first {count}: ' if count else ''}{entry.failure}"
    return f"{name}: stopped after {count} of {wanted.rounds} rounds"


def _find(name: str) -> Adapter:
    from http_benchmark.clients.registry import find_adapter

    return find_adapter(name)


@contextmanager
def _stopping(stop: threading.Event | None) -> Iterator[threading.Event]:
    """Yield the event that ends the measurement: the one given, or one that Ctrl-C sets.

    Ctrl-C is left alone where it is somebody else's: in a thread, or with a handler of the program.
    """
    ending = threading.Event() if stop is None else stop
    is_ours = (
        stop is None
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not is_ours:
        yield ending
        return

    def end(_number: int, _frame: object) -> None:
        if ending.is_set():
            raise KeyboardInterrupt
        ending.set()

    signal.signal(signal.SIGINT, end)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
