"""The process pool for `run="process"` handlers: started at the first use, replaced when a process dies.

Processes are spawned, not forked: the server has threads and a loop by then. A function and its arguments
travel by pickle, and the ids of the request with them; a function is found again by its module and name. A
call that is cancelled, as by the deadline of its handler, costs its process: what it computes is for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from penstock.http.current import call_for, portable
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.process import BaseProcess

    from penstock.observe.logs.setup import Logging

_log = logging.getLogger("penstock.server")
# Once its processes are killed it has milliseconds to do.
_MANAGER_S = 2.0


def _begin(names: tuple[str, ...], patterns: tuple[str, ...], logging_setup: Logging | None) -> None:
    """Hide the same secrets. Leave stopping to the server, since a Ctrl-C goes to the whole process group;
    and never outlive it, however it ended: a pool process that waits for work does not notice a server that
    was killed.
    """
    redactor().configure(names, patterns)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if logging_setup is not None:
        from penstock.observe.logs.file import open_shared
        from penstock.observe.logs.setup import configure

        configure(logging_setup, open_shared(logging_setup.file))
    threading.Thread(target=_end_with_parent, name="penstock-parent", daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this runs in a process of the pool
    parent.join()
    os._exit(1)


class ProcessPool:
    """At most `size` processes that run functions, beside those that still finish in a pool left behind."""

    def __init__(self, size: int, logging_setup: Logging | None = None) -> None:
        self._size = size
        self._logging = logging_setup
        self._executor: ProcessPoolExecutor | None = None
        self._room = asyncio.Semaphore(size)
        """A call goes to a process that is free: in the queue of a pool it would fall with the pool."""
        self._calls: dict[ProcessPoolExecutor, int] = {}
        """How many somebody waits for, by pool."""
        self._left: dict[ProcessPoolExecutor, list[BaseProcess]] = {}
        """Pools left behind, in which somebody's call still runs."""
        self._ended: list[BaseProcess] = []  # of pools that were replaced
        self._managers: list[threading.Thread] = []  # of those, and of the last: each ends soon

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return `function(*args)` as computed in another process; its exception is raised here.

        A process that dies takes the calls under way with it: they raise BrokenProcessPool, later ones get a
        new pool. So do they when this is cancelled while the function runs: its process is killed, once no
        other call runs in the old pool.
        """
        from concurrent.futures.process import BrokenProcessPool

        async with self._room:
            executor = self._executor or self._start()
            self._calls[executor] += 1
            call: Future[Any] | None = None
            try:
                call = executor.submit(call_for, portable(), function, *args)
                return await asyncio.wrap_future(call)
            except asyncio.CancelledError:
                if call is not None and not call.cancel() and not call.done():
                    self._leave(executor, function)
                raise
            except BrokenProcessPool:
                if self._executor is executor:
                    name = function.__qualname__
                    _log.error("a process of the pool died while running %s; the pool is replaced", name)
                    self._executor = None
                    self._end(executor)
                raise
            finally:
                self._calls[executor] -= 1
                if not self._calls[executor] and executor is not self._executor:
                    del self._calls[executor]
                    self._kill(self._left.pop(executor, []))

    def _start(self) -> ProcessPoolExecutor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        self._executor = ProcessPoolExecutor(
            self._size,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(*redactor().configured(), self._logging),
        )
        self._calls[self._executor] = 0
        return self._executor

    def _leave(self, executor: ProcessPoolExecutor, function: Callable[..., Any]) -> None:
        """Nobody waits any more for a call that runs: have its process killed, and no other call."""
        if executor is not self._executor:
            return
        _log.info("%s was cancelled: its process is ended, the pool replaced", function.__qualname__)
        self._executor = None
        self._left[executor] = _processes_of(executor)
        self._forget(executor)
        executor.shutdown(wait=False)

    def stop(self) -> None:
        """End the processes now: whoever waited for them is answered or cut off by then."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            self._end(executor)
        for processes in (*self._left.values(), self._ended):
            for process in processes:
                process.kill()
        # At its exit the interpreter wakes the thread that manages a pool, by a pipe that this, as it ends,
        # may be closing at the same moment: a traceback in the log, for nothing.
        for manager in self._managers:
            manager.join(_MANAGER_S)

    def _end(self, executor: ProcessPoolExecutor) -> None:
        processes = _processes_of(executor)
        self._forget(executor)
        executor.shutdown(wait=False, cancel_futures=True)
        self._kill(processes)

    def _forget(self, executor: ProcessPoolExecutor) -> None:
        """Keep the thread that manages a pool: `shutdown` forgets it."""
        self._managers = [manager for manager in self._managers if manager.is_alive()]
        manager = getattr(executor, "_executor_manager_thread", None)
        if manager is not None:
            self._managers.append(manager)

    def _kill(self, processes: list[BaseProcess]) -> None:
        # Killed, not asked: the interpreter does not exit before they do, and one started as the pool broke
        # is told by nobody.
        self._ended = [process for process in self._ended if process.is_alive()] + processes
        for process in processes:
            process.kill()


def _processes_of(executor: ProcessPoolExecutor) -> list[BaseProcess]:
    """Return the processes of a pool; before `shutdown`, which forgets them."""
    return list((getattr(executor, "_processes", None) or {}).values())
