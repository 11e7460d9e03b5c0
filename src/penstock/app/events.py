"""Events of an application: who makes something happen need not know who wants to know.

    @app.events.on(UserCreated)
    async def welcome(event: UserCreated) -> None: ...

    await app.events.aemit(UserCreated(7))

An event is an object, whose listeners are those of its class and the bases of that, or a name with values.
Listeners run one after the other, in the order of their declaration, and the emitter waits for them; what one
raises is logged, and neither the others nor the emitter see it. `aemit` is for the loop, where `def`
listeners are run in threads; `emit` for threads, where `async def` ones are run on the loop.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar, overload

from penstock.app.routing.router import describe, handler_name
from penstock.app.runs import is_coroutine_function
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.http.handler import ServerView

    Values = tuple[object, ...]

_log = logging.getLogger("penstock.app")

E = TypeVar("E")
F = TypeVar("F", bound="Callable[..., Any]")
L = TypeVar("L")


class Events:
    """The listeners of one application."""

    def __init__(self) -> None:
        self._listeners: list[tuple[str | type, Callable[..., Any]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: ServerView | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None, server: ServerView | None) -> None:
        """Know the loop the application runs on, and its server; None when it has stopped."""
        self._loop, self._server = loop, server

    @overload
    def on(self, key: type[E]) -> Callable[[Callable[[E], L]], Callable[[E], L]]: ...
    @overload
    def on(self, key: str) -> Callable[[F], F]: ...
    def on(self, key: str | type) -> Any:
        """Have the decorated function, `def` or `async def`, called with each event of a class, or with the
        values of each one of a name.
        """
        if not isinstance(key, (str, type)) or not key:
            raise ApplicationError(f"events.on({key!r}): expected a class or a name")

        def declare(listener: F) -> F:
            if not callable(listener):
                raise ApplicationError(f"events.on({key!r}): {listener!r:.60} is no function")
            self._listeners = [*self._listeners, (key, listener)]  # who iterates has the old list
            return listener

        return declare

    async def aemit(self, event: object, *values: object) -> None:
        """Tell the listeners of an event, or those of a name; return when all have run. On the loop."""
        for listener, told in self._of(event, values):
            try:
                if is_coroutine_function(listener):
                    await listener(*told)
                else:
                    await self._run_in_thread(listener, *told)
            except Exception:
                _log.exception("the listener %s failed", handler_name(listener))

    def emit(self, event: object, *values: object) -> None:
        """Tell the listeners of an event, or those of a name; return when all have run. In a thread."""
        called = list(self._of(event, values))
        waiting = [listener for listener, _ in called if is_coroutine_function(listener)]
        if waiting:
            self._check_can_wait(waiting[0])
        for listener, told in called:
            try:
                if is_coroutine_function(listener):
                    assert self._loop is not None  # noqa: S101 - as just seen
                    asyncio.run_coroutine_threadsafe(listener(*told), self._loop).result()
                else:
                    listener(*told)
            except Exception:
                _log.exception("the listener %s failed", handler_name(listener))

    async def _run_in_thread(self, listener: Callable[..., Any], *told: object) -> None:
        server = self._server
        in_thread: Any = asyncio.to_thread if server is None else server.continue_in_thread
        await in_thread(listener, *told)

    def _of(self, event: object, values: Values) -> Iterator[tuple[Callable[..., Any], Values]]:
        is_name = isinstance(event, str)
        if not is_name and values:
            raise TypeError("values go with the name of an event; an event that is an object has its own")
        told = values if is_name else (event,)
        for key, listener in self._listeners:
            if key == event if is_name else isinstance(key, type) and isinstance(event, key):
                yield listener, told

    def _check_can_wait(self, listener: Callable[..., Any]) -> None:
        where = f"the listener {describe(listener)} is async def"
        if self._loop is None:
            raise RuntimeError(f"{where}, and the application does not run")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise RuntimeError(f"{where}: on the loop, write await events.aemit(...)")
