"""The thread that formats and writes what is logged, so that no request and no loop waits for a log.

One for a process that serves, however many servers are in it (`hold`, `release`). Who logs puts a record in
the queue of records, or a tuple in that of the access log, and rings at most; where no thread runs, as in a
supervisor that must be able to fork, lines are written at once by whoever logs. Each queue has a bound: what
does not fit is counted, and the count is written once there is room. The thread rests between batches; a
warning or worse wakes it. Nothing here is lost but by the bounds, by a sink, or by a kill.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

# PERF: a thread woken for each record costs 15 us of CPU a request, batches 3 us (wrk, 64 connections).
# 256 lines are formatted in 0.6 ms, the longest the loop waits for the interpreter lock on their account.
BATCH: Final = 256
_REST_S = 0.05
# Until a sink that took nothing is asked again.
_AGAIN_S = 0.01
_STOP_S = 2.0
# Of records; one is about 1 KB, with the text of a traceback up to 20 KB.
QUEUE_LIMIT = 4_096


def count_lost(lines: int) -> None:
    """Have the figures of this process tell of lines that are lost."""
    from penstock.observe.metrics.server_metrics import log_lines_dropped  # not before it is needed

    log_lines_dropped.inc(lines)


class Source(Protocol):
    """What the thread looks after."""

    def has_work(self) -> bool:
        """Whether `work` would find something."""

    def work(self) -> int:
        """Do a batch; return how much was done. Never raises."""

    def is_behind(self) -> bool:
        """There is more that cannot be done just now."""

    def forget(self) -> None:
        """Begin anew in a new process: all that waits is the other's to do."""


class LogWriter:
    """The thread and what it looks after."""

    def __init__(self) -> None:
        # `SimpleQueue` may be put to wherever Python code runs, in a destructor in the middle of a put, too.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self.is_asleep = False
        """Nothing is there to do: whoever brings something rings."""
        self.is_resting = False
        """It would look by itself in a moment; who cannot wait rings."""
        self._sources: list[Source] = []
        self._waiting: list[tuple[threading.Event, bool]] = []
        """Who waits for all to be done, and whether for sinks that are behind as well."""
        self._is_ending = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._is_ending = False
        if self.is_alive():  # it was left behind, and may go on
            return
        self._thread = threading.Thread(target=self._run, name="penstock-log", daemon=True)
        self._thread.start()

    def attach(self, source: Source) -> None:
        """Look after `source`, too."""
        self._sources = [*self._sources, source]

    def detach(self, source: Source) -> None:
        """Look after it no more."""
        self._sources = [each for each in self._sources if each is not source]

    def ring(self) -> None:
        """Have it look now. From any thread."""
        self.is_asleep = self.is_resting = False
        self._bell.put(None)

    def flush(self, timeout_s: float = _STOP_S, *, waits_for_sinks: bool = True) -> bool:
        """Wait until all that is there now is written, or is with its sink; False when that took too long."""
        if self.is_current() or not self.is_alive():
            return False
        done = threading.Event()
        self._waiting.append((done, waits_for_sinks))
        self.ring()
        return done.wait(timeout_s)

    def stop(self, timeout_s: float = _STOP_S) -> None:
        """Write what is there, and end the thread; it is left behind when a sink holds it up."""
        self.flush(timeout_s)
        self._is_ending = True
        self.ring()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def is_current(self) -> bool:
        """Tell whether this is the thread: what it says itself, it writes."""
        return self._thread is threading.current_thread()

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def forget(self) -> None:
        """Begin anew in a new process, which has no thread yet."""
        self._thread = None
        for source in self._sources:
            source.forget()

    def _run(self) -> None:
        while True:
            waiting, self._waiting = self._waiting, []
            done = max([source.work() for source in self._sources], default=0)
            if done >= BATCH:
                self._waiting += waiting
                continue
            is_behind = any(source.is_behind() for source in self._sources)
            for event, waits_for_sinks in waiting:
                if done or (is_behind and waits_for_sinks):
                    self._waiting.append((event, waits_for_sinks))
                else:
                    event.set()
            if self._is_ending and not done:
                return
            if not self._waiting or is_behind:
                self._rest(done, is_behind=is_behind)

    def _rest(self, done: int, *, is_behind: bool) -> None:
        self.is_resting = True
        timeout_s: float | None = _AGAIN_S if is_behind else _REST_S
        if not (done or is_behind):
            self.is_asleep = True
            timeout_s = None
            if self._is_ending or any(source.has_work() for source in self._sources):  # came just before that
                timeout_s = 0.0
        try:
            self._bell.get(timeout=timeout_s)
        except Empty:
            pass
        self.is_asleep = self.is_resting = False


class Jobs:
    """Calls in their order, at most so many waiting."""

    def __init__(self, on_lost: Callable[[int], None]) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._on_lost = on_lost
        self._told = 0
        self.lost = 0
        """So far, for want of room. Several threads may count at once: the number is exact as far as one
        counts at a time.
        """

    def put(self, writer: LogWriter, job: Callable[[], None], *, is_urgent: bool) -> None:
        """Have the thread call `job`. Never waits."""
        if len(self._jobs) >= QUEUE_LIMIT:
            self.lost += 1
            return
        self._jobs.append(job)
        if writer.is_asleep or (is_urgent and writer.is_resting):
            writer.ring()

    def insist(self, job: Callable[[], None]) -> None:
        """Have the thread call `job` behind what waits, or call it where there is none."""
        if running() is None:
            job()
            return
        self._jobs.append(job)
        _writer.ring()

    def __len__(self) -> int:
        return len(self._jobs)

    def has_work(self) -> bool:
        return bool(self._jobs)

    def is_behind(self) -> bool:
        return False

    def forget(self) -> None:
        self._jobs.clear()

    def work(self) -> int:
        """Call what waits."""
        jobs = self._jobs
        count = min(len(jobs), BATCH)
        for _ in range(count):
            try:
                jobs.popleft()()
            except Exception:
                # The border of the thread: a record that cannot be written costs its line.
                self.lost += 1
        if self.lost != self._told:
            missing, self._told = self.lost - self._told, self.lost
            count_lost(missing)
            self._on_lost(missing)
        return count


_writer = LogWriter()
_holders = 0
_lock = threading.RLock()


def running() -> LogWriter | None:
    """Return the thread of this process; None where whoever logs writes."""
    return _writer if _holders else None


def hold() -> LogWriter:
    """Have the thread run until `release` is called as often as this."""
    global _holders  # noqa: PLW0603 - a process has one
    with _lock:
        _holders += 1
        _writer.start()
    return _writer


def release() -> None:
    """Need the thread no more: it writes what is there and ends, unless others need it."""
    global _holders  # noqa: PLW0603
    with _lock:
        _holders -= 1
        is_last = not _holders
    if is_last:
        _writer.stop()


def flush(timeout_s: float = _STOP_S) -> None:
    """Have all written that was logged in this process so far, if that is possible in time; before it ends
    in a way that runs nothing more.
    """
    if _holders:
        _writer.flush(timeout_s)


def look_after(source: Source) -> None:
    """Have the thread work for `source` whenever it runs."""
    _writer.attach(source)


def look_away(source: Source) -> None:
    """Have it work for `source` no more."""
    _writer.detach(source)


def _begin_anew() -> None:
    global _holders, _lock  # noqa: PLW0603
    _lock = threading.RLock()
    _holders = 0
    _writer.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

__all__ = ["BATCH", "Jobs", "LogWriter", "flush", "hold", "look_after", "look_away", "release", "running"]
