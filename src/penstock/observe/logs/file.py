"""Log lines in files that others rotate: renamed under the writer, then reopened at a signal.

Each write is one `write(2)` at the end of the file, so processes that share it do not tear each other's
lines. A file that cannot be written, because the disk is full or it cannot be opened again, costs lines and
never the caller: that is said once on stderr, the lines are counted, and each further line tries again; the
count is the first thing in the file once that works. Absent on purpose: rotation itself.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from penstock.errors import ConfigError
from penstock.observe.logs.format import BareFormatter, TextFormatter
from penstock.observe.logs.setup import ACCESS, ROOT, LineHandler
from penstock.observe.logs.stderr import make_note, tell_on_stderr
from penstock.observe.logs.writer import count_lost

if TYPE_CHECKING:
    from penstock.observe.logs.format import LineFormatter

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
# What the umask leaves of it: the addresses of clients are not for everybody (nginx 644, syslog 640).
_MODE = 0o640
# Who holds the lock writes to the disk; one that takes longer is no disk.
_LOCK_S = 1.0


_files: WeakSet[LogFile] = WeakSet()


def _begin_anew() -> None:
    for file in list(_files):
        file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class LogFile:
    """One file that lines are appended to, from any thread."""

    def __init__(self, path: str, owner: tuple[int, int] | None = None) -> None:
        """Open the file, and make it when it is not there; OSError. `owner`: user and group it is given to
        where this process is root.
        """
        self.path = Path(path).absolute()
        self.formatter: LineFormatter | None = TextFormatter()
        """Of what is said in it of itself; None: only records of requests are understood."""
        self._owner = owner
        self._fd = self._open()
        self._lock = threading.Lock()
        self._lost = 0
        self._is_torn = False
        """The file ends with a part of a line."""
        self._failure = ""
        """Why lines are being lost; told already."""
        _files.add(self)

    def forget(self) -> None:
        """Begin anew in a new process: who held the lock is not in it."""
        self._lock = threading.Lock()

    def _open(self) -> int:
        fd = os.open(self.path, _FLAGS, _MODE)
        if self._owner is not None and os.geteuid() == 0 and stat.S_ISREG(os.fstat(fd).st_mode):
            os.fchown(fd, *self._owner)
        return fd

    def reopen(self) -> None:
        """Go on in the file that has the name now; in the old one when it cannot be opened."""
        try:
            fd = self._open()
        except OSError as error:
            tell_on_stderr(
                "ERROR", f"{self.path}: not reopened: {error.strerror}; the old file is written on"
            )
            return
        with self._lock:
            old, self._fd = self._fd, fd
            self._is_torn = False
        os.close(old)

    def close(self) -> None:
        """Let go of it; nothing is written from here on."""
        with self._lock:
            os.close(self._fd)

    def write(self, lines: str) -> None:
        """Write whole lines; count them when that is not possible."""
        data = lines.encode("utf-8", "backslashreplace")
        if not self._lock.acquire(timeout=_LOCK_S):
            self._lost += data.count(b"\n")
            count_lost(data.count(b"\n"))
            return
        try:
            note = self._note()
            written = 0
            try:
                data = note + data
                while written < len(data):  # a disk that fills up takes a part, and then refuses the rest
                    written += os.write(self._fd, data[written:])
            except OSError as error:
                self._count(data, written, len(note))
                self._tell(error.strerror or str(error))
            else:
                self._recover()
        finally:
            self._lock.release()

    def flush(self) -> None:
        """All that was taken is written."""

    def _note(self) -> bytes:
        """What the file is told first: the end of a torn line, and how many are missing behind it."""
        note = "\n" if self._is_torn else ""
        if self._lost and self.formatter is not None:
            note += make_note("WARNING", f"{self._lost} lines lost: {self._failure}", self.formatter)
        return note.encode()

    def _count(self, data: bytes, written: int, noted: int) -> None:
        if written:
            self._is_torn = not data[:written].endswith(b"\n")
        if written >= noted:
            self._lost = 0 if self.formatter else self._lost  # so far: the note says so
        missing = data.count(b"\n", max(written, noted))
        count_lost(missing)
        self._lost += missing

    def _tell(self, failure: str) -> None:
        if not self._failure:
            tell_on_stderr("ERROR", f"{self.path}: cannot be written, lines are lost until it can: {failure}")
        self._failure = failure

    def _recover(self) -> None:
        if self._failure:
            missing = (
                "what is missing is counted there" if self.formatter else f"{self._lost} lines are missing"
            )
            tell_on_stderr("WARNING", f"{self.path}: is written again; {missing}")
        self._lost, self._is_torn, self._failure = 0, False, ""


class WatchedFile(LogFile):
    """Looks before it writes whether the file still has its name: a stat for each record, 2 us."""

    def write(self, lines: str) -> None:
        try:
            found, own = os.stat(self.path), os.fstat(self._fd)  # noqa: PTH116 - PERF
            is_moved = (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino)
        except OSError:
            is_moved = True
        if is_moved:
            self.reopen()
        super().write(lines)


class FileHandler(LineHandler):
    """Formats for one file. It does not own the file: `logging.config` closes handlers as it likes."""

    def __init__(self, file: LogFile, formatter: LineFormatter) -> None:
        super().__init__(file)
        self.setFormatter(formatter)


class LogFiles(NamedTuple):
    """Where the log goes instead of stderr, and where the access log goes instead of there."""

    log: LogFile | None = None
    access: LogFile | None = None

    def reopen(self) -> None:
        """Go on in the files that have the names now."""
        for file in self:
            if file is not None:
                file.reopen()

    def install(self, formatter: LineFormatter, access_formatter: LineFormatter | None) -> None:
        """Have the loggers write to them. `access_formatter` None: the access log has a form of its own."""
        if self.log is not None:
            self.log.formatter = formatter
            logging.getLogger(ROOT).addHandler(FileHandler(self.log, formatter))
        if self.access is not None:
            self.access.formatter = access_formatter
            access = logging.getLogger(ACCESS)
            access.addHandler(FileHandler(self.access, access_formatter or BareFormatter()))
            access.propagate = False


NO_FILES = LogFiles()


def open_log_files(log: str | None, access: str | None, owner: tuple[int, int] | None = None) -> LogFiles:
    """Open what is named; ConfigError when that is not possible, because then it is a wrong setting."""
    return LogFiles(_open("log_file", log, owner), _open("access_log_file", access, owner))


def open_shared(path: str | None) -> LogFiles:
    """Open the log of other processes, for one that nobody tells when it is rotated."""
    if path is None:
        return NO_FILES
    try:
        return LogFiles(WatchedFile(path))
    except OSError as error:
        tell_on_stderr("ERROR", f"{path}: not opened: {error.strerror}")
        return NO_FILES


def _open(key: str, path: str | None, owner: tuple[int, int] | None) -> LogFile | None:
    if path is None:
        return None
    try:
        return LogFile(path, owner)
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None
