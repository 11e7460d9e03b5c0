"""A server in a process of its own, on a socket that was opened here: the kernel chose its port, so that is
known before the process runs, nobody can take it, and what connects early waits in the kernel's queue.

Whether it runs is asked by connecting, once: it answers, or it ended and its end of the socket with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import http_benchmark
from http_benchmark.errors import BenchmarkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_BACKLOG: Final = 4096  # as many connect at once in a measurement; the kernel cuts it to somaxconn
_STOP_S: Final = 10.0
_SOURCE: Final = Path(http_benchmark.__file__).parents[1]
_READY_S: Final = 60.0  # an import takes long on a machine that others use


def open_listener(unix: str | None = None, host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket that listens: at a path, or at a port, 0 for one the kernel chooses."""
    if unix is not None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address: tuple[str, int] | str = unix
    else:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        address = (host, port)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        where = unix or f"{host}:{port}"
        raise UsageError(f"cannot listen at {where}: {error.strerror or error}") from None
    return listener


class Child:
    """A process that ends with us. It is in a session of its own: Ctrl-C is ours to hear, and it goes on
    until it is stopped.
    """

    def __init__(self, words: Sequence[str], fds: Sequence[int], stderr: int, **variables: str) -> None:
        """`words`: what `python -m http_benchmark.targets.leash FD` takes. `fds`: what it has of ours."""
        inner, self._leash = os.pipe()
        self._is_loose = False
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-m", "http_benchmark.targets.leash", str(inner), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=_SOURCE.anchor,  # a penstock.toml in the user's folder, or above, is no business of ours
                pass_fds=(inner, *fds),
                env=_environment() | variables,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._leash)
            raise
        finally:
            os.close(inner)

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        """End it, politely at first, and wait for that."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            if not self._is_loose:
                self._is_loose = True
                os.close(self._leash)


def _environment() -> dict[str, str]:
    """Ours, and where this package is, which may be known to this process alone. What configures a Penstock
    of the user is no business of this one's.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    paths = [str(_SOURCE)]
    paths += [str(Path(each).absolute()) for each in kept.get("PYTHONPATH", "").split(os.pathsep) if each]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(
    module: str, arguments: Sequence[str], listener: socket.socket, is_ready: Callable[[float], object]
) -> Iterator[int]:
    """The module's process id, for as long as it is needed. `is_ready` gets a time limit in seconds and
    raises OSError when the server does not answer. Closes the listener, which the process has, and removes
    its path where it has one.
    """
    path = listener.getsockname() if listener.family == socket.AF_UNIX else None
    with tempfile.TemporaryFile() as told:
        with listener:
            child = Child([module, *arguments], [listener.fileno()], told.fileno())
        try:
            await_ready(child, is_ready, told)
            yield child.pid
        finally:
            child.stop()
            if path:
                Path(path).unlink(missing_ok=True)


def await_ready(child: Child, is_ready: Callable[[float], object], told: IO[bytes]) -> None:
    """Return once the child serves; BenchmarkError, with the last line it told, when it does not."""
    try:
        is_ready(_READY_S)
    except OSError as error:
        child.stop()
        raise BenchmarkError(f"the target does not start: {last_line(told) or error}") from error


def last_line(told: IO[bytes]) -> str:
    """The last of what a process wrote to a file, "" for nothing."""
    told.seek(0)
    lines = told.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
