"""stderr as a sink: never waited for by whoever logs, and no line torn in two where several processes write.

A pipe that is full, or a terminal that is stopped, takes nothing: what does not go is kept up to a bound, and
tried again with the next lines, or by the thread of the log. Beyond the bound lines are lost and counted, and
the count is the first thing that gets through. A stream that fails costs its lines. `sys.stderr` is looked up
at each write: tests and applications replace it.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from penstock.observe.logs.format import TextFormatter
from penstock.observe.logs.writer import count_lost

if TYPE_CHECKING:
    from collections.abc import Callable

# PIPE_BUF of Linux: a pipe that is writable takes as much without blocking, and in one piece.
_SLICE: Final = 4096
# About 3,000 lines: what a reader may be late by.
_KEPT_BYTES: Final = 1_048_576
_FLUSH_S: Final = 1.0
# Linux; a pipe is pages, the first and last of which may be taken in part.
_PIPE_BYTES: Final = 65_536
_PIPE_SLACK: Final = 8_192


def make_note(
    level: str,
    message: str,
    formatter: logging.Formatter,
    members: dict[str, Any] | None = None,
    logger: str = "penstock",
) -> str:
    """Return a line of our own that goes past the log: about it, or before it is there."""
    fields = {"name": logger, "levelname": level, "msg": message, "trace_id": "", "process": os.getpid()}
    return formatter.format(logging.makeLogRecord(fields | (members or {}))) + "\n"


class StderrSink:
    """Takes whole lines, from any thread."""

    def __init__(self) -> None:
        self.formatter: logging.Formatter = TextFormatter()
        """Of what it says itself."""
        self._untold = 0
        self._kept = bytearray()
        self._lock = threading.RLock()

    def write(self, lines: str) -> None:
        """Write lines, or keep them for later. Never waits and never raises."""
        with self._lock:
            data = lines.encode("utf-8", "backslashreplace")
            if len(self._kept) + len(data) > _KEPT_BYTES and self._kept:
                self._count(data)
            else:
                self._kept += data
            self._push()

    def flush(self, timeout_s: float = _FLUSH_S) -> None:
        """Wait until all is written that was kept, as long as that may take."""
        end = time.monotonic() + timeout_s
        while self._kept and time.monotonic() < end:
            _wait_writable(10)
            with self._lock:
                self._push()

    # A source of the thread of the log.

    def has_work(self) -> bool:
        return False

    def is_behind(self) -> bool:
        return bool(self._kept)

    def work(self) -> int:
        if self._kept:
            with self._lock:
                self._push()
        return 0

    def forget(self) -> None:
        self._lock = threading.RLock()
        self._kept, self._untold = bytearray(), 0

    def _count(self, data: bytes | bytearray) -> None:
        missing = data.count(b"\n")
        count_lost(missing)
        self._untold += missing

    def _push(self) -> None:
        kept = self._kept
        try:
            while kept:
                part = _first_part(kept)
                if not _write_now(part):
                    return
                del kept[: len(part)]
                if self._untold and not kept:
                    told, self._untold = self._untold, 0
                    kept += make_note(
                        "WARNING", f"stderr was full: {told} lines lost", self.formatter
                    ).encode()
        except Exception:
            # The border to the sink. There is nowhere left to say it.
            self._count(kept)
            kept.clear()


def _first_part(data: bytearray) -> bytes:
    """Whole lines: all of them for a file, which never blocks; else at most a slice, or one longer line."""
    if len(data) <= _SLICE or _is_kind(stat.S_ISREG):
        return bytes(data)
    end = data.rfind(b"\n", 0, _SLICE) + 1 or data.find(b"\n") + 1
    return bytes(data[: end or len(data)])


def _is_kind(test: Callable[[int], bool]) -> bool:
    fd = _find_fd()
    return fd is not None and test(os.fstat(fd).st_mode)


def _find_fd() -> int | None:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # no stream, or no descriptor behind it
        return None


def _write_now(part: bytes) -> bool:
    """Write a part; False when that would block. Raises what the stream raises."""
    stream = sys.stderr
    if stream is None:  # a daemon
        return True
    fd = _find_fd()
    if fd is None:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(part.decode().encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
        return True
    if not _wait_writable(0) or not _has_room(fd, len(part)):
        return False
    while part:
        part = part[os.write(fd, part) :]
    return True


def _has_room(fd: int, size: int) -> bool:
    """Whether a pipe takes a long line in one piece; a piece of it would be torn by other processes."""
    if size <= _SLICE or not _is_kind(stat.S_ISFIFO):
        return True
    try:
        import fcntl
        import termios

        unread = int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
        get_size = getattr(fcntl, "F_GETPIPE_SZ", None)
        capacity = fcntl.fcntl(fd, get_size) if get_size is not None else _PIPE_BYTES
    except (ImportError, OSError):
        return True
    return unread == 0 or size <= capacity - unread - _PIPE_SLACK


def _wait_writable(timeout_ms: int) -> bool:
    """Wait until stderr takes a slice without blocking; False when it did not in time."""
    fd = _find_fd()
    if fd is None or not hasattr(select, "poll"):
        return True
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(timeout_ms))


STDERR: Final = StderrSink()


def tell_on_stderr(level: str, message: str) -> None:
    """Say what cannot be said in the log."""
    STDERR.write(make_note(level, message, STDERR.formatter))
