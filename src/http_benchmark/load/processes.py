"""Load from several processes of this machine: each a whole generator, all begun at one moment.

Each opens its share of the connections and says so; then all are told the same moment of the monotonic clock,
which is one clock on one machine. What they measured adds up exactly. A process that dies or falls silent is
told of, and ended; the others go on, and what they measured counts as interrupted, because a part of the load
was missing. Processes end with this one, however it ends.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

import http_benchmark
from http_benchmark.errors import BenchmarkError, NothingMeasured
from http_benchmark.load.frames import Inbox, Outbox
from http_benchmark.load.parts import (
    divide_options,
    divide_scenario,
    head_start_s,
    join_progress,
    join_rounds,
)
from http_benchmark.load.worker import BEAT, READY, STOP, Task, run_part
from http_benchmark.measurement.progress import Progress
from http_benchmark.measurement.round import Round

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario

_SOURCE: Final = Path(http_benchmark.__file__).parents[1]
_LOOK_EVERY_S: Final = 0.05
_SILENT_LOOKS: Final = 400
"""So many looks without a sign of life, 20 s: not by a clock, which runs on while this process is stopped."""
_PATIENCE_LOOKS: Final = 2_400
"""For connections to be opened, beyond their own timeout."""
_STOP_S: Final = 10.0
_LEAD_S: Final = 0.05
"""From telling the moment to the moment."""


def run_processes(
    scenario: Scenario,
    options: LoadOptions,
    processes: int,
    *,
    number: int = 0,
    rounds: int = 1,
    name: str = "",
    watch: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> Round:
    """Run one round of load from so many processes. Ctrl-C, or `stop`, ends it at once and still returns
    what there is. `watch` is told how far all together have come; `tell` gets what goes wrong with single
    processes; None: stderr.
    """
    tasks = [
        Task(part, share, number, rounds, name, watch is not None)
        for part, share in zip(
            divide_scenario(scenario, processes), divide_options(options, processes), strict=True
        )
    ]
    with ExitStack() as stack:
        generators = [stack.enter_context(_Generator(task, at + 1)) for at, task in enumerate(tasks)]
        crowd = _Crowd(generators, watch, tell or _to_stderr, stop)
        stack.callback(crowd.close)
        crowd.wait_for(READY, _SILENT_LOOKS + _PATIENCE_LOOKS)
        moment_s = time.monotonic() + _LEAD_S
        for at, generator in enumerate(generators):
            generator.say(STOP if crowd.is_stopping else moment_s + head_start_s(options, at))
        crowd.wait_for(None, _SILENT_LOOKS)
        return crowd.result()


class _Generator:
    """One process."""

    def __init__(self, task: Task, label: int) -> None:
        self.task = task
        self.label = label
        self.round: Round | None = None
        self.progress: Progress | None = None
        """The last it told."""
        self.is_ready = False
        self.is_lost = False
        self.silent_looks = 0

    def __enter__(self) -> Self:
        self._told: IO[bytes] = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "http_benchmark.load.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._told,
                env=_environment(),
            )
        except OSError as error:
            self._told.close()
            raise BenchmarkError(f"a generator process cannot be started: {error}") from None
        assert self.process.stdin is not None  # noqa: S101  # as asked for, for mypy
        assert self.process.stdout is not None  # noqa: S101  # as above
        self._in = self.process.stdin
        self._outbox = Outbox(self._in.fileno())
        self.inbox = Inbox(self.process.stdout.fileno())
        self.say(self.task)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with suppress(OSError):
            self._in.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        try:
            self.process.wait(0 if self.is_lost or kind is not None else _STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._told.close()

    def say(self, message: object) -> None:
        """Nothing, to one that is gone: it is found out when it is listened to."""
        with suppress(OSError):
            self._outbox.send(message)

    def end(self) -> None:
        """Kill it: it does not answer, so asking is no use."""
        self.is_lost = True
        with suppress(ProcessLookupError):
            self.process.kill()

    def why(self) -> str:
        """Return how it ended, and the last it said."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self._told.seek(0)
        lines = self._told.read().decode("utf-8", "replace").strip().splitlines()
        code = self.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code and code < 0 else f"ended with code {code}"
        return f"{how}: {lines[-1]}" if lines else how


