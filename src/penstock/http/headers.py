"""Field sections (RFC 9110 §5): `Headers` as received, `MutableHeaders` to be sent.

`Headers` keeps the raw octets of a validated section and parses them at the first question. It never changes,
so one instance serves many requests and threads: two threads that parse at once compute the same value and
either store wins. `MutableHeaders` belongs to one response; names keep their spelling, and nothing reaches
the wire before `rendered` has checked every octet: CR, LF or NUL would let a value end its line early.

Field values are latin-1 text: octets 0x80-0xFF pass through unchanged, anything above cannot be sent.
Absent on purpose: parsing of particular values. Cookies, dates and queries have modules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias, TypeVar, overload

from penstock.errors import LocalProtocolError

_T = TypeVar("_T")
HeaderSource: TypeAlias = "Mapping[str, str] | Headers | MutableHeaders | Iterable[tuple[str, str]]"

OWS = " \t"  # RFC 9110 §5.6.3

# PERF: one findall with possessive repeats, 1.5 us for 10 fields; a lazy value with the OWS after it costs
# 0.8 us more than the rstrip each reader does. `wire` validated the section: a CR always starts a line end.
_FIELDS = re.compile(r"([^:]++):[ \t]*+([^\r]*+)\r\n")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")  # RFC 9110 §5.6.2
_BAD_OCTET = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class _Fields:
    """The reading half both kinds share, in terms of `items` and `get_all`."""

    __slots__ = ()

    def items(self) -> list[tuple[str, str]]:
        """Return every field line as (lower-case name, value), in order, repeats included."""
        raise NotImplementedError

    def get_all(self, name: str) -> list[str]:
        """Return the values of every line of that name, in order; `[]` when there is none."""
        name = name.lower()
        return [value for key, value in self.items() if key == name]

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: _T) -> str | _T: ...
    def get(self, name: str, default: object = None) -> object:
        """Return the value; several lines are combined with ", " (RFC 9110 §5.3), Cookie with "; "."""
        values = self.get_all(name)
        return _combine(name.lower(), values) if values else default

    def keys(self) -> list[str]:
        """Return the distinct names, lower-case, in order of first appearance."""
        return list(dict.fromkeys(name for name, _ in self.items()))

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        """Count the distinct names, as iteration gives them."""
        return len(self.keys())

    def __repr__(self) -> str:
        from penstock.http.redaction import redactor

        shown = [(name, redactor().field(name, value)) for name, value in self.items()]
        return f"{type(self).__name__}({shown!r})"


class Headers(_Fields):
    r"""A received field section: immutable, case-insensitive, several values per name.

    `raw` is the section as it came, each line ended by CRLF and already validated by `penstock.wire`.

    >>> h = Headers(b"Host: example.org\r\nAccept: text/html\r\nAccept: */*\r\n")
    >>> h["HOST"], h["accept"], h.get_all("Accept"), h.get("cookie")
    ('example.org', 'text/html, */*', ['text/html', '*/*'], None)
    """

    __slots__ = ("_index", "_lines", "raw")

    raw: bytes
    # Both are None until asked for, stored once, and never changed after that.
    _lines: list[tuple[str, str]] | None  # spelling and trailing OWS as received
    _index: dict[str, str] | None  # lower-case name -> combined value

    def __init__(self, raw: bytes = b"") -> None:
        self.raw = raw
        self._lines = None
        self._index = None

    @classmethod
    def from_pairs(cls, pairs: HeaderSource) -> Headers:
        """Make a section out of names and values, validated as if it were to be sent."""
        return cls(render_fields(_pairs_of(pairs)))

    def items(self) -> list[tuple[str, str]]:
        """Return every field line as (lower-case name, value), in order, repeats included."""
        return [(name.lower(), value.rstrip(OWS)) for name, value in self._lines or self._parse_lines()]

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: _T) -> str | _T: ...
    def get(self, name: str, default: object = None) -> object:
        """Return the value; several lines are combined with ", " (RFC 9110 §5.3), Cookie with "; "."""
        index = self._index
        if index is None:
            index = self._parse_index()
        value = index.get(name)  # PERF: callers mostly write the name in lower case; saves 45 ns
        return value if value is not None else index.get(name.lower(), default)

    def get_all(self, name: str) -> list[str]:
        """Return the values of every line of that name, in order; `[]` when there is none."""
        index = self._index or self._parse_index()
        name = name.lower()
        if name not in index:
            return []
        lines = self._lines or self._parse_lines()
        if len(lines) == len(index):
            return [index[name]]
        return [value.rstrip(OWS) for key, value in lines if key.lower() == name]

    def keys(self) -> list[str]:
        """Return the distinct names, lower-case, in order of first appearance."""
        return list(self._index or self._parse_index())

    def __len__(self) -> int:
        return len(self._index or self._parse_index())

    def __eq__(self, other: object) -> bool:
        return self.items() == other.items() if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __reduce__(self) -> tuple[type[Headers], tuple[bytes]]:
        return Headers, (self.raw,)

    def _parse_lines(self) -> list[tuple[str, str]]:
        raw = self.raw
        if raw and not raw.endswith(b"\r\n"):
            raw += b"\r\n"
        lines: list[tuple[str, str]] = _FIELDS.findall(raw.decode("latin-1"))
        self._lines = lines
        return lines

    def _parse_index(self) -> dict[str, str]:
        lines = self._lines or self._parse_lines()
        index = {name.lower(): value.rstrip(OWS) for name, value in lines}
        if len(index) != len(lines):
            several: dict[str, list[str]] = {}
            for name, value in self.items():
                several.setdefault(name, []).append(value)
            index = {name: _combine(name, values) for name, values in several.items()}
        self._index = index
        return index


class MutableHeaders(_Fields):
    r"""The fields of one response: set, appended and deleted by the application, checked when rendered.

    >>> h = MutableHeaders({"Content-Language": "cy"})
    >>> h["x-id"] = "7"
    >>> h.append("Vary", "Accept"); h.append("vary", "Origin")
    >>> h["VARY"], h.rendered()
    ('Accept, Origin', b'Content-Language: cy\r\nx-id: 7\r\nVary: Accept\r\nvary: Origin\r\n')
    """

    __slots__ = ("_lines",)

    _lines: list[tuple[str, str]]  # spelling as given, values without surrounding whitespace

    def __init__(self, source: HeaderSource | None = None) -> None:
        self._lines = []
        if source is not None:
            for name, value in _pairs_of(source):
                self.append(name, value)

    def set(self, name: str, value: str) -> None:
        """Make this the only line of that name, at the place of the first one it replaces."""
        line = _line(name, value)
        lines, key = self._lines, name.lower()
        for at, (other, _) in enumerate(lines):
            if len(other) == len(key) and other.lower() == key:
                lines[at:] = [line, *(later for later in lines[at + 1 :] if later[0].lower() != key)]
                return
        lines.append(line)

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def append(self, name: str, value: str) -> None:
        """Add a line and keep those of the same name: Set-Cookie, Vary, Link."""
        self._lines.append(_line(name, value))

    def delete(self, name: str) -> None:
        """Remove every line of that name; none is fine."""
        key = name.lower()
        self._lines = [line for line in self._lines if line[0].lower() != key]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.delete(name)

    def setdefault(self, name: str, value: str) -> str:
        """Set the field unless it is there; return what it is now."""
        present = self.get(name)
        if present is not None:
            return present
        self.set(name, value)
        return self._lines[-1][1]

    def update(self, source: HeaderSource) -> None:
        """Replace every name the source has; the source's own repeats are kept."""
        lines = [_line(name, value) for name, value in _pairs_of(source)]
        replaced = {name.lower() for name, _ in lines}
        self._lines = [line for line in self._lines if line[0].lower() not in replaced] + lines

    def copy(self) -> MutableHeaders:
        """Return the same fields, to be changed without changing these."""
        other = MutableHeaders()
        other.lines().extend(self._lines)
        return other

    def lines(self) -> list[tuple[str, str]]:
        """Return every field line as (name as given, value), in order. Read the list, never change it."""
        return self._lines

    def items(self) -> list[tuple[str, str]]:
        """Return every field line as (lower-case name, value), in order, repeats included."""
        return [(name.lower(), value) for name, value in self._lines]

    def rendered(self) -> bytes:
        """Return the field lines, each ended by CRLF, or raise LocalProtocolError naming the wrong one."""
        return render_fields(self._lines)


