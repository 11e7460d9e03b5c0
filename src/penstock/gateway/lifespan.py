"""The lifespan protocol of ASGI: start-up before the first request, shutdown after the last reply.

One call of the application, in a Task of its own, lives as long as the server does. An application that
raises or returns before it has answered the start-up does not take part, which is its right; one that
reports a failure does not get to serve.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Application = Callable[..., Awaitable[Any]]

_log = logging.getLogger("penstock.gateway")


class Lifespan:
    """One application's lifespan. `state` is what it put there, to be copied into each scope."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._raised: BaseException | None = None
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[str | None] = loop.create_future()  # None, or why not
        self._stopped: asyncio.Future[str | None] = loop.create_future()

    async def start(self) -> None:
        """Return once the application is ready; ApplicationError when it says that it failed."""
        self._inbox.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._live(), name="ASGI lifespan")
        try:
            failure = await self._started
        except asyncio.CancelledError:  # given up while starting
            self._task.cancel()
            await asyncio.wait([self._task])
            raise
        if failure is not None:
            await asyncio.wait([self._task])
            if self._raised is not None:
                _log.error("the application failed to start", exc_info=self._raised)
            raise self._make_failure("start", failure)

    async def stop(self) -> None:
        """Return once the application has shut down; ApplicationError when it says that it failed."""
        if self._task is None or self._task.done():
            return
        self._inbox.put_nowait({"type": "lifespan.shutdown"})
        try:
            failure = await self._stopped
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if failure is not None:
            raise self._make_failure("shut down", failure)

    def _make_failure(self, what: str, told: str) -> ApplicationError:
        """In one line: Starlette tells a whole traceback, and then raises the exception too."""
        cause = self._raised
        if cause is not None and told.startswith("Traceback"):
            told = f"{type(cause).__name__}: {cause}"
        failure = ApplicationError(f"the application failed to {what}: {told or 'it gave no reason'}")
        failure.__cause__ = cause
        return failure

    async def _live(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        error: BaseException | None = None
        try:
            await self._app(scope, self._inbox.get, self._send)
        except BaseException as raised:  # the border of the Task
            self._raised = error = raised
        if not self._started.done():
            why = "it returned" if error is None else f"{type(error).__name__}: {error}"
            _log.info("the application takes no lifespan events (%s)", why)
            self._started.set_result(None)
        elif error is not None and not (isinstance(error, asyncio.CancelledError) or self._has_failed()):
            _log.error("the application's lifespan failed", exc_info=error)
        if not self._stopped.done():
            self._stopped.set_result(None)

    def _has_failed(self) -> bool:
        """True when the application has reported a failure itself: what it raises then is that failure."""
        return any(future.done() and future.result() is not None for future in (self._started, self._stopped))

    async def _send(self, message: dict[str, Any]) -> None:
        phase, _, outcome = message["type"].removeprefix("lifespan.").partition(".")
        future = {"startup": self._started, "shutdown": self._stopped}.get(phase)
        if future is None or outcome not in {"complete", "failed"} or future.done():
            raise RuntimeError(f"ASGI: the application sent {message['type']!r} out of its turn")
        future.set_result(message.get("message", "") if outcome == "failed" else None)
