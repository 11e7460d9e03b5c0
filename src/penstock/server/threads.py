"""The thread pool: bounded queue, threads made when work waits, figures without a lock on the way.

A job is a callable with its arguments, run in a context of its own. Threads are started one at a time, when a
job is put and nobody is free to take it, up to `size`; they stay. `submit` refuses when `queue_limit` jobs
wait: the caller says 503.

A thread cannot be ended from outside. One whose job nobody waits for any more (`Claim`) is lost: it ends with
that job, and another takes its place, as long as no more than `size` are lost at a time.

Replies are held while more jobs wait, and leave together, unless a job costs less than a send: a client or
proxy on the same machine that sleeps is woken once and not for each of them. A thread sends what it holds
when no job waits or a millisecond has passed; if its next job takes long, the loop, which looks every two,
sends in its place.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextvars import copy_context
from queue import Empty, SimpleQueue
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from penstock.errors import HTTPError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextvars import Context, ContextVar

    from penstock.observe.metrics.registry import HistogramSeries

    Job = tuple[Context, Callable[..., Any], tuple[Any, ...], int]

_log = logging.getLogger("penstock.server")

# Jobs that take this much of the processor have their replies held. PERF: 75 us a request against 88 (Flask);
# below, the client never sleeps and holding only costs. benchmarks/RESULTS.md
_LEAST_CPU_S = 40e-6
# One job of so many is timed.
_SAMPLE = 16
_HOLD_S = 0.001
_LOOK_S = 0.002


def too_busy() -> HTTPError:
    """What a request gets that the pool refuses."""
    return HTTPError(503, "all threads are busy and the queue is full", headers={"Retry-After": "1"})


class Claim:
    """Who answers for a job: the thread that runs it, or who has waited long enough. Exactly one of them."""

    __slots__ = ("_is_taken", "_lock", "thread")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self.thread: _Worker | None = None
        """That runs the job; None: none has begun it."""

    def begin(self) -> bool:
        """In the thread: begin the job; False when it is not to be run any more."""
        with self._lock:
            if not self._is_taken:
                self.thread = threading.current_thread()  # type: ignore[assignment]
            return not self._is_taken

    def take(self) -> bool:
        """In the thread: False when somebody else has answered."""
        with self._lock:
            was_taken, self._is_taken = self._is_taken, True
            return not was_taken

    def take_away(self) -> bool:
        """From outside: False when the thread answers. Else it is lost, if it has begun: tell the pool."""
        with self._lock:
            if self._is_taken:
                return False
            self._is_taken = True
            if self.thread is not None:
                self.thread.is_lost = True
            return True


class ThreadPool:
    """Threads that run jobs in the order they were put."""

    def __init__(self, size: int, queue_limit: int) -> None:
        self._wanted = size
        self._size = size  # less when more than `_wanted` are lost
        self._lost: list[_Worker] = []
        self._started = 0
        self._limit = queue_limit
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[_Worker] = []
        self._put = 0  # jobs so far; all are put by one thread, that of the loop
        self.is_holding = False
        """Threads may hold replies. Set by them, cleared by the loop; without a loop to look after them
        never.
        """
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_looking = False
        self.wait: HistogramSeries | None = None
        """Where it is counted how long a job waits for a thread, of one in `_SAMPLE`."""
        self._is_short = False
        """The last thread could not be started; told already."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let threads hold replies: `loop`, whose thread puts the jobs, will look after what they hold."""
        self._loop = loop

    def submit(self, function: Callable[..., Any], *args: Any) -> bool:
        """Have a thread call `function(*args)` in a copy of the caller's context. False when too many jobs
        wait already.
        """
        # PERF: a full pool, the common state under load, asks no thread unless the queue is full as well.
        if (
            len(self._threads) < self._size
            and self._count_unfinished() >= len(self._threads)
            and not self._start_thread()
            and not self._threads
        ):
            return False
        if (
            self._queue.qsize() >= self._limit
            and self._count_unfinished() >= len(self._threads) + self._limit
        ):
            return False
        self._put += 1
        put_at = perf_counter_ns() if self.wait is not None and self._put % _SAMPLE == 1 else 0
        self._queue.put((copy_context(), function, args, put_at))
        if self.is_holding and not self._is_looking:
            self._look_later()
        return True

    def continue_in(self, context: Context, function: Callable[..., Any], *args: Any) -> None:
        """Have a thread call `function(*args)` in `context`: work already begun, so it is not refused."""
        if len(self._threads) < self._size and self._count_unfinished() >= len(self._threads):
            self._start_thread()
        self._put += 1
        self._queue.put((context, function, args, 0))

    def hold(self, send: Callable[[], None]) -> bool:
        """In a job: keep `send`, to be called soon, here or in the thread of the loop; False: call it now."""
        worker = threading.current_thread()
        if not isinstance(worker, _Worker) or not worker.holds or self._queue.empty():
            return False
        worker.hold(send)
        return True

    def begin_holding(self) -> None:
        """In a thread: jobs are worth it."""
        if self._loop is None or self.is_holding:
            return
        self.is_holding = True
        try:
            self._loop.call_soon_threadsafe(self._look_later)
        except RuntimeError:  # the loop has ended
            self.is_holding = False

    def _look_later(self) -> None:
        if not self._is_looking and self._loop is not None:
            self._is_looking = True
            self._loop.call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        """In the thread of the loop: send what was held too long."""
        self._is_looking = False
        now = time.monotonic()
        for worker in self._threads:
            if worker.held and now - worker.held_since > _LOOK_S:
                worker.flush()
        self.is_holding = any(worker.holds for worker in self._threads)
        if self._count_unfinished() or any(worker.held for worker in self._threads):
            self._look_later()

    def _count_unfinished(self) -> int:
        """Jobs that wait or run. Not by `job`: who has just taken a job has not said so yet."""
        return self._put - sum([worker.finished for worker in self._threads])

    def _count_idle(self) -> int:
        return sum(worker.job is None for worker in self._threads)

    def _start_thread(self) -> bool:
        """Return False when the system has no thread to give: those there are go on alone."""
        worker = _Worker(self, self._queue, self._started)
        try:
            worker.start()
        except RuntimeError as error:
            if not self._is_short:
                _log.error("%d of %d threads: %s", len(self._threads), self._size, error)
            self._is_short = True
            return False
        self._is_short = False
        self._started += 1
        self._threads.append(worker)
        return True

    def lose(self, thread: _Worker) -> None:
        """Count a thread as lost, after `Claim.take_away`, and let another take its place."""
        thread.flush()
        self._threads.remove(thread)
        self._put -= thread.finished + 1  # the job that has no end is in nobody's count
        self._lost.append(thread)
        self.replace_lost()
        if self._size < self._wanted:
            _log.error(
                "%d threads are stuck in handlers past their deadline; %d of %d are left to serve",
                *(len(self._lost), self._size, self._wanted),
            )

    def replace_lost(self) -> None:
        """See which of the lost have ended after all, and have others take up what waits."""
        if not self._lost:
            return
        self._lost = [worker for worker in self._lost if worker.is_alive()]
        self._size = self._wanted - max(0, len(self._lost) - self._wanted)
        while len(self._threads) < self._size and self._count_unfinished() > len(self._threads):
            if not self._start_thread():
                return

    def find_threads(self, variable: ContextVar[Any], value: object) -> list[threading.Thread]:
        """Return the threads at work on a job in whose context `variable` is `value`. From any thread."""
        found: list[threading.Thread] = []
        for worker in [*self._threads, *self._lost]:
            job = worker.job
            if job is not None and job[0].get(variable) is value:
                found.append(worker)
        return found

    def figures(self) -> dict[str, int]:
        """Return total, active and idle workers and the jobs that wait, as of now; the lost are active."""
        total = len(self._threads) + len(self._lost)
        idle = self._count_idle()
        return {
            "total_workers": total,
            "active_workers": total - idle,
            "idle_workers": idle,
            "queue_depth": self._queue.qsize(),
        }

    def stop(self, timeout_s: float) -> bool:
        """End every thread after its current job and those that wait; False when one did not end in time.

        Threads are daemons: one stuck in a handler does not keep the process.
        """
        for _ in self._threads:
            self._queue.put(None)
        share = timeout_s / max(1, len(self._threads))
        for worker in self._threads:
            worker.join(share)
        return not any(worker.is_alive() for worker in self._threads)


