"""The table of requests in flight as text: for `/debug/requests`, and for the dump that SIGUSR2 asks for."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_INDENT: Final = "    "


def render_table(requests: Sequence[Mapping[str, Any]], total: int) -> str:
    """Return the requests in flight, each in a paragraph; `total` is how many there are."""
    count = f"{total} {'request' if total == 1 else 'requests'} in flight"
    shown = f", the oldest {len(requests)} of them here" if total > len(requests) else ""
    return f"{count}{shown}\n" + "".join(f"\n{_render(request)}" for request in requests)


def _render(request: Mapping[str, Any]) -> str:
    age_s = request["age_seconds"]
    lines = [f"{age_s:10.3f} s  {request['line']}", f"{_INDENT}{_join(_list_words(request))}"]
    phases = request.get("phases") or {}
    if phases:
        lines.append(f"{_INDENT}phases {_join(f'{name} {ms / 1e3:.3f} s' for name, ms in phases.items())}")
    if request.get("stack"):
        lines.append(f"{_INDENT}{request['stands']} (most recent call last):")
        lines.append(textwrap.indent(request["stack"].rstrip("\n"), _INDENT))
    return "\n".join(lines) + "\n"


def _list_words(request: Mapping[str, Any]) -> list[str]:
    names = ("worker", "runs", "phase", "route", "client")
    words = [f"{name} {request[name]}" for name in names if request.get(name) is not None]
    return [*words, *([f"trace id {request['trace_id']}"] if request.get("trace_id") else [])]


def _join(words: Iterable[str]) -> str:
    return ", ".join(words)
