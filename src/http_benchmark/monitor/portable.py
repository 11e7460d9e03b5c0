"""The same figures by psutil, for systems without /proc.

On Linux psutil reads the same files at several times the cost, so that ten processes looked at ten times a
second would take more than 1 % of a core; there `proc.py` is used, and tests hold the two against each other.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from http_benchmark.errors import MissingLibrary
from http_benchmark.monitor.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable


class PsutilProcess:
    """One process, as psutil knows it: by number and time of birth."""

    def __init__(self, psutil: Any, pid: int) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)
        self._error = psutil.Error

    def read(self) -> Usage | None:
        """Return what it used; None once it is gone."""
        process = self._process
        try:
            with process.oneshot():
                cpu = process.cpu_times()
                rss_bytes, threads = process.memory_info().rss, process.num_threads()
                switches = sum(process.num_ctx_switches())
        except self._error:
            return None
        read_bytes, written_bytes = self._read_io()
        return Usage(
            cpu.user + cpu.system,
            cpu.user,
            cpu.system,
            cpu.children_user,
            cpu.children_system,
            rss_bytes,
            threads,
            switches,
            read_bytes,
            written_bytes,
        )

    def _read_io(self) -> tuple[int, int]:
        """What storage was asked for; (0, 0) where the system or a right is missing."""
        try:
            found = self._process.io_counters()
        except (AttributeError, self._error):
            return 0, 0
        return found.read_bytes, found.write_bytes

    def children(self) -> list[int]:
        """Return its children that live."""
        try:
            return [child.pid for child in self._process.children()]
        except self._error:
            return []

    def close(self) -> None:
        """Hold nothing."""


class PsutilReader:
    """Asks psutil."""

    def __init__(self) -> None:
        try:
            import psutil
        except ImportError:
            raise MissingLibrary("psutil", "pip install psutil") from None
        self._psutil: Any = psutil

    def open(self, pid: int) -> PsutilProcess | None:
        """Begin to watch a process; None when there is none."""
        try:
            return PsutilProcess(self._psutil, pid)
        except self._psutil.Error:
            return None

    def members(self, roots: Iterable[int]) -> set[int]:
        """Return these processes, all their descendants, and all of the sessions they lead."""
        leaders = set(roots)
        found = set(leaders)
        for pid in self._psutil.pids():
            with suppress(OSError):
                if os.getsid(pid) in leaders:
                    found.add(pid)
        for pid in list(found):
            with suppress(self._psutil.Error):
                found.update(child.pid for child in self._psutil.Process(pid).children(recursive=True))
        return found