class _Worker(threading.Thread):
    """One thread. Everything is its own to write, but `is_lost`."""

    def __init__(self, pool: ThreadPool, queue: SimpleQueue[Job | None], number: int) -> None:
        super().__init__(name=f"penstock-{number}", daemon=True)
        self._pool = pool
        self._queue = queue
        self.finished = 0
        """Jobs so far."""
        self.job: Job | None = None
        """The one under way."""
        self.is_lost = False
        """Nobody waits for the job under way; its claim says so."""
        self.holds = False
        """By what the last job that was timed took of the processor."""
        self.held: deque[Callable[[], None]] = deque()
        """Replies not yet sent; whoever takes one out sends it."""
        self.held_since = 0.0

    def run(self) -> None:
        take = self._queue.get
        while True:
            job = self._take_or_flush() if self.held else take()
            if job is None:
                self.flush()
                return
            self.job = job
            context, function, args, put_at = job
            if put_at and self._pool.wait is not None:
                self._pool.wait.observe_ns(perf_counter_ns() - put_at)
            is_sample = self.finished % _SAMPLE == 0
            began_s = time.thread_time() if is_sample else 0.0
            try:
                context.run(function, *args)
            except BaseException:
                # The border of the thread: a job answers for its own faults, so this is a bug; the thread
                # goes on.
                _log.exception("a job failed in the thread pool")
            if self.is_lost:
                _log.info("%s has ended its work after all", self.name)
                return
            if is_sample:
                self.holds = time.thread_time() - began_s > _LEAST_CPU_S
                if self.holds:
                    self._pool.begin_holding()
            self.job = None
            self.finished += 1
            del job, context, function, args

    def hold(self, send: Callable[[], None]) -> None:
        if not self.held:
            self.held_since = time.monotonic()
        self.held.append(send)

    def _take_or_flush(self) -> Job | None:
        """The next job at once, or after what is held is sent."""
        if time.monotonic() - self.held_since < _HOLD_S:
            try:
                return self._queue.get_nowait()
            except Empty:
                pass
        self.flush()
        return self._queue.get()

    def flush(self) -> None:
        """Send what is held. In this thread, or in that of the loop when this one is late."""
        while self.held:
            try:
                send = self.held.popleft()
            except IndexError:  # the other was faster
                return
            try:
                send()
            except Exception:
                _log.exception("a bug in the server: a reply was not sent")
