"""Values as text for a failure page or a dump, bounded, and without what is secret about them.

Containers, dataclasses, named tuples and models are walked, so that a member named `password` is hidden
however deep it lies; what else an object says about itself goes through the patterns. Each value has a bound
in depth, members and characters, and nothing here raises. Mappings that are no dict are not walked: looking
into one may do anything.
"""

from __future__ import annotations

import dataclasses
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from penstock.http.secret_names import NAME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from penstock.http.redaction import Redactor

_DEPTH: Final = 4
_MEMBERS: Final = 12
_CHARACTERS: Final = 400
_TEXT: Final = 200
_VARIABLES: Final = 40
_PLAIN = (int, float, complex, bool, type(None))


def show_variables(variables: Mapping[str, object], redactor: Redactor) -> dict[str, str]:
    """Return variables by name, as text without secrets."""
    shown = {}
    for name, value in islice(variables.items(), _VARIABLES):
        shown[str(name)] = show_value(value, redactor, str(name))
    return shown


def show_value(value: object, redactor: Redactor, name: str = "") -> str:
    """Return a value as text without secrets; all of it when its name is that of one."""
    try:
        if name and _is_hidden(name, value, redactor):
            return "[redacted]"
        text = redactor.text(_show(value, redactor, 0))
    except Exception as error:  # a value may be anything, also one that fails when it is looked at
        return f"<{_kind(value)} cannot be shown: {type(error).__name__}>"
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"


def _is_hidden(name: str, value: object, redactor: Redactor) -> bool:
    if value is None or isinstance(value, bool) or callable(value):
        return False
    return redactor.is_secret(name)


def _show(value: Any, redactor: Redactor, depth: int) -> str:
    if isinstance(value, _PLAIN) and type(value) in _PLAIN:
        return _number(value)
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return _text(value, redactor)
    if isinstance(value, dict):
        return _walked("{", "}", depth, _mapping_members(value, redactor, depth))
    if isinstance(value, (list, tuple, set, frozenset)):
        return _sequence(value, redactor, depth)
    members = _attributes(value)
    if members is not None:
        return _walked(f"{_kind(value)}(", ")", depth, _named(members, redactor, depth))
    return _own(value, redactor)


def _number(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 10**40:
        return "<a large int>"
    return repr(value)


def _text(value: Any, redactor: Redactor) -> str:
    if isinstance(value, memoryview):
        return f"<memoryview of {value.nbytes} octets>"
    # The patterns see more than is shown: what is cut through is none of them any more.
    part = value[: 20 * _TEXT]
    shown = repr(redactor.text(part) if isinstance(part, str) else part)
    shown = redactor.text(shown)
    if len(shown) <= _TEXT:
        return shown
    return f"{shown[:_TEXT]}… ({len(value)} in all)"


def _sequence(value: Any, redactor: Redactor, depth: int) -> str:
    fields = getattr(value, "_fields", None)
    if isinstance(value, tuple) and isinstance(fields, tuple):
        pairs = zip(fields, value, strict=False)
        return _walked(f"{_kind(value)}(", ")", depth, _named(pairs, redactor, depth))
    # ("cookie", "x"), as header fields and the items of a mapping come
    is_pair = isinstance(value, tuple) and len(value) == 2
    if is_pair and _is_hidden(_name_of(value[0]), value[1], redactor):
        return f"({_text(value[0], redactor)}, '[redacted]')"
    opening, closing = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
    shown = (_show(one, redactor, depth + 1) for one in value)
    return _walked(opening, closing, depth, shown)


def _mapping_members(value: dict[Any, Any], redactor: Redactor, depth: int) -> Iterator[str]:
    for key, one in value.items():
        name = _name_of(key)
        shown = "'[redacted]'" if _is_hidden(name, one, redactor) else _show(one, redactor, depth + 1)
        yield f"{_show(key, redactor, depth + 1)}: {shown}"


def _named(pairs: Iterable[tuple[str, Any]], redactor: Redactor, depth: int) -> Iterator[str]:
    for name, one in pairs:
        shown = "'[redacted]'" if _is_hidden(name, one, redactor) else _show(one, redactor, depth + 1)
        yield f"{name}={shown}"


def _walked(opening: str, closing: str, depth: int, shown: Iterator[str]) -> str:
    if depth >= _DEPTH:
        return f"{opening}…{closing}"
    parts, room = [], _CHARACTERS
    for at, one in enumerate(islice(shown, _MEMBERS + 1)):
        if at == _MEMBERS or room <= 0:
            parts.append("…")
            break
        parts.append(one)
        room -= len(one)
    return f"{opening}{', '.join(parts)}{closing}"


def _attributes(value: Any) -> Iterator[tuple[str, Any]] | None:
    """Return the attributes of an object that would show them, None for one that speaks for itself."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind) if field.repr]
    elif hasattr(kind, "__struct_fields__"):  # msgspec
        names = list(kind.__struct_fields__)
    elif hasattr(kind, "__pydantic_fields__") or hasattr(kind, "model_fields"):
        names = list(getattr(kind, "__pydantic_fields__", None) or kind.model_fields)
    elif hasattr(kind, "__attrs_attrs__"):
        names = [one.name for one in kind.__attrs_attrs__ if one.repr]
    else:
        return None
    return ((name, getattr(value, name)) for name in names if hasattr(value, name))


def _own(value: Any, redactor: Redactor) -> str:
    shown = repr(value)
    if len(shown) > 20 * _TEXT:
        shown = shown[: 20 * _TEXT]
    shown = redactor.text(shown)
    return shown if len(shown) <= _TEXT else f"{shown[:_TEXT]}…"


def _name_of(key: object) -> str:
    if isinstance(key, bytes):
        return key[:NAME_LIMIT].decode("latin-1")
    return key if isinstance(key, str) else ""


def _kind(value: object) -> str:
    return type(value).__qualname__.rpartition("<locals>.")[2]
