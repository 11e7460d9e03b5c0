"""`App.spawn`: work that goes on by itself, and that nobody waits for but a server that stops.

`async def` functions and coroutines run in a Task on the loop, `def` functions in a thread. What one raises
is logged. When the server stops they have until the drain deadline; the lifespan closes behind them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.app.routing.router import handler_name
from penstock.app.runs import is_coroutine_function
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from penstock.http.handler import ServerView

_log = logging.getLogger("penstock.error")


class Spawner:
    """What runs by itself in one application."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._server: ServerView | None = None
        self._count = 0
        self._lock = threading.Lock()

    def attach(self, loop: asyncio.AbstractEventLoop | None, server: ServerView | None) -> None:
        """The application begins on this loop, or with None has ended. Thread of the loop."""
        self._loop, self._server = loop, server
        self._thread = threading.get_ident()

    @property
    def pending(self) -> int:
        """How many have not ended."""
        return self._count

    def spawn(
        self, work: Callable[..., Any] | Coroutine[Any, Any, Any], *args: object, **kwargs: object
    ) -> None:
        """Have it run; from any thread."""
        if asyncio.iscoroutine(work):
            name, coroutine = getattr(work, "__qualname__", "coroutine"), work
            if args or kwargs:
                coroutine.close()
                raise TypeError(f"spawn({name}(...), ...): a coroutine has its arguments already")
        elif callable(work):
            name = handler_name(work)
            coroutine = self._call(partial(work, *args, **kwargs), is_async=is_coroutine_function(work))
        else:
            raise TypeError(f"spawn takes a function and its arguments, or a coroutine, not {work!r:.80}")
        loop = self._loop
        if loop is None:
            coroutine.close()
            raise ApplicationError(f"spawn({name}): the application does not run")
        with self._lock:
            self._count += 1
        if threading.get_ident() == self._thread:
            self._begin(name, coroutine)
        else:
            loop.call_soon_threadsafe(self._begin, name, coroutine)  # in the context of the caller

    def _begin(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=f"spawned {name}")
        if self._server is not None:
            self._server.keep(task)
        task.add_done_callback(partial(self._on_done, name))

    def _on_done(self, name: str, task: asyncio.Task[Any]) -> None:
        with self._lock:
            self._count -= 1
        if task.cancelled():
            _log.warning("%s was cancelled before its end", name)
        elif task.exception() is not None:
            error = task.exception()
            _log.error("%s failed: %s", name, type(error).__name__, exc_info=error)

    async def _call(self, function: Callable[[], Any], *, is_async: bool) -> None:
        if is_async:
            await function()
            return
        if self._server is not None:
            result = await self._server.continue_in_thread(function)
        else:
            result = await asyncio.get_running_loop().run_in_executor(None, function)
        if hasattr(result, "__await__"):  # a decorated `async def`
            await result
