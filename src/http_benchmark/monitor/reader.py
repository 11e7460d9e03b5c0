"""Which way to ask there is on this system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http_benchmark.monitor.usage import Reader


def find_reader() -> Reader:
    """Return the way to ask on this system: /proc where it is, else psutil (MissingLibrary without)."""
    if Path("/proc/self/stat").exists():
        from http_benchmark.monitor.proc import ProcReader

        return ProcReader()
    from http_benchmark.monitor.portable import PsutilReader

    return PsutilReader()
