"""Sync clients: N threads, each with its own client, its own recorder and one request at a time.

They wait for each other once, before the first request, until all have made their clients; then never again.
A thread learns the time from the reply it just had, so that the closed loop asks no clock of its own.

With hundreds of threads the interpreter is asked to hand itself on so often (every 5 ms by each that waits
for it) that it gets to little else. From 200 on it is asked more rarely while a round runs: 2,000 threads
that wait half a second for each reply then do 3,980 requests a second instead of 150; 4,000 are possible.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter_ns, sleep
from typing import TYPE_CHECKING, Final

from http_benchmark.engine.faults import NOT_CONNECTED, classify
from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.clients.adapter import Call, Exchange, SyncClient
    from http_benchmark.engine.phase import Phase, Phases
    from http_benchmark.engine.recorder import Recorder
    from http_benchmark.engine.stretch import Stretch
    from http_benchmark.engine.subject import Subject

PAUSE_S: Final = 0.1
"""A worker that could not connect waits so long before it tries again."""
_STACK_OCTETS: Final = 512 * 1024
_MANY: Final = 200
_SWITCH_INTERVAL_OF_MANY_S: Final = 0.1
_LOOK_S: Final = 0.1
"""Who waits for a due time looks up so often whether the round was stopped."""


class ThreadCrew:
    """The threads of one round."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.warm_up = [subject.make_recorder() for _ in range(subject.concurrency)]
        self.recorders = [subject.make_recorder() for _ in range(subject.concurrency)]
        self._made: SimpleQueue[BaseException | None] = SimpleQueue()
        self._gate = threading.Event()
        self._phases: Phases | None = None
        self._threads: list[threading.Thread] = []
        self.failure: BaseException | None = None
        """What broke a worker, and is no error of a request."""
        self._switch_interval_s = sys.getswitchinterval()

    def prepare(self) -> None:
        """Start the threads and have them make their clients; raise what that raised."""
        if self._subject.concurrency >= _MANY:
            sys.setswitchinterval(_SWITCH_INTERVAL_OF_MANY_S)
        before = threading.stack_size(_STACK_OCTETS)
        try:
            for number in range(self._subject.concurrency):
                thread = threading.Thread(
                    target=self._run, args=(number,), name=f"client-{number}", daemon=True
                )
                thread.start()
                self._threads.append(thread)
        except RuntimeError:
            self._leave()
            raise UsageError(
                f"no more than {len(self._threads)} threads can be started here; "
                "use a lower concurrency, or a client in the mode async"
            ) from None
        finally:
            threading.stack_size(before)
        failures = [failure for _ in self._threads if (failure := self._made.get()) is not None]
        if failures:
            self._leave()
            raise failures[0]

    def go(self, phases: Phases) -> None:
        """Begin."""
        self._phases = phases
        self._gate.set()

    def is_done(self) -> bool:
        """Whether all have ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Have those look up who wait for a due time; they do by themselves."""

    def finish(self, drain_s: float) -> None:
        """Wait for the requests in flight, and give up what is not answered then: its threads end with the
        timeout of their request.
        """
        until_ns = perf_counter_ns() + int(drain_s * 1e9)
        for thread, recorder in zip(self._threads, self.recorders, strict=False):
            thread.join(max(0.0, (until_ns - perf_counter_ns()) / 1e9))
            if thread.is_alive():
                recorder.give_up()
        sys.setswitchinterval(self._switch_interval_s)

    def _leave(self) -> None:
        """Have all end that were started, and have sent nothing."""
        self._gate.set()
        self.finish(_LOOK_S)

    def _run(self, number: int) -> None:
        try:
            client = self._subject.make_sync()
        except BaseException as error:
            self._made.put(error)
            return
        self._made.put(None)
        try:
            self._gate.wait()
            if self._phases is not None:
                self._work(client, self._phases, self.warm_up[number], self.recorders[number])
        except BaseException as error:
            self.failure = error
        finally:
            with suppress(Exception):  # what was measured stands
                client.close()

    def _work(self, client: SyncClient, phases: Phases, warm_up: Recorder, recorder: Recorder) -> None:
        subject = self._subject
        send = _send_in_turn if subject.is_closed_loop else _send_when_due
        last_ns = send(client.exchange, subject.call, phases.warm_up, warm_up, subject)
        recorder.straddle(last_ns, phases.measured.stretch.begin_ns)
        recorder.opened_before = client.connections_opened()
        send(client.exchange, subject.call, phases.measured, recorder, subject)
        recorder.opened_in_all = client.connections_opened()


def _send_in_turn(
    exchange: Callable[[Call], Exchange], call: Call, phase: Phase, recorder: Recorder, subject: Subject
) -> int:
    """Send the next request when the last was answered, to the end of the stretch; return when the last was
    over, 0 when there was none.
    """
    stretch, keep = phase.stretch, recorder.keep
    now_ns, last_ns = perf_counter_ns(), 0
    for _ in phase.tickets:
        if now_ns >= stretch.end_ns:
            break
        try:
            done = exchange(call)
        except Exception as error:
            last_ns = perf_counter_ns()
            kind = classify(error, subject.adapter)
            recorder.fail_by(kind, error, now_ns, last_ns)
            if kind in NOT_CONNECTED:
                sleep(PAUSE_S)
            now_ns = perf_counter_ns()
            continue
        keep(done)
        now_ns = last_ns = done.finished_ns
    return last_ns


def _send_when_due(
    exchange: Callable[[Call], Exchange], call: Call, phase: Phase, recorder: Recorder, subject: Subject
) -> int:
    """Send each request when it is due, or as soon after as this thread is free."""
    stretch, schedule, keep = phase.stretch, phase.schedule, recorder.keep_due
    last_ns = 0
    if schedule is None:
        raise ValueError("an open loop needs a schedule")
    for ticket in phase.tickets:
        due_ns = schedule.due_ns(ticket)
        if not _wait_until(due_ns, stretch):
            break
        now_ns = perf_counter_ns()
        try:
            done = exchange(call)
        except Exception as error:
            last_ns = perf_counter_ns()
            recorder.fail_by(classify(error, subject.adapter), error, now_ns, last_ns)
            continue
        keep(done, due_ns)
        last_ns = done.finished_ns
    return last_ns


def _wait_until(due_ns: int, stretch: Stretch) -> bool:
    """Sleep; return whether a request may still be begun."""
    while (left_ns := due_ns - perf_counter_ns()) > 0:
        if due_ns >= stretch.end_ns:
            return False
        sleep(min(left_ns / 1e9, _LOOK_S))  # clock_nanosleep: some 60 us late, and nothing burnt
    return perf_counter_ns() < stretch.end_ns
