"""The process pool for `run="process"` handlers: started at the first use, replaced when a process dies.

Processes are spawned, not forked: the server has threads and a loop by then. A function and its arguments
travel by pickle; a function is found again by its module and name.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.process import BaseProcess

_log = logging.getLogger("penstock.server")


def _begin() -> None:
    """Leave stopping to the server, since a Ctrl-C goes to the whole process group; and never outlive it,
    however it ended: a pool process that waits for work does not notice a server that was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="penstock-parent", daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - this runs in a process of the pool
    parent.join()
    os._exit(1)


class ProcessPool:
    """At most `size` processes that run functions."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._executor: ProcessPoolExecutor | None = None
        self._ended: list[BaseProcess] = []  # of pools that were replaced

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return `function(*args)` as computed in another process; its exception is raised here.

        A process that dies takes the calls under way with it: they raise BrokenProcessPool, later ones get a
        new pool.
        """
        from concurrent.futures.process import BrokenProcessPool

        executor = self._executor or self._start()
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, function, *args)
        except BrokenProcessPool:
            if self._executor is executor:
                _log.error(
                    "a process of the pool died while running %s; the pool is replaced", function.__qualname__
                )
                self._end()
            raise

    def _start(self) -> ProcessPoolExecutor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        self._executor = ProcessPoolExecutor(
            self._size, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
        )
        return self._executor

    def stop(self) -> None:
        """End the processes now: whoever waited for them is answered or cut off by then."""
        if self._executor is not None:
            self._end()
        for process in self._ended:
            process.kill()

    def _end(self) -> None:
        executor = self._executor
        assert executor is not None  # noqa: S101 - the callers looked
        self._executor = None
        # Killed, not asked: the interpreter does not exit before they do, and one started as the pool broke
        # is told by nobody. `shutdown` forgets them, so they are looked up before.
        processes = list((getattr(executor, "_processes", None) or {}).values())
        self._ended = [process for process in self._ended if process.is_alive()] + processes
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
