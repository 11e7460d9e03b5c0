"""Which processor is whose: the server under test gets one, the load another, where there are two."""

from __future__ import annotations

import os


def _processors() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


_AVAILABLE = _processors()
SERVER_CPU = _AVAILABLE[0] if len(_AVAILABLE) > 1 else None
LOAD_CPU = _AVAILABLE[1] if len(_AVAILABLE) > 1 else None


def pin(pid: int, cpu: int | None) -> None:
    """Keep a process just started on one processor; None, or a process already gone: leave it."""
    if cpu is not None:
        try:
            os.sched_setaffinity(pid, {cpu})
        except ProcessLookupError:
            pass
