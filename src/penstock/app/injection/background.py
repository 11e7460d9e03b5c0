"""Work for after the reply: `tasks: BackgroundTasks` as a parameter of a handler, or of what it depends on.

All of a request share one. What they add is run when the reply is out, one after the other: `async def` on
the loop, `def` in a thread, each in a copy of the context in which it was added. What one raises is logged
with the trace id, and the next is run all the same. Then the generators the handler depends on are ended, so
tasks may use what those made. When the request fails nothing is run.

Work that belongs to no request is `App.spawn`.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from penstock.app.failures import must_propagate
from penstock.app.routing.router import handler_name
from penstock.app.runs import is_coroutine_function
from penstock.http.handler import TASK

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from penstock.http.request import Request

_log = logging.getLogger("penstock.error")


class BackgroundTasks:
    """What is to be done once the reply is out."""

    __slots__ = ("_work",)

    def __init__(self) -> None:
        self._work: list[tuple[Context, Callable[..., Any], tuple[object, ...], dict[str, object]]] = []

    def add(self, function: Callable[..., Any], /, *args: object, **kwargs: object) -> None:
        """Have `function(*args, **kwargs)` called."""
        if not callable(function):
            raise TypeError(f"tasks.add takes a function and its arguments, not {function!r:.80}")
        self._work.append((copy_context(), function, args, kwargs))

    def __len__(self) -> int:
        """How many are added, and not begun."""
        return len(self._work)

    async def run(self, request: Request) -> None:
        """Run all of them; what is added meanwhile, too."""
        while self._work:
            context, function, args, kwargs = self._work.pop(0)
            try:
                if is_coroutine_function(function):
                    # In its context: a coroutine runs in that of the Task that drives it.
                    coroutine = context.run(function, *args, **kwargs)
                    await asyncio.get_running_loop().create_task(_contained(coroutine), context=context)
                else:
                    await _call_in_thread(request, context, function, args, kwargs)
            except BaseException as error:
                if not isinstance(error, Exception) and must_propagate(error):
                    raise  # it is us who are to stop, not the task
                _log.error(
                    "%s: the background task %s failed: %s, trace_id=%s",
                    *(request, handler_name(function), type(error).__name__, request.trace_id),
                    exc_info=error,
                )


class TasksEnding:
    """Runs the tasks of a request when its reply is out."""

    __slots__ = ("_request", "_tasks")

    run: Final = TASK

    def __init__(self, request: Request, tasks: BackgroundTasks) -> None:
        self._request = request
        self._tasks = tasks

    def close(self, error: BaseException | None) -> None:
        """Not asked for."""
        raise NotImplementedError

    async def aclose(self, error: BaseException | None) -> None:  # noqa: ARG002 - the handler had no part in it
        """Run them."""
        await self._tasks.run(self._request)


def leave_tasks(request: Request, tasks: BackgroundTasks, response: Any) -> Any:
    """Leave tasks to the server, if there are some, and return the response."""
    if len(tasks):
        request.linger(TasksEnding(request, tasks))
    return response


async def _contained(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Await it. What would end the loop that runs its Task, or the coroutine that waits for it, ends it
    alone.
    """
    try:
        await coroutine
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        raise RuntimeError(f"it raised {error!r}") from error


async def _call_in_thread(
    request: Request,
    context: Context,
    function: Callable[..., Any],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    def call() -> Any:
        try:
            return context.run(function, *args, **kwargs)
        except BaseException as error:  # a StopIteration, say, goes through no Future
            if isinstance(error, Exception) and not isinstance(error, StopIteration):
                raise
            raise RuntimeError(f"it raised {error!r}") from error

    server = request.server
    if server is not None:
        result = await server.continue_in_thread(call)
    else:
        result = await asyncio.get_running_loop().run_in_executor(None, call)
    if hasattr(result, "__await__"):  # a decorated `async def`
        await result
