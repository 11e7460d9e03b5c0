"""The effective settings: flag, else environment, else file, else default; and where each came from.

The file is the nearest one, from the working directory upwards, that configures Penstock: `penstock.toml`, or
`pyproject.toml` with a table `[tool.penstock]`; in one folder the former hides the latter. Nothing unknown is
skipped: a variable `PENSTOCK_...` or a key that names no setting is a `ConfigError`, and so is a value its
setting does not take, even one that a stronger source overrides.
Absent on purpose: merging of several files, so that one look says what holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.errors import ConfigError
from penstock.server.config import SETTINGS, Config
from penstock.server.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from penstock.server.setting import Setting

_PREFIX = "PENSTOCK_"
# Kubernetes puts these into the environment for every Service of a name that begins with "penstock".
_SERVICE_LINK = re.compile(r"PENSTOCK_(?:.*_)?(?:SERVICE_HOST|SERVICE_PORT.*|PORT_[0-9]+_(?:TCP|UDP|SCTP).*)")
_TOML_PLACE = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")

_BY_KEY: dict[str, Setting] = {setting.key: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """A `Config`, and for each of its fields, by name, where the value came from, as shown to people."""

    config: Config
    sources: Mapping[str, str]


def resolve_settings(flags: Mapping[str, object], environment: Mapping[str, str], folder: Path) -> Settings:
    """The settings in force, from flags by key, the environment, and the file found from `folder` upwards."""
    values: dict[str, Any] = {}
    sources = dict.fromkeys((setting.name for setting in SETTINGS), "default")
    for source in (_read_file(folder), _read_environment(environment), _read_flags(flags)):
        for name, (value, origin) in source.items():
            values[name] = value
            sources[name] = origin
    return Settings(Config(**values), sources)


_Source = dict[str, tuple[object, str]]
"""By field name: the value, and the origin to show."""


def _read_flags(flags: Mapping[str, object]) -> _Source:
    found: _Source = {}
    for key, value in flags.items():
        setting = _BY_KEY[key]
        is_refusal = value is False
        origin = setting.flag.replace("--", "--no-") if is_refusal else setting.flag
        found[setting.name] = (_read_value(setting, value, setting.flag), origin)
    return found


def _read_environment(environment: Mapping[str, str]) -> _Source:
    by_variable = {setting.environment: setting for setting in SETTINGS}
    found: _Source = {}
    for variable in sorted(environment):
        if not variable.startswith(_PREFIX):
            continue
        value = environment[variable]
        setting = by_variable.get(variable)
        if setting is not None:
            found[setting.name] = (_read_variable(setting, variable, value), variable)
        elif not _is_service_link(variable, value):
            near = did_you_mean(variable, by_variable, _PREFIX)
            raise ConfigError(f"unknown environment variable {variable}{near}")
    return found


def _read_variable(setting: Setting, variable: str, value: str) -> object:
    try:
        return _read_value(setting, value, variable)
    except ConfigError as error:
        if "://" not in value:
            raise
        hint = "Kubernetes sets it for a Service of that name, unless the pod says enableServiceLinks: false"
        raise ConfigError(f"{error} ({hint})") from None


def _is_service_link(variable: str, value: str) -> bool:
    return _SERVICE_LINK.fullmatch(variable) is not None or (variable.endswith("_PORT") and "://" in value)


class _File(NamedTuple):
    place: str
    header: str
    text: str
    table: dict[str, object]


def _read_file(folder: Path) -> _Source:
    file = _find_file(folder)
    found: _Source = {}
    if file is None:
        return found
    for key, value in file.table.items():
        place = file.place + _find_line(file, key)
        setting = _BY_KEY.get(key)
        if setting is None:
            near = did_you_mean(key.lower().replace("-", "_"), _BY_KEY)
            raise ConfigError(f"{place}: unknown key {key!r}{near}")
        origin = f"{file.place} {file.header}".rstrip()
        found[setting.name] = (_read_value(setting, value, f"{place}: {key}"), origin)
    return found


def _find_file(folder: Path) -> _File | None:
    for parent in (folder, *folder.parents):
        for name, header in (("penstock.toml", ""), ("pyproject.toml", "[tool.penstock]")):
            place = name if parent == folder else str(parent / name)
            text = _read_text(parent / name, place, header)
            table = None if text is None else _parse(text, place, header)
            if text is not None and table is not None:
                return _File(place, header, text, table)
    return None


def _read_text(path: Path, place: str, header: str) -> str | None:
    """The text of the file; None when there is none, or one that cannot hold the table `header`."""
    try:
        octets = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}") from None
    if header and b"penstock" not in octets:
        return None
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{place}:{line}: not UTF-8") from None


def _parse(text: str, place: str, header: str) -> dict[str, object] | None:
    """The table under `header`, the whole file when it is empty; None when the file has no such table."""
    from tomllib import TOMLDecodeError, loads  # here: 4 ms, and most start-ups read no file

    try:
        content = loads(text)
    except TOMLDecodeError as error:
        message = str(error)
        found = _TOML_PLACE.search(message)
        if found is None:  # at the end of the document
            raise ConfigError(f"{place}:{len(text.splitlines())}: {message}") from None
        message = _TOML_PLACE.sub("", message)
        raise ConfigError(f"{place}:{found[1]}:{found[2]}: {message}") from None
    if not header:
        return content
    tool = content.get("tool")
    table = tool.get("penstock") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{place}: {header} is not a table")
    return table


def _find_line(file: _File, key: str) -> str:
    """`:12`, the line on which `key` is set; nothing when it is spelled in some rarer way."""
    start = max(file.text.find(file.header), 0)
    pattern = re.compile(rf"""^[ \t]*["']?{re.escape(key)}["']?[ \t]*=""", re.MULTILINE)
    found = pattern.search(file.text, start)
    return "" if found is None else f":{file.text.count(chr(10), 0, found.end()) + 1}"


def _read_value(setting: Setting, value: object, origin: str) -> object:
    try:
        return setting.kind.read(value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from None
