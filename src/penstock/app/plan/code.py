"""Source text to a function, which is compiled when it is first called.

What is wrong with a route is found when its source is written, at start-up; the source itself is ours.
"""

from __future__ import annotations

import linecache
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.http.handler import Call


def compile_plan(source: str, name: str, scope: dict[str, Any]) -> Call:
    """Return the function `call` that a source defines."""
    stub = _call_async if source.startswith("async ") else _call
    call = FunctionType(stub.__code__, scope, "call")

    def compile_now() -> Call:
        # PERF: 0.25 ms a route, a third of what one costs at start-up; from then on the code is its own, and
        # a call costs nothing more (benchmarks/cold_start.py). Twice, by two threads at once, is the same.
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)  # for tracebacks
        exec(compile(source, name, "exec"), scope)  # noqa: S102 - the names in it are identifiers, the rest is ours
        call.__code__ = scope["call"].__code__
        return call

    scope["compile_now"] = compile_now
    return call


def _call(*given: object) -> Any:  # the request, and with some plans a context
    return compile_now()(*given)  # type: ignore[name-defined]  # noqa: F821 - in the scope of a plan


async def _call_async(*given: object) -> Any:
    return await compile_now()(*given)  # type: ignore[name-defined]  # noqa: F821 - as above


def indented(lines: list[str], levels: int) -> list[str]:
    """Return the lines so many levels further in."""
    return ["    " * levels + line for line in lines]
