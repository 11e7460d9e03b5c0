"""Source text to a function."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.http.handler import Call


def compile_plan(source: str, name: str, scope: dict[str, Any]) -> Call:
    """Return the function `call` that a source defines."""
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = (len(source), None, lines, name)  # for tracebacks
    exec(compile(source, name, "exec"), scope)  # noqa: S102 - the names in it are identifiers, the rest is ours
    call: Call = scope["call"]
    return call


def indented(lines: list[str], levels: int) -> list[str]:
    """Return the lines so many levels further in."""
    return ["    " * levels + line for line in lines]
