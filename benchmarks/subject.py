"""A server under test: started on its processor, looked at through /proc, ended with all its processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.processors import SERVER_CPU, pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 5.0


class Usage(NamedTuple):
    """What the processes of a server have used so far, or hold now."""

    user_s: float
    system_s: float
    resident_bytes: int


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Subject:
    """A running server. Its processes are those of its process group."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port

    def usage(self) -> Usage:
        """Return what it used, summed over its processes."""
        ticks_per_s, page_bytes = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        rows = list(_processes(self._process.pid))
        return Usage(
            sum(row[0] for row in rows) / ticks_per_s,
            sum(row[1] for row in rows) / ticks_per_s,
            sum(row[2] for row in rows) * page_bytes,
        )

    def stop(self) -> None:
        """End it; what does not end in time, or outlives its parent, is killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()


def _processes(group: int) -> Iterator[tuple[int, int, int]]:
    """Yield user ticks, system ticks and resident pages of each process of a group: fields 14, 15, 24 of
    proc_pid_stat(5).
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group:
                yield int(fields[11]), int(fields[12]), int(fields[21])


@contextmanager
def serving(
    command: Sequence[str], port: int, environment: Mapping[str, str], log: Path
) -> Iterator[Subject]:
    """Start a server, wait until it accepts, and end it at the end.

    SystemExit with what it said when it does not start.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=dict(environment),
            cwd=log.parent,
        )
    pin(process.pid, SERVER_CPU)
    subject = Subject(process, port)
    try:
        _await_listening(process, port, log)
        yield subject
    finally:
        subject.stop()


def _await_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    latest = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < latest:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"it does not serve: {log.read_text(errors='replace')[-400:]}")
