"""A server under test, for the programs that start one in ways of their own: started on its processor,
watched, ended with all that came of it. All of that is `http_benchmark`, its `servers.subject` and `monitor`.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from http_benchmark.monitor.family import Family
from http_benchmark.monitor.reader import find_reader
from http_benchmark.servers.launch import default_cpus
from http_benchmark.servers.subject import SubjectFailed, free_port
from http_benchmark.servers.subject import serving as serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from http_benchmark.servers.subject import Subject as Running

__all__ = ["Subject", "Usage", "free_port", "serving"]


class Usage(NamedTuple):
    """What the processes of a server have used so far, or hold now."""

    user_s: float
    system_s: float
    resident_bytes: int


class Subject:
    """A running server."""

    def __init__(self, running: Running) -> None:
        self.port = running.port
        self._family = Family(find_reader(), [running.pid], with_children=True)
        self._lock = threading.Lock()

    def usage(self) -> Usage:
        """Return what it used, summed over its processes."""
        with self._lock:
            self._family.look_everywhere()
            found = self._family.read()
        return Usage(found.user_s, found.system_s, found.rss_bytes)

    def close(self) -> None:
        """Watch it no longer."""
        self._family.close()


@contextmanager
def serving(
    command: Sequence[str], port: int, environment: Mapping[str, str], folder: Path
) -> Iterator[Subject]:
    """Start a server in a folder, wait until it accepts, and end it at the end.

    SystemExit with what it said when it does not start.
    """
    try:
        with serve(
            command, port=port, folder=folder, environment=environment, cpus=default_cpus()[0]
        ) as running:
            subject = Subject(running)
            try:
                yield subject
            finally:
                subject.close()
    except SubjectFailed as error:
        raise SystemExit(str(error)) from None
