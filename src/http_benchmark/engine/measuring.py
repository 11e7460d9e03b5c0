"""One round of one subject, from making its clients to closing them."""

from __future__ import annotations

import gc
import time
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple, Protocol

from http_benchmark.engine.descriptors import make_room
from http_benchmark.engine.faults import describe
from http_benchmark.engine.folding import fold
from http_benchmark.engine.phase import NS, plan_phases
from http_benchmark.engine.stretch import drain_s
from http_benchmark.engine.tasks import TaskCrew
from http_benchmark.engine.threads import ThreadCrew
from http_benchmark.engine.watching import LOOK_S, Watcher
from http_benchmark.errors import BenchmarkError, NothingMeasured
from http_benchmark.measurement.progress import Progress
from http_benchmark.monitor.sampler import Sampler

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from http_benchmark.engine.phase import Phases
    from http_benchmark.engine.recorder import Recorder
    from http_benchmark.engine.subject import Subject
    from http_benchmark.measurement.round import Resources, Round

_TICK_S = 0.02
"""How soon a stop, or the end, is seen."""


class Crew(Protocol):
    """Workers of either mode."""

    warm_up: list[Recorder]
    recorders: list[Recorder]
    failure: BaseException | None

    def prepare(self) -> None: ...
    def go(self, phases: Phases) -> None: ...
    def is_done(self) -> bool: ...
    def wake(self) -> None: ...
    def finish(self, drain_s: float) -> None: ...


class Share(NamedTuple):
    """What of a configuration falls to one round."""

    number: int
    rounds: int
    duration_s: float
    requests: int | None


def share_of(subject: Subject, number: int) -> Share:
    """Return what falls to that round; requests that do not divide evenly fall to the first rounds."""
    wanted = subject.configuration
    requests = None
    if wanted.requests is not None:
        each, rest = divmod(wanted.requests, wanted.rounds)
        requests = each + (number < rest)
    return Share(number, wanted.rounds, wanted.duration_s / wanted.rounds, requests)


def measure_round(
    subject: Subject, number: int, stop: threading.Event, watch: Callable[[Progress], None] | None = None
) -> Round:
    """Measure one round with fresh clients. `stop` ends it early, with what there is until then.

    NothingMeasured when not one request succeeded, after a second or so.
    """
    make_room(subject.concurrency)
    gc.collect()  # what the round before left is not this one's to clear up
    crew: Crew = ThreadCrew(subject) if subject.configuration.mode == "sync" else TaskCrew(subject)
    try:
        crew.prepare()
    except BenchmarkError:
        raise
    except Exception as error:
        raise NothingMeasured(f"{subject.adapter.name} makes no client: {describe(error)}") from error
    return _Running(subject, share_of(subject, number), crew, stop, watch).run()


class _Running:
    """A round while it runs."""

    def __init__(
        self,
        subject: Subject,
        share: Share,
        crew: Crew,
        stop: threading.Event,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        wanted = subject.configuration
        self._subject, self._share, self._crew, self._stop = subject, share, crew, stop
        self._phases = plan_phases(
            perf_counter_ns(),
            warm_up_s=wanted.warm_up_s,
            duration_s=share.duration_s,
            requests=share.requests,
            rate_per_s=wanted.rate_per_s,
            rate_to_per_s=wanted.rate_to_per_s,
        )
        self._stretch = self._phases.measured.stretch
        of_s = share.duration_s if share.requests is None else None
        client = f"{subject.adapter.name} ({wanted.mode})"
        progress = Progress(wanted.label, share.number, share.rounds, 0.0, of_s, 0.0, 0, 0, 0, 0, client)
        self._watcher = Watcher(
            crew.recorders, crew.warm_up, self._phases.measured, watch, progress, wanted.concurrency
        )
        self._was_stopped = self._was_hopeless = False

    def run(self) -> Round:
        """Run it to its end."""
        begin_in_s = (self._stretch.begin_ns - perf_counter_ns()) / NS
        started_at = time.time() + begin_in_s
        try:
            self._crew.go(self._phases)
            used = self._watch()
        except BaseException:
            self._end()
            self._crew.finish(0.0)
            raise
        timeout_s = 0.0 if self._was_hopeless else self._subject.configuration.timeout_s
        self._crew.finish(drain_s(timeout_s, was_interrupted=self._was_stopped))
        if (failure := self._crew.failure) is not None:
            if isinstance(failure, BenchmarkError):
                raise failure
            raise NothingMeasured(f"{self._subject.adapter.name} broke: {describe(failure)}") from failure
        found = fold(
            self._crew.recorders,
            self._phases.measured,
            number=self._share.number,
            started_at=started_at,
            octets_of_body=len(self._subject.call.body),
        )
        found.generator = used
        found.was_interrupted = self._was_stopped
        if not found.requests and not self._was_stopped:
            raise NothingMeasured(self._why(found))
        return found

    def _watch(self) -> Resources | None:
        """Wait until nothing more is to be begun; return what the measured stretch has used."""
        self._wait_until(self._stretch.begin_ns)
        if self._is_over():
            return None
        interval_s = self._subject.configuration.monitoring_interval_s
        with Sampler("self", interval_s, with_children=False) as sampler:
            self._wait_until(self._stretch.end_ns)
        return sampler.resources()

    def _wait_until(self, end_ns: int) -> None:
        looked_ns = perf_counter_ns()
        while (left_ns := end_ns - (now_ns := perf_counter_ns())) > 0 and not self._is_over():
            if now_ns - looked_ns >= LOOK_S * NS:
                looked_ns = now_ns
                self._watcher.look()
            time.sleep(min(left_ns / NS, _TICK_S))  # not stop.wait: a signal handler may set it right here
            if self._crew.failure is not None or self._watcher.is_hopeless():
                self._was_hopeless = True
                self._end()
            elif self._stop.is_set():
                self._was_stopped = True
                self._end()

    def _is_over(self) -> bool:
        return self._was_stopped or self._was_hopeless or self._crew.is_done()

    def _end(self) -> None:
        self._phases.stop(perf_counter_ns())
        self._crew.wake()

    def _why(self, found: Round) -> str:
        url = self._subject.configuration.url
        for each in (*self._crew.warm_up, *self._crew.recorders):
            for kind, example in each.examples.items():
                said = kind if kind.startswith("status") else f"{kind} ({example})"
                return f"not one request to {url} succeeded: {said}"
        return (
            f"not one reply from {url} to a request begun in the {found.duration_s:.3g} s "
            "that were measured: measure longer, or warm up longer if connecting took so long"
        )
