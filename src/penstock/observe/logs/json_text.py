"""Any value as JSON text on one line: always valid, always bounded, whatever the value is.

`to_plain` takes a picture of a value that its owner may change or never let go of: None, numbers, texts,
lists and dicts, of bounded size. `render` makes text of that. What JSON has no word for (NaN, an object)
becomes a string; what is too much is cut, and the cut can be seen. Nothing here raises for a value.
Absent on purpose: reading JSON, and exact floats beyond what JSON readers keep.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice
from json.encoder import encode_basestring
from typing import Any

_CHARACTERS = 4096  # of one text
_ITEMS = 64  # of one list or mapping
_DEPTH = 5
_VALUES = 256  # of one picture, all levels together
_SAFE_INT = 2**63

# What passes encode_basestring and is no good on a line all the same: DEL and C1, which terminals obey, the
# separators that split lines elsewhere, marks that turn the direction of what follows, and lone surrogates,
# which have no UTF-8.
_AWKWARD = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The longest part of quoted text that ends between two characters.
_WHOLE = re.compile(r'"(?:[^\\]|\\[^u]|\\u[0-9a-f]{4})*+')


def quote(text: str) -> str:
    r"""Return `text` as a JSON string.

    >>> quote("a/\N{DELETE}")
    '"a/\\u007f"'
    """
    quoted = encode_basestring(text)
    return quoted if text.isprintable() else _AWKWARD.sub(_escape, quoted)


def quote_within(text: str, limit_bytes: int) -> str:
    """Return `text` as a JSON string of about so many octets at most; how much is missing stands at its end.

    >>> quote_within("abcdef", 4)
    '"abc... [3 characters cut]"'
    """
    if len(text) * 6 <= limit_bytes:  # no character takes more
        return quote(text)
    quoted = quote(text[:limit_bytes])
    octets = quoted.encode()
    if len(octets) <= limit_bytes + 2 and len(text) <= limit_bytes:
        return quoted
    kept = _WHOLE.match(octets[:limit_bytes].decode("utf-8", "ignore"))
    part = kept[0] if kept is not None else '"'
    # One unit of the quoted text is one character, escaped or not.
    missing = len(text) - len(re.sub(r"\\u[0-9a-f]{4}|\\[^u]", "x", part[1:]))
    return f'{part}... [{missing} characters cut]"'


def to_plain(value: object) -> Any:
    """Return a picture of `value`."""
    return _Picture().take(value, 0)


class _Picture:
    """Counts what it has seen."""

    def __init__(self) -> None:
        self._left = _VALUES

    def take(self, value: object, depth: int) -> Any:
        """Return the picture of one value."""
        if value is None or value is True or value is False:
            return value
        if type(value) is str:
            return value if len(value) <= _CHARACTERS else _cut(value)
        if type(value) is int and -_SAFE_INT <= value < _SAFE_INT:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else str(value)
        try:
            return self._take_other(value, depth)
        except Exception:  # an object's own code: it says nothing, and breaks nothing
            return f"<{type(value).__name__} that cannot be shown>"

    def _take_other(self, value: object, depth: int) -> Any:
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            if depth >= _DEPTH:
                return "..."
            if isinstance(value, Mapping):
                return self._take_mapping(value, depth + 1)
            return self._take_items(value, depth + 1)
        if isinstance(value, bytes | bytearray | memoryview):
            return _cut(bytes(value[:_CHARACTERS]).decode("ascii", "backslashreplace"))
        if isinstance(value, int):
            number = int(value)
            return number if -_SAFE_INT <= number < _SAFE_INT else f"<int of {number.bit_length()} bits>"
        return _cut(str(value))

    def _take_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        picture: dict[str, Any] = {}
        for name in islice(value, _ITEMS + 1):
            self._left -= 1
            if len(picture) == _ITEMS or self._left < 0:
                picture["..."] = f"{len(value) - len(picture)} more"
                break
            picture[name if type(name) is str and len(name) < 128 else _cut(str(name), 128)] = self.take(
                value[name], depth
            )
        return picture

    def _take_items(self, value: Any, depth: int) -> list[Any]:
        picture: list[Any] = []
        for item in islice(value, _ITEMS + 1):
            self._left -= 1
            if len(picture) == _ITEMS or self._left < 0:
                picture.append(f"... {len(value) - len(picture)} more")
                break
            picture.append(self.take(item, depth))
        return picture


def render(plain: Any) -> str:
    """Return the JSON text of what `to_plain` returned."""
    if plain is None:
        return "null"
    if plain is True or plain is False:
        return "true" if plain else "false"
    if type(plain) is str:
        return quote(plain)
    if type(plain) is int or type(plain) is float:
        return repr(plain)
    if type(plain) is dict:
        return "{" + ",".join(f"{quote(name)}:{render(value)}" for name, value in plain.items()) + "}"
    return "[" + ",".join(map(render, plain)) + "]"


def _cut(text: str, limit: int = _CHARACTERS) -> str:
    if type(text) is not str:  # a subclass may have ideas of its own
        text = str.__str__(text)
    return text if len(text) <= limit else f"{text[:limit]}... [{len(text) - limit} characters cut]"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
