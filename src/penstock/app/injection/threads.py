"""Running a part of a plan in a thread, out of a coroutine."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.request import Request

_NOTHING = object()


async def run_in_thread(request: Request, function: Callable[[], Any]) -> Any:
    """Return `function()`, run in the server's thread pool in a copy of the caller's context. The context
    variables it sets are those of the caller afterwards, as if it had been called here.
    """
    context = copy_context()
    try:
        if request.server is not None:
            return await request.server.run_in_thread(_call, context, function)
        return await asyncio.get_running_loop().run_in_executor(None, _call, context, function)
    finally:
        _take_over(context)


def _call(context: Context, function: Callable[[], Any]) -> Any:
    try:
        return context.run(function)
    except StopIteration as error:  # no Future takes it, and no coroutine lets it through
        raise RuntimeError("a function in a thread raised StopIteration") from error


def _take_over(context: Context) -> None:
    """Set here what was set there."""
    variable: ContextVar[Any]
    for variable, value in context.items():
        if variable.get(_NOTHING) is not value:
            variable.set(value)
