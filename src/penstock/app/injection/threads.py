"""Running a part of a plan in a thread, out of a coroutine."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.request import Request

_NOTHING = object()


async def run_in_thread(request: Request, function: Callable[[Context], Any]) -> Any:
    """Return `function(context)`, run in the server's thread pool in that context, a copy of the caller's.
    The context variables it sets are those of the caller afterwards, as if it had been called here. HTTPError
    503 when the pool takes no more.
    """
    context, server = copy_context(), request.server
    try:
        if server is not None:
            return await server.run_in_thread(_call, context, function, context)
        return await asyncio.get_running_loop().run_in_executor(None, _call, context, function, context)
    finally:
        take_over(context)


async def continue_in_thread(request: Request, context: Context, function: Callable[[], Any]) -> Any:
    """Return `function()`, run in a thread and in this context: work already begun, which is never
    refused.
    """
    if request.server is not None:
        return await request.server.continue_in_thread(_call, context, function)
    return await asyncio.get_running_loop().run_in_executor(None, _call, context, function)


def take_over(context: Context) -> None:
    """Set here the variables that were set there."""
    variable: ContextVar[Any]
    for variable, value in context.items():
        if variable.get(_NOTHING) is not value:
            variable.set(value)


def _call(context: Context, function: Callable[..., Any], *args: object) -> Any:
    try:
        return context.run(function, *args)
    except StopIteration as error:  # no Future takes it, and no coroutine lets it through
        raise RuntimeError("a function in a thread raised StopIteration") from error
