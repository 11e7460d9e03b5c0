"""The thread pool: bounded queue, threads made when work waits, figures without a lock on the way.

A job is a callable with its arguments, run in a context of its own. Threads are started one at a time, when a
job is put and nobody is free to take it, up to `size`; they stay. `submit` refuses when `queue_limit` jobs
wait: the caller says 503.
"""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    Job = tuple[Context, Callable[..., Any], tuple[Any, ...]]

_log = logging.getLogger("penstock.server")


class ThreadPool:
    """Threads that run jobs in the order they were put."""

    def __init__(self, size: int, queue_limit: int) -> None:
        self._size = size
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
        worker = _Worker(self._queue, len(self._threads))
        self._threads.append(worker)
        worker.start()

    def figures(self) -> dict[str, int]:
        """Return total, active and idle workers and the jobs that wait, as of now."""
        total = len(self._threads)
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
            self.is_active = False
            self.finished += 1
            del job, context, function, args
