"""What Linux says of a process in /proc (proc(5)), read as cheaply as can be.

Files are kept open: that is half the cost, and a kept file never shows another process that was given the
same number. CPU time comes from the process's own clock (clock_getcpuclockid(3)) in nanoseconds; /proc has it
in ticks of 10 ms only.
"""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.monitor.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_PPID, _SESSION, _USER, _THREADS = 1, 3, 11, 17
"""Fields of `stat` that follow the name: proc_pid_stat(5) numbers them 3 higher."""
_SWITCHES: Final = re.compile(rb"ctxt_switches:\t([0-9]+)")
_READ: Final = re.compile(rb"\nread_bytes: ([0-9]+)\nwrite_bytes: ([0-9]+)")
_MANY_THREADS = 8
_EVERY = 10
"""With many threads their switches are asked for in every tenth look only: each is a file."""


class ProcProcess:
    """One process, by its open files."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._is_self = pid == os.getpid()
        self._files: list[int] = []
        self._looks = 0
        self._switches = 0
        try:
            self._stat = self._open("stat")
            self._statm = self._open("statm")
            self._status = self._open("status")
        except OSError:
            self.close()
            raise
        try:
            self._io: int | None = self._open("io")
        except OSError:  # of another user
            self._io = None

    def _open(self, name: str) -> int:
        number = os.open(f"/proc/{self.pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self._files.append(number)
        return number

    def read(self) -> Usage | None:
        """Return what it used; None once it is gone."""
        try:
            fields = _fields(os.pread(self._stat, 1024, 0))
            pages = int(os.pread(self._statm, 128, 0).split()[1])
            threads = int(fields[_THREADS])
            switches = self._count_switches(threads)
        except (OSError, IndexError):
            return None
        user_s, system_s, ended_user_s, ended_system_s = (
            int(ticks) / _TICKS_PER_S for ticks in fields[_USER : _USER + 4]
        )
        try:
            cpu_s = time.process_time() if self._is_self else time.clock_gettime(_clock_of(self.pid))
        except OSError:
            cpu_s = user_s + system_s
        read_bytes, written_bytes = self._read_io()
        return Usage(
            cpu_s,
            user_s,
            system_s,
            ended_user_s,
            ended_system_s,
            pages * _PAGE_BYTES,
            threads,
            switches,
            read_bytes,
            written_bytes,
        )

    def _count_switches(self, threads: int) -> int:
        """What threads that ended had is not lost: the count never falls."""
        if self._is_self:
            used = resource.getrusage(resource.RUSAGE_SELF)
            return used.ru_nvcsw + used.ru_nivcsw
        self._looks += 1
        if threads <= 1:
            found = _switches(os.pread(self._status, 4096, 0))
        elif threads > _MANY_THREADS and self._looks % _EVERY != 1:
            found = 0
        else:
            found = sum(map(_switches, _read_each(self.pid, "status")))
        self._switches = max(self._switches, found)
        return self._switches

    def _read_io(self) -> tuple[int, int]:
        if self._io is None:
            return 0, 0
        try:
            found = _READ.search(os.pread(self._io, 512, 0))
        except OSError:
            return 0, 0
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def children(self) -> list[int]:
        """Return its children that live; those of each of its threads are in a file of their own."""
        return [int(pid) for text in _read_each(self.pid, "children") for pid in text.split()]

    def close(self) -> None:
        """Close its files."""
        while self._files:
            os.close(self._files.pop())


class ProcReader:
    """Asks /proc."""

    def open(self, pid: int) -> ProcProcess | None:
        """Begin to watch a process; None when there is none."""
        try:
            return ProcProcess(pid)
        except OSError:
            return None

    def members(self, roots: Iterable[int]) -> set[int]:
        """Return these processes, all their descendants, and all of the sessions they lead."""
        found = set(roots)
        sessions = set(found)
        by_parent: dict[int, list[int]] = {}
        for pid, parent, session in _everybody():
            by_parent.setdefault(parent, []).append(pid)
            if session in sessions:
                found.add(pid)
        waiting = list(found)
        while waiting:
            young = [pid for pid in by_parent.get(waiting.pop(), ()) if pid not in found]
            found.update(young)
            waiting += young
        return found


def _clock_of(pid: int) -> int:
    """Return the number of a process's clock: CPUCLOCK_SCHED of all its threads."""
    return (~pid << 3) | 2


def _fields(stat: bytes) -> list[bytes]:
    """Return what follows the name, which may hold spaces and brackets itself."""
    return stat[stat.rindex(b")") + 2 :].split()


def _switches(status: bytes) -> int:
    return sum(map(int, _SWITCHES.findall(status)))


def _read_each(pid: int, name: str) -> Iterator[bytes]:
    """Yield a file of each thread that lives."""
    folder = f"/proc/{pid}/task"
    try:
        numbers = os.listdir(folder)  # noqa: PTH208 - names are all that is wanted, ten times a second
    except OSError:
        return
    for number in numbers:
        try:
            file = os.open(f"{folder}/{number}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                yield os.read(file, 65_536)
            finally:
                os.close(file)
        except OSError:
            continue


def _everybody() -> Iterator[tuple[int, int, int]]:
    """Yield number, parent and session of each process there is."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = _fields((entry / "stat").read_bytes())
            except (OSError, ValueError):
                continue
            yield int(entry.name), int(fields[_PPID]), int(fields[_SESSION])
