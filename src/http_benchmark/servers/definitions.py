"""Which servers there are, how each is started, and what they are asked: a TOML file.

    [workload.hello]
    path = "/"
    text = "Hello, World!"

    [server.mine]
    command = ["{python}", "-m", "mine", "--port", "{port}"]
    workloads = ["hello"]

What a workload's reply must be is said by one of `text`, `json`, `length`, `sha256`: a server is not timed
before it has given it. Placeholders are those of `placeholders.py`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.errors import UsageError
from http_benchmark.servers.placeholders import PLACEHOLDERS, unknown_placeholders
from http_benchmark.servers.toml_table import TomlTable

if TYPE_CHECKING:
    from collections.abc import Mapping

START_TIMEOUT_S: Final = 20.0
CONTENTS: Final = ("text", "json", "length", "sha256")
_WORKLOAD_KEYS: Final = ("path", "method", "headers", "body", "status", *CONTENTS, "files")
_SERVER_KEYS: Final = (
    "command",
    "workloads",
    "needs",
    "environment",
    "working_folder",
    "files",
    "start_timeout_s",
)
_TARGET: Final = re.compile(r"/[!-~]*")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MOST_OCTETS: Final = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A request, and what its reply must be."""

    name: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int = 200
    kind: str = "text"
    """Which of `CONTENTS` says what content must be."""
    content: Any = ""
    files: Mapping[str, str | int] = field(default_factory=dict)
    """What is written into the folder {static}: a text, or how many octets of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a server is started."""

    name: str
    command: tuple[str, ...]
    workloads: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Modules of the interpreter the command begins with, else of the peers'; "$name" is a program."""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: str = "{folder}"
    files: Mapping[str, str] = field(default_factory=dict)
    """What is written into {folder} before it starts."""
    start_timeout_s: float = START_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Definitions:
    """What one file says."""

    file: Path
    servers: Mapping[str, Server]
    workloads: Mapping[str, Workload]


def read_definitions(file: Path) -> Definitions:
    """Return what a file defines; UsageError says what is wrong with it."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}") from None
    table = TomlTable(str(file), "", content)
    shared = table.table_of_texts("environment")
    workloads = {each.name: each for each in map(_workload, table.tables("workload"))}
    servers = {
        each.name: each for each in (_server(one, shared, workloads) for one in table.tables("server"))
    }
    table.done(("environment", "workload", "server"))
    if not workloads:
        raise UsageError(f"{file} defines no workload: [workload.NAME]")
    if not servers:
        raise UsageError(f"{file} defines no server: [server.NAME]")
    return Definitions(file, servers, workloads)


def _name(table: TomlTable) -> str:
    return table.name.partition(".")[2]


def _workload(table: TomlTable) -> Workload:
    path = table.text("path")
    if _TARGET.fullmatch(path) is None:
        table.wrong("path", f"is {path!r}, but must begin with / and be percent-encoded")
    method = table.text("method", "GET")
    if method not in _METHODS:
        table.wrong("method", f"is {method!r}; allowed are {', '.join(_METHODS)}")
    body = table.text("body", "").encode()
    if body and method in {"GET", "HEAD"}:
        table.wrong("body", f"is given, but {method} has none")
    headers = table.table_of_texts("headers")
    status = table.whole("status", 200, least=200, most=599)
    kind, content = _content(table)
    files = _static_files(table)
    table.done(_WORKLOAD_KEYS)
    return Workload(
        name=_name(table),
        path=path,
        method=method,
        headers=headers,
        body=body,
        status=status,
        kind=kind,
        content=content,
        files=files,
    )


def _content(table: TomlTable) -> tuple[str, Any]:
    """Return what says what content must be, and what it says."""
    given = [kind for kind in CONTENTS if table.has(kind)]
    if len(given) != 1:
        table.wrong(
            "", f"must say what content is right, by one of {', '.join(CONTENTS)}; it has {len(given)}"
        )
    kind = given[0]
    if kind == "json":
        return kind, table.take(kind)
    if kind == "length":
        return kind, table.whole(kind, 0, least=0, most=_MOST_OCTETS)
    value = table.text(kind)
    if kind == "sha256" and re.fullmatch("[0-9a-f]{64}", value) is None:
        table.wrong(kind, f"is {value!r}, but must be 64 digits of 0-9a-f")
    return kind, value


def _static_files(table: TomlTable) -> dict[str, str | int]:
    files = table.take("files") if table.has("files") else {}
    if not isinstance(files, dict):
        table.wrong("files", "must be a table: name = text, or name = octets")
    for name, value in files.items():
        _check_name(table, name)
        is_size = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_OCTETS
        if not (is_size or isinstance(value, str)):
            table.wrong(f"files.{name}", f"is {value!r}, but must be a text or a number of octets")
    return files


def _check_name(table: TomlTable, name: str) -> None:
    """A file is written below its folder and nowhere else."""
    if Path(name).is_absolute() or ".." in Path(name).parts or not Path(name).name:
        table.wrong(f"files.{name}", "is no name of a file in the folder")


def _server(table: TomlTable, shared: Mapping[str, str], known: Mapping[str, Workload]) -> Server:
    command = table.texts("command")
    workloads = table.texts("workloads")
    for name in workloads:
        if name not in known:
            table.wrong("workloads", f"names {name!r}; defined are {', '.join(known) or 'none'}")
    environment = {**shared, **table.table_of_texts("environment")}
    working_folder = table.text("working_folder", "{folder}")
    for key, texts in (
        ("command", command),
        ("environment", tuple(environment.values())),
        ("working_folder", (working_folder,)),
    ):
        for text in texts:
            for word in unknown_placeholders(text):
                table.wrong(key, f"has {word}; placeholders are {', '.join(PLACEHOLDERS)}")
    files = table.table_of_texts("files")
    for name in files:
        _check_name(table, name)
    server = Server(
        name=_name(table),
        command=command,
        workloads=workloads,
        needs=table.texts("needs", ()),
        environment=environment,
        working_folder=working_folder,
        files=files,
        start_timeout_s=table.seconds("start_timeout_s", START_TIMEOUT_S),
    )
    table.done(_SERVER_KEYS)
    return server