def render_fields(pairs: Iterable[tuple[str, str]]) -> bytes:
    r"""Return the field lines of these names and values, or raise LocalProtocolError.

    >>> render_fields([("ETag", '"x"')])
    b'ETag: "x"\r\n'
    >>> render_fields([("X-Name", "a\r\nSet-Cookie: stolen=1")])
    Traceback (most recent call last):
    penstock.errors.LocalProtocolError: 500: field X-Name: '\r' at position 1 is not allowed in a field value
    """
    lines = []
    for name, value in pairs:
        _check_name(name)
        # PERF: two C predicates accept the usual value (0x20-0x7E) in 40 ns, the search takes 250
        if not (value.isascii() and value.isprintable()):
            _check_value(name, value)
        lines.append(f"{name}: {value.strip(OWS)}\r\n")
    return "".join(lines).encode("latin-1")


@lru_cache(512)  # PERF: an application uses few names; 45 ns instead of 260
def _check_name(name: str) -> None:
    if _TOKEN.fullmatch(name) is None:
        raise LocalProtocolError(detail=f"{name!r} is not a field name: expected a token (RFC 9110 §5.6.2)")


def _check_value(name: str, value: str) -> None:
    bad = _BAD_OCTET.search(value)
    if bad is not None:
        where = f"{bad.group()!r} at position {bad.start()}"
        raise LocalProtocolError(detail=f"field {name}: {where} is not allowed in a field value")


def _pairs_of(source: HeaderSource) -> Iterable[tuple[str, str]]:
    return source.items() if isinstance(source, (Mapping, _Fields)) else source


def _line(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str) or not isinstance(value, str):
        kinds = f"{type(name).__name__} and {type(value).__name__}"
        raise TypeError(f"a field name and its value are str, not {kinds} ({name!r})")
    return name, value.strip(OWS)


def _combine(name: str, values: list[str]) -> str:
    return ("; " if name == "cookie" else ", ").join(values)
