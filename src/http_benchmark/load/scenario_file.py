"""A scenario written in TOML: several requests with weights, and what they have in common.

    url = "http://127.0.0.1:8000"
    cookies = true
    data = "users.csv"

    [[request]]
    path = "/users/{id}"
    weight = 9

    [[request]]
    method = "POST"
    path = "/users"
    headers = { Content-Type = "application/json" }
    body = '{"name": "{name:json}"}'
    expect_status = [201]

Files that it names are looked for beside it and read at once: the scenario holds their contents.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.errors import UsageError
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.load.templates import Data, read_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_KEYS: Final = {"url": str, "headers": dict, "cookies": bool, "data": str, "seed": int, "request": list}
_REQUEST_KEYS: Final = {
    "path": str,
    "url": str,
    "method": str,
    "headers": dict,
    "body": str,
    "body_file": str,
    "weight": int,
    "expect_status": list,
    "expect_body": str,
}
_NAMES: Final = {str: "a text", dict: "a table", bool: "true or false", int: "a whole number", list: "a list"}


def read_scenario(path: Path) -> Scenario:
    """Return the scenario of a TOML file. UsageError says where in it what is wrong."""
    text = read_text(path, "--scenario")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    _check(document, _KEYS, str(path))
    requests = document.get("request", [])
    if not requests:
        raise UsageError(f"{path} has no requests: each begins with a line [[request]]")
    made = tuple(
        _read_request(each, document, path.parent, f"{path}, request {number}")
        for number, each in enumerate(requests, 1)
    )
    data = document.get("data")
    return Scenario(
        requests=made,
        data=None if data is None else read_data_file(path.parent / data),
        cookies=document.get("cookies", False),
        seed=document.get("seed", 0),
    )


def read_data_file(path: Path) -> Data:
    """Return the rows of a CSV file."""
    return read_data(read_text(path, "the data"), str(path))


def read_text(path: Path, what: str) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{what} {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {path} is no UTF-8: octet {error.start}") from None


def _read_request(table: Any, document: Mapping[str, Any], folder: Path, where: str) -> Request:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is no table: each begins with a line [[request]]")
    _check(table, _REQUEST_KEYS, where)
    if ("url" in table) == ("path" in table):
        raise UsageError(f"{where}: give either a path, behind the url of the scenario, or a url")
    if "url" not in table and "url" not in document:
        raise UsageError(f"{where}: a path needs a url at the beginning of the scenario")
    if "body" in table and "body_file" in table:
        raise UsageError(f"{where}: body and body_file say two different things; give one")
    path = table.get("path", "")
    if path and not path.startswith("/"):
        raise UsageError(f"{where}: the path {path!r} must begin with a slash")
    body = table.get("body", "").encode()
    if "body_file" in table:
        file = folder / table["body_file"]
        try:
            body = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{where}: body_file {file}: {error.strerror}") from None
    given = table.get("headers", {})
    names = {name.lower() for name in given}
    common = {name: value for name, value in document.get("headers", {}).items() if name.lower() not in names}
    expected = table.get("expect_body")
    try:
        return Request(
            url=table.get("url") or document["url"].rstrip("/") + path,
            method=table.get("method", "GET").upper(),
            headers=common | given,
            body=body,
            weight=table.get("weight", 1),
            expect_status=_statuses(table.get("expect_status", [])),
            expect_body=None if expected is None else expected.encode(),
        )
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _statuses(values: Iterable[Any]) -> frozenset[int]:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
            raise UsageError(f"expect_status has {value!r}, but a final status is 200 to 599")
    return frozenset(values)


def _check(table: Mapping[str, Any], keys: Mapping[str, type], where: str) -> None:
    for name, value in table.items():
        kind = keys.get(name)
        if kind is None:
            near = get_close_matches(name, keys, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
            raise UsageError(f"{where}: nothing is called {name!r}; {hint}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UsageError(f"{where}: {name} is {value!r}, but must be {_NAMES[kind]}")
