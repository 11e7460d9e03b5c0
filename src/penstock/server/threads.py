"""The thread pool: bounded queue, threads made when work waits, figures without a lock on the way.

A job is a callable with its arguments, run in a context of its own. Threads are started one at a time, when a
job is put and nobody is free to take it, up to `size`; they stay. `submit` refuses when `queue_limit` jobs
wait: the caller says 503.

A thread cannot be ended from outside. One whose job nobody waits for any more (`Claim`) is lost: it ends with
that job, and another takes its place, as long as no more than `size` are lost at a time.
"""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from penstock.errors import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    Job = tuple[Context, Callable[..., Any], tuple[Any, ...]]

_log = logging.getLogger("penstock.server")


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

    def submit(self, function: Callable[..., Any], *args: Any) -> bool:
        """Have a thread call `function(*args)` in a copy of the caller's context. False when too many jobs
        wait already.
        """
        # PERF: a full pool, the common state under load, asks no thread unless the queue is full as well.
        if len(self._threads) < self._size:
            if self._count_unfinished() >= len(self._threads):
                self._start_thread()
        elif self._queue.qsize() >= self._limit and self._count_unfinished() >= self._size + self._limit:
            return False
        self._put += 1
        self._queue.put((copy_context(), function, args))
        return True

    def continue_in(self, context: Context, function: Callable[..., Any], *args: Any) -> None:
        """Have a thread call `function(*args)` in `context`: work already begun, so it is not refused."""
        if len(self._threads) < self._size and self._count_unfinished() >= len(self._threads):
            self._start_thread()
        self._put += 1
        self._queue.put((context, function, args))

    def _count_unfinished(self) -> int:
        """Jobs that wait or run. Not by `is_active`: who has just taken a job has not said so yet."""
        return self._put - sum([worker.finished for worker in self._threads])

    def _count_idle(self) -> int:
        return sum(not worker.is_active for worker in self._threads)

    def _start_thread(self) -> None:
        worker = _Worker(self._queue, self._started)
        self._started += 1
        self._threads.append(worker)
        worker.start()

    def lose(self, thread: _Worker) -> None:
        """Count a thread as lost, after `Claim.take_away`, and let another take its place."""
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
            self._start_thread()

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
    """One thread. `is_active` and `finished` are its own to write."""

    def __init__(self, queue: SimpleQueue[Job | None], number: int) -> None:
        super().__init__(name=f"penstock-{number}", daemon=True)
        self._take = queue.get
        self.finished = 0
        """Jobs so far."""
        self.is_active = False
        self.is_lost = False
        """Nobody waits for the job under way; its claim says so."""

    def run(self) -> None:
        take = self._take
        while True:
            job = take()
            if job is None:
                return
            self.is_active = True
            context, function, args = job
            try:
                context.run(function, *args)
            except BaseException:
                # The border of the thread: a job answers for its own faults, so this is a bug; the thread
                # goes on.
                _log.exception("a job failed in the thread pool")
            if self.is_lost:
                _log.info("%s has ended its handler after all", self.name)
                return
            self.is_active = False
            self.finished += 1
            del job, context, function, args
