"""Where a Task or a thread stands, as text for the log, while it is somewhere else.

A Task that waits is a chain: its coroutine awaits another, and so on; `Task.get_stack` shows the first link
alone. The chain ends at the innermost that Python code can see, a Future or something written in C.
"""

from __future__ import annotations

import asyncio
import linecache
import logging
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

_PACKAGE: Final = Path(__file__).parents[1]
# What calls an application's code: of no interest above it.
_SERVER: Final = str(_PACKAGE / "server") + "/"
_LOOP: Final = str(Path(asyncio.__file__).parent) + "/"
_CALLERS: Final = (_SERVER, _LOOP, threading.__file__)
_DEPTH: Final = 24
_SOURCE_CHARS: Final = 120


class Place(NamedTuple):
    """Where a frame stands. To take one touches no file: 20 of them take 20 us."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}"


Stack = tuple[Place, ...]
"""Most recent call last."""


def stack_of_task(task: asyncio.Task[Any]) -> str:
    """Return the stack of a Task that waits, most recent call last; "" when it has none."""
    frames = []
    link: Any = task.get_coro()
    while link is not None:
        frame = _attribute(link, "frame")
        if frame is not None:
            frames.append((frame, frame.f_lineno))
        link = _attribute(link, "await")
    return "".join(traceback.StackSummary.extract(iter(frames)).format())


def stack_of_thread(ident: int | None) -> str:
    """Return the stack of a thread that runs, most recent call last; "" when it has ended."""
    frame = frame_of_thread(ident)
    return "".join(traceback.format_stack(frame)) if frame is not None else ""


def frame_of_thread(ident: int | None) -> FrameType | None:
    """Return the innermost frame of a thread as it is now."""
    return sys._current_frames().get(ident or 0)  # noqa: SLF001 - documented


def places_of_thread(ident: int | None) -> Stack:
    """Return where a thread stands: below the server's own calls, the innermost frames if there are many."""
    return places_of_frame(frame_of_thread(ident))


def places_of_frame(frame: FrameType | None) -> Stack:
    """Return where this frame stands, and whoever called it below the server's own calls."""
    places: list[Place] = []
    while frame is not None:
        code = frame.f_code
        places.append(Place(code.co_filename, frame.f_lineno or 0, code.co_name))
        frame = frame.f_back
    places.reverse()
    return tuple(places[_begin_of_interest(places) :][-_DEPTH:])


def places_of_task(task: asyncio.Task[Any]) -> Stack:
    """Return where a Task waits; empty when it does not."""
    places: list[Place] = []
    link: Any = task.get_coro()
    while link is not None and len(places) < 4 * _DEPTH:
        frame = _attribute(link, "frame")
        if frame is not None:
            places.append(Place(frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name))
        link = _attribute(link, "await")
    return tuple(places[_begin_of_interest(places) :][-_DEPTH:])


def is_idle(stack: Stack) -> bool:
    """Whether a loop that stands here waits for events, rather than for code it runs."""
    if not stack:
        return True
    file, _, function = stack[-1]
    # uvloop waits in C, below whoever runs it.
    return (function == "select" and Path(file).name == "selectors.py") or (
        function == "_run_loop" and file.startswith(_SERVER)
    )


def render_stack(stack: Iterable[Place]) -> str:
    """Return it as a traceback has it, with the lines of the source where there are any."""
    lines = []
    for place in stack:
        lines.append(f'  File "{place.file}", line {place.line}, in {place.function}\n')
        source = linecache.getline(place.file, place.line).strip()
        if source:
            lines.append(f"    {source[:_SOURCE_CHARS]}\n")
    return "".join(lines)


def _begin_of_interest(places: list[Place]) -> int:
    """The index behind the calls that led from the server into other code; 0 when there is nothing behind."""
    at = next((index for index, place in enumerate(places) if place.file.startswith(_SERVER)), len(places))
    while at < len(places) and places[at].file.startswith(_CALLERS):
        at += 1
    return at if at < len(places) else 0


def log_with_stack(
    logger: logging.Logger,
    stack: str,
    title: str,
    message: str,
    *args: object,
    level: int = logging.ERROR,
    **values: object,
) -> None:
    """Log a message and a stack as one record, whose attributes `values` are; `title` says whose stack it is,
    unless the text does.
    """
    if not logger.isEnabledFor(level):
        return
    if stack and title:
        stack = f"{title} (most recent call last):\n{stack}"
    record = logger.makeRecord(
        logger.name, level, __file__, 0, message, args, None, extra=values, sinfo=stack.rstrip("\n") or None
    )
    logger.handle(record)


def _attribute(link: Any, name: str) -> Any:
    """Look up `cr_<name>` of a coroutine, or what generators of either kind call it."""
    for prefix in ("cr_", "ag_", "gi_"):
        found = getattr(link, prefix + name, None)
        if found is not None:
            return found
    return getattr(link, "gi_yieldfrom", None) if name == "await" else None
