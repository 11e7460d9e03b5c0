"""Where a handler runs, and whether it can run there; decided and checked at start-up."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Literal

from penstock.app.routing.router import describe, inner_function
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.binding.signature import Signature
    from penstock.app.routing.router import Route
    from penstock.http.request import Request

RunsAs = Literal["task", "thread", "inline", "process"]


def decide_run(route: Route) -> RunsAs:
    """Return where a route's handler runs; ApplicationError when its options contradict the handler."""
    handler, where = route.handler, describe(route.handler)
    streams_async = is_function(inspect.isasyncgenfunction, handler)
    is_async = streams_async or is_function(inspect.iscoroutinefunction, handler)
    if route.run not in (None, "inline", "thread", "process"):
        raise ApplicationError(f"{where}: run={route.run!r}; expected 'inline', 'thread' or 'process'")
    if is_async and route.run is not None:
        raise ApplicationError(
            f"{where}: an async def handler always runs on the loop; remove run={route.run!r} or the async"
        )
    if route.cancel_on_disconnect and not (is_async and not streams_async):
        raise ApplicationError(
            f"{where}: cancel_on_disconnect needs an async def handler; nothing else can be cancelled"
        )
    if route.status is not None and not (_is_int(route.status) and 200 <= route.status <= 599):
        raise ApplicationError(f"{where}: status={route.status!r}; expected 200 to 599")
    if route.body_limit is not None and not (_is_int(route.body_limit) and route.body_limit >= 0):
        raise ApplicationError(f"{where}: body_limit={route.body_limit!r}; expected a number of octets")
    if route.timeout_s is not None:
        _check_timeout(route, is_inline=streams_async or route.run == "inline")
    if streams_async:
        return "inline"  # calling it makes the generator and runs none of it
    return "task" if is_async else route.run or "thread"


def _check_timeout(route: Route, *, is_inline: bool) -> None:
    timeout_s, where = route.timeout_s, describe(route.handler)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or not timeout_s >= 0:
        raise ApplicationError(f"{where}: timeout_s={timeout_s!r}; expected seconds, 0 for no limit")
    if is_inline:
        raise ApplicationError(
            f"{where}: timeout_s needs an async def handler, a thread or a process; one that runs inline "
            "stops the clock, too"
        )


def check_process(handler: Callable[..., Any], signature: Signature) -> None:
    """Refuse a run="process" handler another process could not find or would not get its arguments for."""
    where = describe(handler)
    function = handler
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", "")
    if inspect.ismethod(function):
        raise ApplicationError(
            f"{where}: run='process' needs a function defined with def at module level; this method would "
            f"send its {type(function.__self__).__name__} along to another process"
        )
    if not inspect.isfunction(inspect.unwrap(function)) or "<lambda>" in name:
        raise ApplicationError(f"{where}: run='process' needs a function defined with def at module level")
    if "<locals>" in name:
        raise ApplicationError(
            f"{where}: run='process' cannot find a function defined inside another; move it to module level"
        )
    if module == "__main__":
        raise ApplicationError(
            f"{where}: run='process' cannot import __main__; put the handler in a module and serve that, "
            "as in 'penstock run shop:app'"
        )
    if inspect.isgeneratorfunction(inspect.unwrap(function)):
        raise ApplicationError(
            f"{where}: run='process' cannot send a generator back; return the whole value or use run='thread'"
        )
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise ApplicationError(
            f"{where}: run='process' finds the handler by name, and {module}.{name} is something else; "
            "is it decorated again or deleted?"
        )
    for argument in signature.arguments:
        if argument.source in ("request", "stream", "tasks"):
            raise ApplicationError(
                f"{where}: parameter {argument.name!r}: a connection cannot go to another process; take "
                "the values it needs instead"
            )


async def run_in_process(request: Request, handler: Callable[..., Any], *args: object) -> Any:
    """Run a handler in the server's process pool."""
    if request.server is None:
        raise RuntimeError(
            f"{describe(handler)} runs in a process, and this request came through no server that has any"
        )
    return await request.server.run_in_process(handler, *args)


def is_coroutine_function(function: object) -> bool:
    """Tell whether calling it makes a coroutine, an object with such a `__call__` included."""
    return is_function(inspect.iscoroutinefunction, function)


def is_function(predicate: Callable[[object], bool], handler: Any) -> bool:
    """Ask about the handler itself, or about the `__call__` of an object; not about what a plain decorator
    wraps.
    """
    if predicate(handler):
        return True
    return (
        not hasattr(handler, "__code__")
        and inner_function(handler) is not handler
        and predicate(type(handler).__call__)
    )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
