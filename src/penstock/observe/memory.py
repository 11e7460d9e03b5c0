"""How much memory a process holds."""

from __future__ import annotations

import os
from pathlib import Path


def measure_rss(pid: int | None = None) -> int:
    """Return the octets of memory that process, or this one, holds; 0 where the system does not say so."""
    try:
        pages = int(Path("/proc", str(pid or "self"), "statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
