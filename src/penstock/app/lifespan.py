"""Start-up and shutdown of applications: what opens first closes last, and everything is closed.

An application's lifespan opens first, then its start-up functions run in order, then those of the
applications mounted in it, those of ASGI last, then the periodic tasks begin and the checks run a first time.
When one of all these but the checks fails, what was opened before it is closed and the failure stops the
server. All of it happens in one task, because a task group or a cancel scope opened in one task cannot be
closed in another.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock.app.routing.router import describe
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.application import App
    from penstock.http.handler import Handler, ServerView


class Lifespan:
    """The open lifespans of some applications, outermost first."""

    def __init__(
        self, apps: Iterable[App], mounted: Iterable[Handler] = (), server: ServerView | None = None
    ) -> None:
        self._apps = list(apps)
        self._mounted = list(mounted)
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start every application; raises what one of them raises, after closing those before it."""
        self._task = asyncio.create_task(self._live(), name="penstock lifespan")
        try:
            await self._opened
        except asyncio.CancelledError:  # given up while starting
            self._task.cancel()
            await asyncio.wait([self._task])
            raise

    async def close(self) -> None:
        """Shut down in reverse; raises what a shutdown raises, after the others have run."""
        self._closing.set()
        if self._task is not None:
            await self._task

    def is_here(self) -> bool:
        """Tell whether it was opened on the loop that runs here."""
        return self._loop is asyncio.get_running_loop()

    def resume(self) -> None:
        """Another lifespan of the same applications has closed; this one is the last again."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._attach, self._loop)

    async def _live(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                self._attach(asyncio.get_running_loop())
                stack.callback(self._attach, None)
                for app in self._apps:
                    await _open(app, stack)
                for handler in self._mounted:
                    await handler.startup(self._server)  # type: ignore[arg-type]  # gateways do not look at it
                    stack.push_async_callback(handler.shutdown)
                self._start_periodic(stack)
                await self._start_checks(stack)
                if self._opened.cancelled():
                    return
                self._opened.set_result(None)
                await self._closing.wait()
        except BaseException as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    def _attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        for app in self._apps:
            app.events.attach(loop, self._server)
            app.spawner.attach(loop, self._server)

    def _start_periodic(self, stack: AsyncExitStack) -> None:
        declared = [one for app in self._apps for one in app.periodic]
        if declared:
            from penstock.app.periodic import Periodics

            stack.push_async_callback(Periodics(declared, self._server).stop)

    async def _start_checks(self, stack: AsyncExitStack) -> None:
        declared = [one for app in self._apps for one in app.checks]
        if declared:
            from penstock.app.checks import Checks, check_together

            check_together(declared)
            checks = Checks(declared, self._server)
            stack.push_async_callback(checks.stop)
            await checks.start()


async def _open(app: App, stack: AsyncExitStack) -> None:
    if app.lifespan is not None:
        state = await stack.enter_async_context(_context_of(app.lifespan, app))
        if state is not None:
            if not isinstance(state, dict):
                raise ApplicationError(
                    f"{describe(app.lifespan)}: a lifespan yields a dict or None, not {type(state).__name__}"
                )
            _fill(app, state)
    for function in app.startup_functions:
        await _run(function)
    for function in app.shutdown_functions:
        stack.push_async_callback(_run, function)


def _fill(app: App, values: dict[str, Any]) -> None:
    """Put what a lifespan yields into the state."""
    state, lifespan = app.state, app.lifespan
    if isinstance(state, dict):
        state.update(values)
        return
    for name, value in values.items():
        # Not what a class does not name: it is there to say what there is.
        if not hasattr(state, name) and name not in _named_by(type(state)):
            where = describe(lifespan) if lifespan is not None else "lifespan"
            raise ApplicationError(f"{where}: yields {name!r}, which {type(state).__name__} does not have")
        setattr(state, name, value)


def _named_by(kind: type) -> set[str]:
    return {name for one in kind.__mro__ for name in vars(one).get("__annotations__", {})}


def _context_of(lifespan: Callable[..., Any], app: App) -> Any:
    if inspect.isasyncgenfunction(lifespan):
        lifespan = asynccontextmanager(lifespan)
    context = lifespan(app) if inspect.signature(lifespan).parameters else lifespan()
    if not hasattr(context, "__aenter__"):
        raise ApplicationError(
            f"{describe(lifespan)}: a lifespan must be an async generator or return an async context manager"
        )
    return context


async def _run(function: Callable[[], Any]) -> None:
    result = function()
    if hasattr(result, "__await__"):
        await result
