"""Which file, which workloads, which servers: what was asked for, or UsageError with what there is."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_benchmark.servers.definitions import Definitions, Server, Workload

DEFAULT_FILES: Final = (Path("servers.toml"), Path("benchmarks", "servers.toml"))


def find_definitions(given: Path | None) -> Path:
    """Return the file that was named, or the one that lies where one is looked for."""
    if given is not None:
        return given
    for file in DEFAULT_FILES:
        if file.is_file():
            return file
    looked = " and ".join(map(str, DEFAULT_FILES))
    raise UsageError(
        f"no file says which servers there are: {looked} do not exist; name one by --definitions"
    )


def select_workloads(definitions: Definitions, names: Sequence[str]) -> list[Workload]:
    """Return the workloads of these names; of none, the first of the file."""
    known = definitions.workloads
    return [known[_known("workload", name, known)] for name in names or list(known)[:1]]


def select_servers(
    definitions: Definitions, names: Sequence[str], workloads: Sequence[Workload]
) -> list[Server]:
    """Return the servers of these names, in their order; of none, all that have one of the workloads."""
    wanted = {workload.name for workload in workloads}
    known = definitions.servers
    if not names:
        return [server for server in known.values() if wanted.intersection(server.workloads)]
    chosen = [known[_known("server", name, known)] for name in dict.fromkeys(names)]
    for server in chosen:
        if not wanted.intersection(server.workloads):
            raise UsageError(
                f"{server.name} has no workload {' or '.join(sorted(wanted))}; "
                f"it has {', '.join(server.workloads)}"
            )
    return chosen


def _known(kind: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, 1)
    advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    raise UsageError(f"no {kind} {name!r}; {advice}")
