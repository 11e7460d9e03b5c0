"""The servers of servers.toml, for the programs here that start them in ways of their own.

Commands, applications and workloads are in that file alone; what is started plainly is started by
`http-benchmark servers`, or by `servers.py`.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.peers import find_python
from http_benchmark.servers.definitions import read_definitions
from http_benchmark.servers.placeholders import user_name
from http_benchmark.servers.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from http_benchmark.servers.definitions import Definitions

FILE = Path(__file__).resolve().with_name("servers.toml")
APPS = FILE.parent / "apps"

HELLO = "hello"
API = "api"
INJECTION = "injection"


@cache
def definitions() -> Definitions:
    """Return what the file says."""
    return read_definitions(FILE)


def _right(name: str) -> tuple[str, Any]:
    workload = definitions().workloads[name]
    return workload.path, workload.content.encode() if workload.kind == "text" else workload.content


WORKLOADS = {name: _right(name) for name in (HELLO, API, INJECTION)}
"""Workload -> target, and the content that is right: octets, or a value in JSON."""


class Candidate(NamedTuple):
    """A server that could be measured."""

    command: tuple[str, ...]
    """`{port}` and `{folder}` (an empty one, for configuration) are put in."""
    workloads: frozenset[str]
    needs: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    """What is written into the folder."""


def candidates(peers: Path | None) -> dict[str, Candidate]:
    """Return every server known here by name; ours first."""
    places = {"{python}": sys.executable, "{peers}": find_python(peers), "{here}": str(FILE.parent)}
    return {
        server.name: Candidate(
            tuple(_fill(part, places) for part in server.command),
            frozenset(server.workloads),
            server.needs,
            server.files,
        )
        for server in definitions().servers.values()
    }


def _fill(text: str, places: Mapping[str, str]) -> str:
    for word, value in places.items():
        text = text.replace(word, value)
    return text


def select_present(names: Iterable[str], peers: Path | None) -> tuple[list[str], list[str]]:
    """Return which of the named servers can be started, and for each other what is missing."""
    servers = [definitions().servers[name] for name in names]
    presence = Presence(sys.executable, find_python(peers), servers)
    missing = {server.name: presence.missing(server) for server in servers}
    present = [name for name, what in missing.items() if not what]
    return present, [what for what in missing.values() if what]


def make_command(candidate: Candidate, port: int, folder: Path) -> list[str]:
    """Return the command with port and folder put in; what it reads is written into the folder."""
    places = {"{port}": str(port), "{folder}": str(folder), "{static}": str(folder), "{user}": user_name()}
    for name, text in candidate.files.items():
        (folder / name).write_text(_fill(text, places), "utf-8")
    return [_fill(part, places) for part in candidate.command]


def make_environment() -> dict[str, str]:
    """Return the environment of a server: it finds the applications, and ours finds Penstock."""
    import penstock

    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(APPS), str(Path(penstock.__file__).parent.parent)])
    }
