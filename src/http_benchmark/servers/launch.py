"""How a definition becomes a running server: places put in, files written, processors chosen."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from http_benchmark.errors import UsageError
from http_benchmark.servers.placeholders import Places
from http_benchmark.servers.presence import find_program
from http_benchmark.servers.subject import free_port, serving, with_own_packages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from http_benchmark.servers.definitions import Server, Workload
    from http_benchmark.servers.subject import Subject

_PIECE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What all servers of a comparison share."""

    here: Path
    """Folder of the definitions."""
    static: Path
    """Folder of the workload's files: `write_static` fills it."""
    python: str
    peers: str
    cpus: tuple[int, ...] = ()

    @contextmanager
    def start(self, server: Server, folder: Path) -> Iterator[Subject]:
        """Run a server in an empty folder; SubjectFailed when it does not serve."""
        port = free_port()
        places = Places(
            port=port,
            folder=folder,
            static=self.static,
            here=self.here,
            python=self.python,
            peers=self.peers,
        )
        for name, text in server.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(places.fill(text), "utf-8")
        command = [places.fill(word) for word in server.command]
        with serving(
            [find_program(command[0]) or command[0], *command[1:]],
            port=port,
            folder=folder,
            environment=self._environment(server, places),
            working_folder=folder / places.fill(server.working_folder),
            cpus=self.cpus,
            start_timeout_s=server.start_timeout_s,
        ) as subject:
            yield subject

    def _environment(self, server: Server, places: Places) -> dict[str, str]:
        """Ours, and what the definition says; to this very interpreter Penstock is shown where it is."""
        found = {name: places.fill(text) for name, text in server.environment.items()}
        if server.command[0] == "{python}" and self.python == sys.executable:
            own = with_own_packages({})["PYTHONPATH"]
            found["PYTHONPATH"] = os.pathsep.join(filter(None, [found.get("PYTHONPATH"), own]))
        return {**os.environ, **found}


def write_static(workload: Workload, folder: Path) -> None:
    """Write the files a workload asks for; a size is filled with one letter."""
    for name, what in workload.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, str):
            file.write_text(what, "utf-8")
            continue
        with file.open("wb") as out:
            for begin in range(0, what, _PIECE):
                out.write(b"x" * min(_PIECE, what - begin))


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the processors of a list as taskset has it; UsageError when it has none of this machine.

    >>> parse_cpus("0-0") == parse_cpus("0")
    True
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise UsageError(f"{text!r} is no list of processors, such as 0 or 0,2-3")
        found.update(range(int(first), int(last or first) + 1))
    there = available_cpus()
    if missing := sorted(found - set(there)):
        raise UsageError(f"there is no processor {missing[0]} for us; there are {_list(there)}")
    return tuple(sorted(found))


def available_cpus() -> tuple[int, ...]:
    """Return the processors this process may use; none where the system does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def default_cpus() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return those of the server and of the load: one each, where there are two."""
    there = available_cpus()
    return (there[:1], there[1:2]) if len(there) > 1 else ((), ())


def _list(cpus: tuple[int, ...]) -> str:
    return ", ".join(map(str, cpus)) or "none that can be chosen"
