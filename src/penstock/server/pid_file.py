"""The file with the id of the process to signal: a supervisor, or the single process that serves.

It appears whole or not at all. One that a live process left is not touched; one that a dead process left is
replaced, also when its number has come back as another process, which is younger than the file then. It is
removed at the end, unless somebody else has put another in its place.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import ConfigError, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC = Path("/proc")
_DIGITS = 10  # more than any pid has
_SLACK_S = 2.0  # between the clock of files and that of processes
_TRIES = 10


@contextmanager
def holding(path: str | None) -> Iterator[None]:
    """Keep a pid file inside the block; what is forked inside leaves it alone. ConfigError: not possible."""
    if path is None:
        yield
        return
    pid = os.getpid()
    file = Path(path).absolute()
    descriptor = _write(file, pid)
    try:
        yield
    finally:
        if os.getpid() == pid:
            _remove(file, descriptor)
        os.close(descriptor)


def read_pid(path: str) -> int | None:
    """Return the process that left this file; None when it is not alive. ServerUnreachable: no such file;
    ConfigError: no pid in it.
    """
    try:
        return _find_owner(Path(path), str(path))
    except FileNotFoundError:
        raise ServerUnreachable(f"no server runs: there is no {path}") from None
    except OSError as error:
        raise ConfigError(f"pid_file: cannot read {path}: {error.strerror}") from None


def _write(file: Path, pid: int) -> int:
    """Return a descriptor of the file, open for writing."""
    made = file.with_name(f".{file.name}.{pid}")
    try:
        descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:  # of a process with the same number that was killed just here
        made.unlink()
        descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError as error:
        raise ConfigError(f"pid_file: cannot write {file}: {error.strerror}") from None
    try:
        os.write(descriptor, b"%d\n" % pid)
        _put_in_place(made, file)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(f"pid_file: cannot write {file}: {error.strerror}") from None
    except ConfigError:
        os.close(descriptor)
        raise
    finally:
        made.unlink(missing_ok=True)
    return descriptor


def _put_in_place(made: Path, file: Path) -> None:
    for _ in range(_TRIES):
        try:
            os.link(made, file)  # the one way not to take the place of another that came first
        except FileExistsError:
            _remove_stale(file)
        else:
            return
    raise ConfigError(f"pid_file: {file} comes back again and again")


def _remove_stale(file: Path) -> None:
    """Remove what a dead process left; ConfigError when it is alive."""
    import fcntl

    try:
        with file.open("rb") as found:
            fcntl.flock(found, fcntl.LOCK_EX)  # of two that find it stale the second looks again
            if not os.path.samestat(os.fstat(found.fileno()), file.stat()):
                return
            pid = _find_owner(file, str(file))
            if pid is not None:
                raise ConfigError(f"pid_file: {file} is that of process {pid}, which runs; stop it first")
            file.unlink()
    except FileNotFoundError:
        pass  # it went away by itself


def _find_owner(file: Path, shown: str) -> int | None:
    """Return the process that wrote the file; None when it has ended, or is this one."""
    text = file.read_bytes()[: _DIGITS + 1].strip()
    if not text:
        return None  # its owner had no right to remove it
    if not text.isdigit() or len(text) > _DIGITS:
        raise ConfigError(f"pid_file: {shown} holds no process id; it is not ours to replace")
    pid = int(text)
    # In a container a server has the same number each time.
    if pid in (0, os.getpid()) or not _is_alive(pid):
        return None
    started = find_start(pid)
    if started is not None and started > file.stat().st_mtime + _SLACK_S:
        return None
    return pid


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it lives, and is somebody else's
    return True


def find_start(pid: int) -> float | None:
    """Return when a process began, in seconds since the epoch; None where the system does not say."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        since_boot_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5)
        uptime_s = float((_PROC / "uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - uptime_s + since_boot_s


def _remove(file: Path, descriptor: int) -> None:
    try:
        if not os.path.samestat(os.fstat(descriptor), file.stat()):
            return
        try:
            file.unlink()
        except PermissionError:  # the directory is root's, and this process no longer root
            os.ftruncate(descriptor, 0)
    except OSError:
        pass  # it went away, or its directory: nothing that ends a server
