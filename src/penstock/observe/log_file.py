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
import time
from pathlib import Path
from typing import NamedTuple

from penstock.errors import ConfigError
from penstock.observe.logs import ACCESS, ROOT, LineFormatter, LineHandler, render_time, tell_on_stderr

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
# What the umask leaves of it: the addresses of clients are not for everybody (nginx 644, syslog 640).
_MODE = 0o640


class LogFile:
    """One file that lines are appended to, from any thread."""

    def __init__(self, path: str, owner: tuple[int, int] | None = None) -> None:
        """Open the file, and make it when it is not there; OSError. `owner`: user and group it is given to
        where this process is root.
        """
        self.path = Path(path).absolute()
        self._owner = owner
        self._fd = self._open()
        self._lock = threading.Lock()
        self._lost = 0
        self._is_torn = False
        """The file ends with a part of a line."""
        self._failure = ""
        """Why lines are being lost; told already."""

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

    def append(self, lines: str) -> None:
        """Write whole lines; count them when that is not possible."""
        data = lines.encode("utf-8", "backslashreplace")
        with self._lock:
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

    def _note(self) -> bytes:
        """What the file is told first: the end of a torn line, and how many are missing behind it."""
        note = "\n" if self._is_torn else ""
        if self._lost:
            note += f"{render_time(time.time())} WARNING {ROOT} {self._lost} lines lost: {self._failure}\n"
        return note.encode()

    def _count(self, data: bytes, written: int, noted: int) -> None:
        if written:
            self._is_torn = not data[:written].endswith(b"\n")
        if written >= noted:
            self._lost = 0  # so far: the note says so
        self._lost += data.count(b"\n", max(written, noted))

    def _tell(self, failure: str) -> None:
        if not self._failure:
            tell_on_stderr("ERROR", f"{self.path}: cannot be written, lines are lost until it can: {failure}")
        self._failure = failure

    def _recover(self) -> None:
        if self._failure:
            tell_on_stderr("WARNING", f"{self.path}: is written again; what is missing is counted there")
        self._lost, self._is_torn, self._failure = 0, False, ""


class FileHandler(LineHandler):
    """Formats for one file. It does not own the file: `logging.config` closes handlers as it likes."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self.file = file
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.file.append(self.format(record) + "\n")
        except Exception:
            # The border to the sink, as on stderr.
            return

    def write(self, lines: str) -> None:
        try:
            self.file.append(lines)
        except Exception:  # as above
            return


class LogFiles(NamedTuple):
    """Where the log goes instead of stderr, and where the access log goes instead of there."""

    log: LogFile | None = None
    access: LogFile | None = None

    def reopen(self) -> None:
        """Go on in the files that have the names now."""
        for file in self:
            if file is not None:
                file.reopen()

    def install(self) -> None:
        """Have the loggers write to them."""
        if self.log is not None:
            logging.getLogger(ROOT).addHandler(FileHandler(self.log))
        if self.access is not None:
            access = logging.getLogger(ACCESS)
            access.addHandler(FileHandler(self.access))
            access.propagate = False


NO_FILES = LogFiles()


def open_log_files(log: str | None, access: str | None, owner: tuple[int, int] | None = None) -> LogFiles:
    """Open what is named; ConfigError when that is not possible, because then it is a wrong setting."""
    return LogFiles(_open("log_file", log, owner), _open("access_log_file", access, owner))


def _open(key: str, path: str | None, owner: tuple[int, int] | None) -> LogFile | None:
    if path is None:
        return None
    try:
        return LogFile(path, owner)
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None
