"""A running server, from our side: the process that guards it, its number, its port, what it said."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STOP_TIMEOUT_S: Final = 3.0
_RETRY_S: Final = 0.01
_GUARD_TIMEOUT_S: Final = 30.0
_LEAST_PORT: Final = 10_000
_TOLD: Final = 300
"""So many characters of what a server said last are told."""


class SubjectFailed(BenchmarkError):
    """A server that does not start, does not serve, answers wrongly or ends: it is left out."""


class _Lines:
    """Lines of a pipe, one at a time: what has come already is never hidden in a buffer from `select`."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._rest = b""

    def take(self, timeout_s: float | None) -> str | None:
        """Return the next line, "" at the end; None when none is whole in time. None: wait for it."""
        while b"\n" not in self._rest:
            if not select.select([self._file], [], [], timeout_s)[0]:
                return None
            octets = os.read(self._file, 4096)
            if not octets:
                return ""
            self._rest += octets
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace")


class Subject:
    """A server under test. `serving` makes it."""

    def __init__(self, lines: _Lines, pid: int, port: int, log: Path) -> None:
        self._lines = lines
        self._log = log
        self.pid = pid
        self.port = port
        self._ended = ""

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"

    def check_alive(self) -> None:
        """SubjectFailed, with what it said, once it has ended."""
        if not self._ended and (line := self._lines.take(0)) is not None:
            self._ended = line or "ended"
        if self._ended:
            raise SubjectFailed(f"it ended{_how(self._ended)}{self.said()}")

    def said(self) -> str:
        """Return the end of what it wrote, to be put after a sentence; "" when it said nothing."""
        try:
            text = self._log.read_text("utf-8", "replace").strip()
        except OSError:
            return ""
        return f": {' '.join(text[-_TOLD:].split())}" if text else ""


def _how(ended: str) -> str:
    code = ended.partition(" ")[2]
    if not code.lstrip("-").isdigit():
        return ""
    return f" by signal {-int(code)}" if int(code) < 0 else f" with exit code {code}"


def free_port() -> int:
    """Return a port nobody listens on, below those that connections get by chance."""
    for _ in range(1000):
        port = _LEAST_PORT + secrets.randbelow(_first_by_chance() - _LEAST_PORT)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchmarkError("no free port of 127.0.0.1 was found")


def _first_by_chance() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except (OSError, ValueError):
        first = 32_768  # of most systems
    return first if first > _LEAST_PORT else 32_768


@contextmanager
def serving(
    command: Sequence[str],
    *,
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    working_folder: Path | None = None,
    cpus: Sequence[int] = (),
    start_timeout_s: float = 20.0,
    stop_timeout_s: float = STOP_TIMEOUT_S,
) -> Iterator[Subject]:
    """Start a server, pinned to processors, wait until it accepts connections, and end all of it at the end.

    What it says goes to `folder`. SubjectFailed, with that, when it does not serve in time.
    """
    log = folder / "server.log"
    asked = {
        "command": list(command),
        "environment": dict(os.environ if environment is None else environment),
        "working_folder": str(working_folder or folder),
        "log": str(log),
        "cpus": list(cpus),
        "stop_timeout_s": stop_timeout_s,
    }
    guard = subprocess.Popen(
        [sys.executable, "-m", "http_benchmark.servers.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=with_own_packages(os.environ),
    )
    try:
        if guard.stdout is None:
            raise RuntimeError("a guard without pipes")
        lines = _Lines(guard.stdout.fileno())
        subject = Subject(lines, _begin(guard, lines, asked), port, log)
        _await_listening(subject, start_timeout_s)
        yield subject
    finally:
        _end(guard, stop_timeout_s)


def with_own_packages(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which this package is found."""
    home = str(Path(__file__).parents[2])
    paths = [home, *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


def _begin(guard: subprocess.Popen[bytes], lines: _Lines, asked: Mapping[str, object]) -> int:
    """Return the number of the server."""
    if guard.stdin is None:
        raise RuntimeError("a guard without pipes")
    try:
        guard.stdin.write(json.dumps(asked).encode() + b"\n")
        guard.stdin.flush()
    except OSError:
        raise SubjectFailed("its guard ended before it was told what to start") from None
    word, _, rest = (lines.take(None) or "").partition(" ")
    if word != "started":
        raise SubjectFailed(f"it cannot be started: {rest or 'its guard ended'}")
    return int(rest)


def _await_listening(subject: Subject, timeout_s: float) -> None:
    latest_s = time.monotonic() + timeout_s
    while time.monotonic() < latest_s:
        subject.check_alive()
        try:
            socket.create_connection(("127.0.0.1", subject.port), 0.5).close()
        except OSError:
            time.sleep(_RETRY_S)
        else:
            return
    raise SubjectFailed(f"it does not listen on its port within {timeout_s:g} s{subject.said()}")


def _end(guard: subprocess.Popen[bytes], stop_timeout_s: float) -> None:
    """Close the pipe, which is how the guard is told, and wait until all is gone."""
    if guard.stdin is not None:
        try:
            guard.stdin.close()
        except OSError:  # it is gone already
            pass
    try:
        guard.wait(stop_timeout_s + _GUARD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
    finally:
        if guard.stdout is not None:
            guard.stdout.close()