class _Crowd:
    """All of them, and what they say."""

    def __init__(
        self,
        generators: Sequence[_Generator],
        watch: Callable[[Progress], None] | None,
        tell: Callable[[str], None],
        stop: threading.Event | None,
    ) -> None:
        self._generators = generators
        self._watch = watch
        self._tell = tell
        self._stop = stop
        self.is_stopping = False
        self._selector = selectors.DefaultSelector()
        for generator in generators:
            self._selector.register(generator.inbox.fd, selectors.EVENT_READ, generator)

    def close(self) -> None:
        self._selector.close()

    def wait_for(self, sign: str | None, silent_looks: int) -> None:
        """Listen until each is ready (`READY`), or has handed in its round (None), or is lost."""
        for generator in self._generators:
            generator.silent_looks = 0
        while waited := [each for each in self._generators if self._is_awaited(each, sign)]:
            try:
                self._listen()
                self._look_for_stop()
            except KeyboardInterrupt:
                if self.is_stopping:
                    raise
                self._ask_to_stop()
            if self.is_stopping and sign is READY:
                return
            for generator in waited:
                generator.silent_looks += 1
                if generator.silent_looks > silent_looks:
                    generator.end()
                    self._lose(generator, "does not answer any more and was ended")

    def result(self) -> Round:
        """Return what those that lived measured."""
        rounds = [each.round for each in self._generators if each.round is not None]
        if not rounds:
            raise NothingMeasured("not one generator process came to its end")
        found = join_rounds(rounds)
        found.was_interrupted |= len(rounds) < len(self._generators)
        return found

    def _is_awaited(self, generator: _Generator, sign: str | None) -> bool:
        if generator.is_lost or generator.round is not None:
            return False
        return not (sign is READY and generator.is_ready)

    def _listen(self) -> None:
        for key, _ in self._selector.select(_LOOK_EVERY_S):
            generator: _Generator = key.data
            generator.inbox.read()
            for message in generator.inbox.take():
                generator.silent_looks = 0
                self._take(generator, message)
            if generator.inbox.is_closed:
                self._selector.unregister(generator.inbox.fd)
                if generator.round is None and not generator.is_lost:
                    self._lose(generator, generator.why())

    def _take(self, generator: _Generator, message: Any) -> None:
        if message == READY:
            generator.is_ready = True
        elif isinstance(message, Round):
            generator.round = message
        elif isinstance(message, Progress):
            generator.progress = message
            told = [each.progress for each in self._generators if each.progress is not None]
            if self._watch is not None and told[0] is message:  # once for all of them
                self._watch(join_progress(told))
        elif isinstance(message, BenchmarkError):
            raise message
        elif message != BEAT:
            raise BenchmarkError(f"generator process {generator.label} said {message!r}")

    def _look_for_stop(self) -> None:
        if self._stop is not None and self._stop.is_set() and not self.is_stopping:
            self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        self.is_stopping = True
        for generator in self._generators:
            if generator.is_ready:
                generator.say(STOP)

    def _lose(self, generator: _Generator, why: str) -> None:
        generator.is_lost = True
        self._tell(f"generator process {generator.label} of {len(self._generators)} {why}")


def run_spread(
    scenario: Scenario,
    options: LoadOptions,
    processes: int = 1,
    *,
    number: int = 0,
    rounds: int = 1,
    name: str = "",
    watch: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Round:
    """Run one round from so many processes; from this very one where it is 1."""
    if processes == 1:
        return run_part(Task(scenario, options, number, rounds, name), watch=watch, stop=stop)
    return run_processes(
        scenario, options, processes, number=number, rounds=rounds, name=name, watch=watch, stop=stop
    )


def _environment() -> dict[str, str]:
    """Ours, and where this package is, which may be known to this process alone."""
    paths = [str(_SOURCE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _to_stderr(message: str) -> None:
    print(f"http-benchmark: {message}", file=sys.stderr)
