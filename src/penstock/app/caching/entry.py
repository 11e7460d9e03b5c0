"""Entries: what a cache keeps of a value in a store, and back.

An entry says what it is, until when it is fresh, and which state of its tags it belongs to. Octets that are
no entry, because somebody else wrote them or another version did, are none: None, never an exception. Values
are octets, text, or what has a JSON form; nothing that runs code when it is read (no pickle).
"""

from __future__ import annotations

from math import isnan
from struct import Struct
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.http.json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD: Final = Struct(">3sdI")
_OCTETS: Final = b"P1b"
_TEXT: Final = b"P1t"
_JSON: Final = b"P1j"


class Entry(NamedTuple):
    """A value, read."""

    value: Any
    fresh_until: float
    """Wall clock, which processes and machines share; infinite for as long as it is kept."""
    tags: dict[str, str]
    """By name, the state each tag had before the value was made."""


def write_entry(value: object, fresh_until: float, tags: dict[str, str]) -> bytes:
    """Return an entry. TypeError or ValueError for a value that has no JSON form."""
    if isinstance(value, bytes):
        kind, content = _OCTETS, value
    elif type(value) is str:
        kind, content = _TEXT, value.encode("utf-8", "surrogatepass")
    else:
        kind, content = _JSON, dumps(value)
    listed = dumps(tags) if tags else b""
    return _HEAD.pack(kind, fresh_until, len(listed)) + listed + content


def read_entry(octets: bytes | None, convert: Callable[[Any], Any] | None = None) -> Entry | None:
    """Return what an entry says; `convert` makes the value of what JSON says, ValueError: it does not fit."""
    if octets is None:
        return None
    try:
        kind, fresh_until, length = _HEAD.unpack_from(octets)
        at = _HEAD.size
        tags: Any = loads(octets[at : at + length]) if length else {}
        content = octets[at + length :]
        if not isinstance(tags, dict) or isnan(fresh_until):
            return None
        value: Any
        if kind == _OCTETS:
            value = content
        elif kind == _TEXT:
            value = content.decode("utf-8", "surrogatepass")
        elif kind == _JSON:
            value = loads(content)
        else:
            return None
        return Entry(value if convert is None else convert(value), fresh_until, tags)
    except (ValueError, TypeError, struct_error):
        return None
