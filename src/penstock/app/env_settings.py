"""Settings of an application from the environment: `load_settings(Settings, prefix="SHOP_")`.

A dataclass says what there is: a field is the variable of its name in capitals behind the prefix, a field
that is a dataclass itself is those behind its name and `__`. Scalars are spelled as in a query, lists with
commas, all else as JSON. Every fault is told at once, by the name of its variable and never with its value,
which may be a secret.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import os
import re
import typing
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.app.binding.notations import TEXT
from penstock.app.schema.annotations import Unsupported, is_union, split
from penstock.app.schema.members import check_marked
from penstock.app.schema.validator import Validator
from penstock.errors import ApplicationError, ConfigError
from penstock.http.json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_MISSING: Any = object()
_INVALID: Any = object()
_LISTS: dict[object, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Collection: list,
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def load_settings(
    kind: type[T],
    *,
    prefix: str = "",
    env_file: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> T:
    """Return a dataclass made of environment variables. ConfigError names every one that is missing or wrong.

    `env_file`: lines of `NAME=value`, which the environment beats; it may be absent. `environ` stands in the
    place of `os.environ`.
    """
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise ApplicationError(f"load_settings takes a dataclass, not {kind!r:.80}")
    faults: list[str] = []
    given = {**_read_file(env_file, faults), **(os.environ if environ is None else environ)}
    found = _Reader(given, faults).read(kind, prefix)
    if faults:
        raise ConfigError("\n".join(["the settings cannot be loaded:", *faults]))
    made: T = found
    return made


class _Reader:
    """Reads classes from variables, and collects what is wrong with them."""

    def __init__(self, given: Mapping[str, str], faults: list[str]) -> None:
        self._given = given
        self._faults = faults

    def read(self, kind: type, prefix: str) -> Any:
        """Return an instance, or what is none when there were faults."""
        before = len(self._faults)
        values = {}
        hints = _hints(kind)
        for field in dataclasses.fields(kind):
            if field.init:
                value = self._field(field, hints[field.name], prefix + field.name.upper(), kind)
                if value is not _MISSING:
                    values[field.name] = value
        if len(self._faults) > before:
            return _INVALID
        try:
            return kind(**values)
        except (TypeError, ValueError) as error:  # of a __post_init__
            self._faults.append(f"{prefix or kind.__name__}: {error}")
            return _INVALID

    def _field(self, field: dataclasses.Field[Any], annotation: object, name: str, kind: type) -> Any:
        """Return the value of a field; _MISSING: its default."""
        nested = _dataclass_in(annotation)
        has_default = (
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        )
        if nested is not None:
            is_given = any(key.startswith(f"{name}__") for key in self._given)
            return self.read(nested, f"{name}__") if is_given or not has_default else _MISSING
        try:
            check_marked(field.default, split(annotation)[1])
            convert = _converter(annotation)
        except Unsupported as error:
            raise ApplicationError(f"{kind.__qualname__}.{field.name}: {error}") from None
        text = self._given.get(name)
        if text is None:
            if not has_default:
                self._faults.append(f"{name}: is not set")
            return _MISSING
        try:
            return convert(text)
        except _WrongError as error:
            self._faults.append(f"{name}: {error}")
            return _INVALID


class _WrongError(Exception):
    """A text is no value; it says what was expected."""


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError as error:
        raise ApplicationError(f"{kind.__qualname__}: an annotation cannot be resolved ({error})") from None


def _dataclass_in(annotation: object) -> type | None:
    """Return the dataclass an annotation is, or is with None."""
    plain = split(annotation)[0]
    if is_union(plain):
        members = [one for one in typing.get_args(plain) if one is not NoneType]
        plain = members[0] if len(members) == 1 else plain
    return plain if isinstance(plain, type) and dataclasses.is_dataclass(plain) else None


def _converter(annotation: Any) -> Callable[[str], Any]:
    """Return what makes a value of a text; Unsupported when a type has no spelling, not even in JSON."""
    plain = split(annotation)[0]
    if is_union(plain) and NoneType in typing.get_args(plain):
        members = tuple(one for one in typing.get_args(plain) if one is not NoneType)
        inner = _converter(typing.Union[members])  # noqa: UP007 - made of what was read
        return lambda text: inner(text) if text or str in members else None
    if plain is Path:
        return Path
    made = _list_maker(plain)
    if made is not None:
        item, make = made
        return lambda text: make([item(part.strip()) for part in text.split(",")] if text.strip() else [])
    try:
        return _by_text(annotation)
    except Unsupported:
        return _by_json(Validator(annotation))


def _list_maker(plain: Any) -> tuple[Callable[[str], Any], Callable[[list[Any]], Any]] | None:
    """Return what converts the parts of a list and what makes it of them; None for what is no plain list."""
    origin, arguments = typing.get_origin(plain), typing.get_args(plain)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        make: Callable[[list[Any]], Any] = tuple
    elif origin in _LISTS and arguments:
        make = _LISTS[origin]
    else:
        return None
    try:
        return (Path if arguments[0] is Path else _by_text(arguments[0])), make
    except Unsupported:
        return None


def _by_text(annotation: object) -> Callable[[str], Any]:
    conversion = TEXT.conversion(annotation)
    if conversion.item is not None:
        raise Unsupported("a list in a list")

    def convert(text: str) -> Any:
        try:
            return conversion.convert(text)
        except ValueError:
            told = "; ".join(message for message, _ in conversion.messages(text))
            raise _WrongError(told or f"expected {conversion.expected}") from None

    return convert


def _by_json(validator: Validator) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            value = loads(text.encode())
        except ValueError:
            raise _WrongError(f"expected {validator.title} as JSON") from None
        faults = validator.faults(value, ())
        if faults:
            raise _WrongError("; ".join(map(_tell, faults)))
        return validator.validate(value)

    return convert


def _tell(fault: dict[str, Any]) -> str:
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])


def _read_file(path: str | os.PathLike[str] | None, faults: list[str]) -> dict[str, str]:
    """Return the variables of a file, none when it is not there."""
    if path is None or not Path(path).is_file():
        return {}
    found = {}
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{os.fspath(path)}: cannot be read ({type(error).__name__})")
        return {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.removeprefix("export ").partition("=")
        read = _unquoted(value.strip())
        if not separator or not _NAME.fullmatch(name.strip()) or read is None:
            faults.append(f"{os.fspath(path)}:{number}: expected NAME=value")
        else:
            found[name.strip()] = read
    return found


def _unquoted(value: str) -> str | None:
    """Return a value of a file: in double quotes with escapes, in single ones as it is, else up to ` #`; None
    when a quote is left open.
    """
    quote = value[:1]
    if quote not in ("'", '"') or not quote:
        return re.split(r"(?:^|\s+)#", value, maxsplit=1)[0]
    match = re.fullmatch(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?""", value)
    if match is None:
        return None
    if match[2] is not None:
        return match[2]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match[1])
