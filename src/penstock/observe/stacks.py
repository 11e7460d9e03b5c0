"""Where a Task or a thread stands, as text for the log, while it is somewhere else.

A Task that waits is a chain: its coroutine awaits another, and so on; `Task.get_stack` shows the first link
alone. The chain ends at the innermost that Python code can see, a Future or something written in C.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from types import FrameType


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


def log_with_stack(logger: logging.Logger, stack: str, title: str, message: str, *args: object) -> None:
    """Log an error and a stack as one record."""
    record = logger.makeRecord(
        logger.name,
        logging.ERROR,
        __file__,
        0,
        message,
        args,
        None,
        sinfo=f"{title} (most recent call last):\n{stack}" if stack else None,
    )
    logger.handle(record)


def _attribute(link: Any, name: str) -> Any:
    """Look up `cr_<name>` of a coroutine, or what generators of either kind call it."""
    for prefix in ("cr_", "ag_", "gi_"):
        found = getattr(link, prefix + name, None)
        if found is not None:
            return found
    return getattr(link, "gi_yieldfrom", None) if name == "await" else None
