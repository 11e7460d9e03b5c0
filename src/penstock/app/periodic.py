"""Work an application does again and again: `@app.every(60)`.

Each function has a Task that waits, runs it and waits again, so that it never overlaps itself; when one run
takes longer than the interval, those it has missed are left out. What it raises is logged and ends nothing.
When the server begins to stop no run begins any more; one that is under way may finish while requests do, and
then for `_GRACE_S` more.

Every worker process runs them, unless a lock says which one: a file, which the kernel lets go of when its
process ends, or a store that all of them ask.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.app.routing.router import describe, handler_name
from penstock.app.runs import is_coroutine_function
from penstock.errors import ApplicationError, StoreError
from penstock.http.current import current
from penstock.http.trace import new_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO

    from penstock.app.stores.store import Store
    from penstock.http.handler import ServerView

_log = logging.getLogger("penstock.app")

_GRACE_S = 5.0


class Periodic(NamedTuple):
    """A function, and when it runs."""

    function: Callable[[], Any]
    seconds: float
    jitter: float
    at_once: bool
    lock: str | os.PathLike[str] | Store | None


def make_periodic(
    function: Callable[[], Any],
    seconds: float,
    jitter: float,
    lock: str | os.PathLike[str] | Store | None,
    *,
    at_once: bool,
) -> Periodic:
    """Return what was declared; ApplicationError when it cannot be run like that."""
    where = describe(function) if callable(function) else repr(function)
    for name, value, least in (("seconds", seconds, "more than 0"), ("jitter", jitter, "0 or more")):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not value >= 0 or (name == "seconds" and not value) or value == float("inf"):
            raise ApplicationError(f"{where}: every({name}={value!r}): expected a number, {least}")
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        raise ApplicationError(f"{where}: a periodic task is a function without arguments") from None
    if lock is not None and not isinstance(lock, (str, os.PathLike)) and not hasattr(lock, "aadd"):
        raise ApplicationError(f"{where}: lock={lock!r:.60}: expected the path of a file, or a store")
    return Periodic(function, seconds, jitter, at_once, lock)


class Periodics:
    """The periodic tasks of some applications, under way. On the loop."""

    def __init__(self, declared: Iterable[Periodic], server: ServerView | None) -> None:
        self._server = server
        self._stopping = asyncio.Event()
        self._locks: list[_FileLock] = []
        self._tasks = {
            asyncio.create_task(self._repeat(one), name=f"every {one.seconds:g} s: {_name(one)}")
            for one in declared
        }
        self._watch = None if server is None else asyncio.create_task(self._watch_drain(server))

    async def stop(self) -> None:
        """Let what is under way finish, or cancel it."""
        self._stopping.set()
        _, late = await asyncio.wait(self._tasks, timeout=_GRACE_S)
        for task in late:
            _log.warning("%s is cancelled: the server stops", task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        for lock in self._locks:
            lock.release()

    async def _watch_drain(self, server: ServerView) -> None:
        await server.draining
        self._stopping.set()

    async def _repeat(self, one: Periodic) -> None:
        is_mine = self._make_lock(one)
        time = asyncio.get_running_loop().time
        due = time() + (0.0 if one.at_once else one.seconds)
        while not await self._stops_before(due + random.uniform(0.0, one.jitter) - time()):  # noqa: S311 - spreads load
            current.set(new_trace())  # each run is one of its own; the Task and its context are ours
            try:
                if await is_mine():
                    await self._run(one)
            except StoreError as error:  # rather in none than in all
                _log.warning("the periodic task %s is left out: %s", _name(one), error)
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and self._stopping.is_set():
                    raise
                _log.exception("the periodic task %s failed", _name(one))
            due = max(due + one.seconds, time())

    async def _stops_before(self, delay_s: float) -> bool:
        """Wait so long; return True at once when it is time to stop."""
        try:
            async with asyncio.timeout(max(delay_s, 0.0)):
                await self._stopping.wait()
        except TimeoutError:
            pass
        return self._stopping.is_set()

    async def _run(self, one: Periodic) -> None:
        if is_coroutine_function(one.function):
            await one.function()
            return
        in_thread: Any = asyncio.to_thread if self._server is None else self._server.continue_in_thread
        result = await in_thread(one.function)
        if hasattr(result, "__await__"):  # a decorated async def
            await result

    def _make_lock(self, one: Periodic) -> Callable[[], Any]:
        """Return what says whether this process runs the function now."""
        lock: Any = one.lock
        if lock is None:
            return _always
        if isinstance(lock, (str, os.PathLike)):
            made = _FileLock(Path(lock))
            self._locks.append(made)
            return made.acquire
        key = f"every:{_name(one)}"
        # Shorter than the interval: the next run of the same process must find it free again.
        ttl_s = max(one.seconds - one.jitter, one.seconds / 2) * 0.9

        async def add() -> bool:
            is_added: bool = await lock.aadd(key, b"1", ttl_s=ttl_s)
            return is_added

        return add


class _FileLock:
    """A file locked by the first process that asks, for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    async def acquire(self) -> bool:
        """Return whether this process has it."""
        if self._file is None:
            import fcntl  # here: there is none on Windows

            file = self._path.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


async def _always() -> bool:
    return True


def _name(one: Periodic) -> str:
    return handler_name(one.function)
