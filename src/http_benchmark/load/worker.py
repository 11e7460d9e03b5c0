"""`python -m http_benchmark.load.worker`: one of several generators, told by its parent what to do.

In on stdin: a Task, then when to start, then perhaps STOP. Out on stdout: READY when all connections are
open, a BEAT every second as a sign of life, Progress where it is
wanted, then the Round, or the error. When the parent is gone, so is
stdin: the round ends and the process with it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from http_benchmark.errors import BenchmarkError, NothingMeasured, UsageError
from http_benchmark.load.frames import Inbox, Outbox
from http_benchmark.load.generator import run_load
from http_benchmark.monitor.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario
    from http_benchmark.measurement.progress import Progress
    from http_benchmark.measurement.round import Round

READY: Final = "ready"
BEAT: Final = "beat"
STOP: Final = "stop"
_BEAT_EVERY_S: Final = 1.0
_SPIN_S: Final = 0.002


class Task(NamedTuple):
    """What a generator has to do."""

    scenario: Scenario
    options: LoadOptions
    number: int
    """Of the round."""
    rounds: int = 1
    name: str = ""
    is_watched: bool = False
    """Whether the parent wants to know how far it has come."""


def run_part(
    task: Task,
    *,
    watch: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    start: Callable[[], None] | None = None,
) -> Round:
    """Run one part, and watch this process meanwhile. The rest is as of `run_load`."""
    with ExitStack() as stack:
        sampler = Sampler("self", with_children=False)
        began = []

        def begin() -> None:
            if start is not None:
                start()
            began.append(stack.enter_context(sampler))

        made = run_load(
            task.scenario,
            task.options,
            number=task.number,
            rounds=task.rounds,
            name=task.name,
            watch=watch,
            stop=stop,
            start=begin,
        )
    warm_up_s = task.options.warm_up_s
    if made.generator is not None and began:
        made.generator.samples = [
            replace(each, offset_s=each.offset_s - warm_up_s)
            for each in sampler.resources().samples
            if each.offset_s >= warm_up_s
        ]
    return made


def sleep_until(moment_s: float, clock: Callable[[], float], stop: threading.Event) -> None:
    """Return at a moment of a clock, to some microseconds; at once where it has passed, or `stop` is set."""
    while (left_s := moment_s - clock()) > 0 and not stop.is_set():
        if left_s > _SPIN_S:
            stop.wait(left_s - _SPIN_S)


def main() -> None:
    """Do what the parent says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides what it means
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not stand between messages
    inbox, outbox = Inbox(sys.stdin.fileno()), Outbox(out)
    try:
        task: Task = inbox.wait()
        outbox.send(_answer(task, inbox, outbox))
    except (EOFError, BrokenPipeError):
        sys.exit(1)


def _answer(task: Task, inbox: Inbox, outbox: Outbox) -> Round | BenchmarkError:
    stop = threading.Event()
    parent = _Parent(inbox, outbox, stop)

    def start() -> None:
        outbox.send(READY)
        moment_s = inbox.wait()
        if moment_s == STOP:
            stop.set()
            return
        parent.start()
        sleep_until(moment_s, time.monotonic, stop)

    try:
        return run_part(task, watch=outbox.send if task.is_watched else None, start=start, stop=stop)
    except BenchmarkError as error:
        return (
            UsageError(str(error)) if error.exit_code == UsageError.exit_code else NothingMeasured(str(error))
        )
    finally:
        parent.end()


class _Parent(threading.Thread):
    """Gives signs of life, and stops the round when the parent says so or is gone."""

    def __init__(self, inbox: Inbox, outbox: Outbox, stop: threading.Event) -> None:
        super().__init__(name="parent", daemon=True)
        self._inbox = inbox
        self._outbox = outbox
        self._stop_round = stop
        self._ended, self._end = os.pipe()

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self._inbox.fd, self._ended], [], [], _BEAT_EVERY_S)
            if self._ended in ready:
                return
            try:
                if not ready:
                    self._outbox.send(BEAT)
                    continue
                self._inbox.read()
            except OSError:
                self._stop_round.set()
                return
            if self._inbox.is_closed or STOP in self._inbox.take():
                self._stop_round.set()
                return

    def end(self) -> None:
        """After it, nothing but the result is written."""
        os.write(self._end, b"!")
        if self.is_alive():
            self.join()
        os.close(self._ended)
        os.close(self._end)


if __name__ == "__main__":
    main()
