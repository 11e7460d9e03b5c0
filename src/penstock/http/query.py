"""Query strings and path segments: percent-encoding (RFC 3986 §2.1) to text and back.

One rule for both directions: text is UTF-8, and what is not valid is an error with its place, never a guess.
Delimiters are found before anything is decoded, so `%26` and `%2F` stay data. In a query "+" is a space, as
HTML forms write it; in a path it is a plus.

Absent on purpose: ";" as a separator, and any limit (the request line has one, `wire.limits`).
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

_T = TypeVar("_T")

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(
    b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)  # RFC 3986 §2.3
_SEGMENT = _UNRESERVED | frozenset(b"!$&'()*+,;=:@")  # RFC 3986 §3.3 pchar
_TO_QUERY = {octet: f"%{octet:02X}" for octet in range(256) if octet not in _UNRESERVED} | {0x20: "+"}
_TO_SEGMENT = {octet: f"%{octet:02X}" for octet in range(256) if octet not in _SEGMENT}
_DOTS = {".": "%2E", "..": "%2E%2E"}


class Query:
    """The fields of a query: read-only, case-sensitive, several values per name.

    >>> q = parse_query(b"tag=red&tag=blue&empty=&flag&name=J%C3%BCrgen+M")
    >>> q["tag"], q.get_all("tag"), q["empty"], q["flag"], q["name"], q.get("none")
    ('red', ['red', 'blue'], '', '', 'Jürgen M', None)
    """

    __slots__ = ("_first", "_pairs")

    _pairs: tuple[tuple[str, str], ...]
    _first: dict[str, str]  # name -> its first value

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = pairs = tuple(pairs)
        first = dict(pairs)
        if len(first) != len(pairs):
            first = {}
            for name, value in pairs:
                first.setdefault(name, value)
        self._first = first

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: _T) -> str | _T: ...
    def get(self, name: str, default: object = None) -> object:
        """Return the first value of that name."""
        return self._first.get(name, default)

    def get_all(self, name: str) -> list[str]:
        """Return every value of that name, in order; `[]` when there is none."""
        if name not in self._first:
            return []
        return [value for key, value in self._pairs if key == name]

    def items(self) -> list[tuple[str, str]]:
        """Return every (name, value) in order, repeats included."""
        return list(self._pairs)

    def keys(self) -> list[str]:
        """Return the distinct names, in order of first appearance."""
        return list(self._first)

    def __getitem__(self, name: str) -> str:
        return self._first[name]

    def __contains__(self, name: object) -> bool:
        return name in self._first

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        """Count the distinct names, as iteration gives them."""
        return len(self._first)

    def __eq__(self, other: object) -> bool:
        return self._pairs == other._pairs if isinstance(other, Query) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        from penstock.http.redaction import redactor

        return f"Query({[(name, redactor().field(name, value)) for name, value in self._pairs]!r})"


_EMPTY = Query()


def parse_query(raw: bytes) -> Query:
    """Return the fields of a query (without its "?"), or raise ValueError saying where it is broken.

    Empty pieces ("a=1&&b=2") are skipped, a piece without "=" has the value "".

    >>> parse_query(b"a=%zz")
    Traceback (most recent call last):
    ValueError: query: '%zz' at octet 2 is not percent-encoding
    """
    if not raw:
        return _EMPTY
    raw = raw.replace(b"+", b" ")
    try:
        if b"%" not in raw:
            return Query([piece.partition("=")[::2] for piece in raw.decode().split("&") if piece])
        _check_escapes(raw, "query")
        pieces = [piece.partition(b"=") for piece in raw.split(b"&") if piece]
        return Query([(_unescape(name), _unescape(value)) for name, _, value in pieces])
    except UnicodeDecodeError as error:
        raise ValueError(f"query: {_not_utf8(error)}") from None


def encode_query(fields: Mapping[str, object] | Query | Iterable[tuple[str, object]]) -> str:
    """Return the query string of these fields, without "?".

    A list, tuple or set gives one field for each element, None gives none, a bool is "true" or "false";
    anything else is its str.

    >>> encode_query({"q": "a&b c", "tag": ["x", "y"], "on": True, "none": None})
    'q=a%26b+c&tag=x&tag=y&on=true'
    """
    pairs = fields.items() if isinstance(fields, (Mapping, Query)) else fields
    parts = []
    for name, value in pairs:
        several = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        parts += [f"{_escape(name)}={_escape(_text(one))}" for one in several if one is not None]
    return "&".join(parts)


def decode_segment(raw: bytes) -> str:
    """Return one path segment as text, or raise ValueError saying where it is broken.

    What was percent-encoded is data now, "/" and NUL included: never join it into a path unchecked.

    >>> decode_segment(b"caf%C3%A9%2Fbar+")
    'café/bar+'
    """
    try:
        if b"%" not in raw:
            return raw.decode()
        _check_escapes(raw, "path segment")
        return _unescape(raw)
    except UnicodeDecodeError as error:
        raise ValueError(f"path segment: {_not_utf8(error)}") from None


def encode_segment(text: str) -> str:
    """Return text as one path segment; `decode_segment` gives it back.

    >>> encode_segment("a/b c"), encode_segment("..")
    ('a%2Fb%20c', '%2E%2E')
    """
    # A segment of dots would be resolved away (RFC 3986 §5.2.4); some clients do so even when it is encoded.
    return _DOTS.get(text) or text.encode().decode("latin-1").translate(_TO_SEGMENT)


def _check_escapes(raw: bytes, what: str) -> None:
    broken = _BROKEN.search(raw)
    if broken is not None:
        at = broken.start()
        raise ValueError(
            f"{what}: {raw[at : at + 3].decode('latin-1')!r} at octet {at} is not percent-encoding"
        )


def _unescape(piece: bytes) -> str:
    """Decode a piece whose escapes were checked."""
    if b"%" not in piece:
        return piece.decode()
    head, *rest = piece.split(b"%")
    return (head + b"".join([unhexlify(part[:2]) + part[2:] for part in rest])).decode()


def _not_utf8(error: UnicodeDecodeError) -> str:
    around = error.object[max(0, error.start - 16) : error.start + 4]
    return f"{around!r} is not UTF-8 at octet {error.start} of its decoded form"


def _text(value: object) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def _escape(text: str) -> str:
    return text.encode().decode("latin-1").translate(_TO_QUERY)
