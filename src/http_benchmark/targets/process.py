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
from typing import TYPE_CHECKING, Final

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


def start(
    module: str, arguments: Sequence[str], listener: socket.socket, stderr: int
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a module as a program that has the socket, by its number; return it and its leash: the descriptor
    whose closing ends it.
    """
    inner, outer = os.pipe()
    words = [sys.executable, "-P", "-m", "http_benchmark.targets.leash", str(inner), module, *arguments]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=_SOURCE.anchor,  # a penstock.toml in the user's folder, or above, is no business of ours
            pass_fds=(inner, listener.fileno()),
            env=_environment(),
        )
    except BaseException:
        os.close(outer)
        raise
    finally:
        os.close(inner)
    return process, outer


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
            process, leash = start(module, arguments, listener, told.fileno())
        try:
            try:
                is_ready(_READY_S)
            except OSError as error:
                stop(process)
                told.seek(0)
                lines = told.read().decode("utf-8", "replace").strip().splitlines() or [str(error)]
                raise BenchmarkError(f"the target does not start: {lines[-1]}") from error
            yield process.pid
        finally:
            stop(process)
            os.close(leash)
            if path:
                Path(path).unlink(missing_ok=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, politely at first, and wait for that."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
