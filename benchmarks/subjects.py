"""The servers there are to compare, with the command of each, how its application is named, and what it
needs.

All run with one worker process and without an access log. A peer's application answers the same requests
with the same content; what else they do is theirs: raw ASGI and WSGI ones neither route nor convert.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.peers import find_python, how_to_get, importable

if TYPE_CHECKING:
    from collections.abc import Iterable

APPS = Path(__file__).resolve().parent / "apps"

HELLO = "hello"
API = "api"
INJECTION = "injection"
WORKLOADS = {
    HELLO: ("/", b"Hello, World!"),
    API: ("/users/42?verbose=true", {"id": 42, "name": "user-42", "verbose": True}),
    INJECTION: (
        "/items/42?token=ada&page=3",
        {"id": 42, "open": True, "user": "ada", "trail": 1, "from": 40},
    ),
}
"""Workload -> target, and the content that is right: octets, or a value in JSON."""


class Candidate(NamedTuple):
    """A server that could be measured."""

    command: tuple[str, ...]
    """`{port}` and `{folder}` (an empty one, for configuration) are put in."""
    workloads: frozenset[str]
    needs: tuple[str, ...] = ()
    """Modules of the peers' interpreter, or one program after a `$`."""


def candidates(peers: Path | None) -> dict[str, Candidate]:
    """Return every server known here by name; ours first."""
    hello, both = frozenset({HELLO}), frozenset({HELLO, API})
    injection = frozenset({INJECTION})
    python = find_python(peers)
    ours = (
        sys.executable,
        "-m",
        "penstock",
        "run",
        "--port",
        "{port}",
        "--no-access-log",
        "--idle-timeout",
        "600",
    )
    quiet = ("--port", "{port}", "--no-access-log", "--log-level", "error", "--timeout-keep-alive", "600")
    uvicorn = (python, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", *quiet)
    granian = (python, "-m", "granian", "--port", "{port}", "--no-ws", "--log-level", "error", "--interface")
    fastwsgi = "import fastwsgi, raw_wsgi; fastwsgi.run(raw_wsgi.app, '127.0.0.1', {port})"
    fast = ("uvicorn", "uvloop", "httptools")
    return {
        "penstock": Candidate((*ours, "penstock_apps:on_loop"), both),
        "penstock-threads": Candidate((*ours, "penstock_apps:in_threads"), both),
        "penstock-inline": Candidate((*ours, "penstock_apps:inline"), both),
        "penstock-async": Candidate((*ours, "injection_penstock:on_loop"), injection),
        "penstock-def": Candidate((*ours, "injection_penstock:in_threads"), injection),
        "fastapi-async": Candidate((*uvicorn, "injection_fastapi:on_loop"), injection, (*fast, "fastapi")),
        "fastapi-def": Candidate((*uvicorn, "injection_fastapi:in_threads"), injection, (*fast, "fastapi")),
        "nginx": Candidate(("nginx", "-c", "{folder}/nginx.conf"), hello, ("$nginx",)),
        "fastwsgi": Candidate((python, "-c", fastwsgi), hello, ("fastwsgi",)),
        "granian-wsgi": Candidate((*granian, "wsgi", "raw_wsgi:app"), hello, ("granian",)),
        "granian-rsgi": Candidate((*granian, "rsgi", "raw_rsgi:app"), hello, ("granian",)),
        "uvicorn": Candidate((*uvicorn, "raw_asgi:app"), hello, fast),
        "fastapi": Candidate((*uvicorn, "fastapi_app:app"), both, (*fast, "fastapi")),
        "litestar": Candidate((*uvicorn, "litestar_app:app"), both, (*fast, "litestar")),
        "blacksheep": Candidate((*uvicorn, "blacksheep_app:app"), both, (*fast, "blacksheep")),
    }


def select_present(names: Iterable[str], peers: Path | None) -> tuple[list[str], list[str]]:
    """Return which of the named servers can be started, and for each other what is missing."""
    known = candidates(peers)
    wanted = {need for name in names for need in known[name].needs if not need.startswith("$")}
    there = importable(peers, sorted(wanted)) if wanted else set()
    present, left_out = [], []
    for name in names:
        missing = [need for need in known[name].needs if not _is_there(need, there)]
        if missing:
            left_out += [_how_to_get(need) for need in missing]
        else:
            present.append(name)
    return present, left_out


def _is_there(need: str, modules: set[str]) -> bool:
    return shutil.which(need[1:]) is not None if need.startswith("$") else need in modules


def _how_to_get(need: str) -> str:
    return (
        f"{need[1:]}: not on PATH; install the package of that name"
        if need.startswith("$")
        else how_to_get(need)
    )


def make_command(candidate: Candidate, port: int, folder: Path) -> list[str]:
    """Return the command with port and folder put in; what it reads is written into the folder."""
    if candidate.command[0] == "nginx":
        (folder / "nginx.conf").write_text(_NGINX.replace("PORT", str(port)).replace("FOLDER", str(folder)))
    return [part.replace("{port}", str(port)).replace("{folder}", str(folder)) for part in candidate.command]


def make_environment() -> dict[str, str]:
    """Return the environment of a server: it finds the applications, and ours finds Penstock."""
    import penstock

    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(APPS), str(Path(penstock.__file__).parent.parent)])
    }


_NGINX = """
worker_processes 1; daemon off; pid FOLDER/nginx.pid; error_log /dev/null; worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
    access_log off; keepalive_requests 100000000; keepalive_timeout 600;
    client_body_temp_path FOLDER/b; proxy_temp_path FOLDER/p; fastcgi_temp_path FOLDER/f;
    uwsgi_temp_path FOLDER/u; scgi_temp_path FOLDER/s;
    server { listen 127.0.0.1:PORT; location = / { default_type text/plain; return 200 "Hello, World!"; } }
}
"""
