"""What a server needs to be started here, and how one gets it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_benchmark.servers.definitions import Server

_VERSION_FLAG: Final = "-v"
"""As nginx and node have it."""
_FIND: Final = "import sys, importlib.util as u; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"
_VERSIONS: Final = """
import sys
from importlib import metadata
for name in sys.argv[1:]:
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
"""
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where servers live, and which the PATH of a user often lacks."""


def interpreter_of(folder: Path | None) -> str:
    """Return the interpreter of a virtual environment; of None this one."""
    if folder is None:
        return sys.executable
    python = folder.absolute() / "bin" / "python"
    if not python.exists():
        raise UsageError(f"{folder} is no virtual environment: it has no bin/python")
    return str(python)


def find_python(given: str | None) -> str:
    """Return the path of an interpreter; of None this one."""
    if given is None:
        return sys.executable
    found = shutil.which(given)
    if found is None:
        raise UsageError(f"{given} is no interpreter of Python: there is no such program")
    return str(Path(found).absolute())


def find_program(name: str) -> str | None:
    """Return the path of a program, also of one only an administrator has on the PATH."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


class Presence:
    """Asks each interpreter once what it has."""

    def __init__(self, python: str, peers: str, servers: Iterable[Server]) -> None:
        self._interpreters = {"{python}": python, "{peers}": peers}
        self._there: dict[str, set[str]] = {}
        wanted: dict[str, set[str]] = {}
        for server in servers:
            wanted.setdefault(self._interpreter(server), set()).update(_modules(server))
        for interpreter, modules in wanted.items():
            self._there[interpreter] = _importable(interpreter, sorted(modules)) if modules else set()

    def missing(self, server: Server) -> str:
        """Return what is missing and how one gets it; "" when it can be started."""
        programs = [need[1:] for need in server.needs if need.startswith("$")]
        if server.command[0] not in self._interpreters and "{" not in server.command[0]:
            programs.insert(0, server.command[0])
        for program in programs:
            if find_program(program) is None:
                return f"the program {program} is not on PATH; install the package of that name"
        interpreter = self._interpreter(server)
        for module in _modules(server):
            if module not in self._there[interpreter]:
                option = "--python" if server.command[0] == "{python}" else "--peers"
                return (
                    f"{module} is not installed; pip install {module}, or name an environment with {option}"
                )
        return ""

    def _interpreter(self, server: Server) -> str:
        return self._interpreters.get(server.command[0], self._interpreters["{peers}"])


def versions(python: str, peers: str, servers: Iterable[Server]) -> dict[str, str]:
    """Return the versions of what these servers are made of, as far as they tell."""
    found: dict[str, str] = {}
    modules: dict[str, list[str]] = {}
    for server in servers:
        interpreter = {"{python}": python, "{peers}": peers}.get(server.command[0])
        if interpreter is not None:
            own = ["penstock"] if server.command[0] == "{python}" else []
            modules.setdefault(interpreter, []).extend([*own, *_modules(server)])
        elif (said := _said([find_program(server.command[0]) or "", _VERSION_FLAG])) is not None:
            found[server.command[0]] = _version_in(said)
    for interpreter, names in modules.items():
        said = _said([interpreter, "-c", _VERSIONS, *dict.fromkeys(names)]) or ""
        found |= dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    return found


def _said(command: list[str]) -> str | None:
    """Return what a program says on both streams; None when it cannot be run."""
    try:
        done = subprocess.run(  # noqa: S603 - a program of a definition
            command, capture_output=True, text=True, check=False, timeout=60, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr


def _version_in(text: str) -> str:
    """Return the first thing that looks like a version.

    >>> _version_in("nginx version: nginx/1.22.1"), _version_in("v18.20.4")
    ('1.22.1', '18.20.4')
    """
    found = re.search(r"[0-9]+(?:\.[0-9]+)+", text)
    return found[0] if found else ""


def _modules(server: Server) -> list[str]:
    return [need for need in server.needs if not need.startswith("$")]


def _importable(interpreter: str, modules: list[str]) -> set[str]:
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter that was named
            [interpreter, "-c", _FIND, *modules], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"{interpreter} is no interpreter of Python: {error}") from None
    return set(done.stdout.split())
