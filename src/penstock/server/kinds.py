"""The kinds of value a setting can have: how each is read, what it accepts, how it is shown.

One reader serves the command line, the environment, the file and `Config(...)` itself, so a value means the
same wherever it was written. `read` takes text or a value of the right type, returns the value, and is
idempotent; anything else is a `ValueError` that says what was expected, in one line.
Absent on purpose: `int()` and `float()` on raw text, which take "1_000", "٣", " 7 " and "nan".
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from penstock.errors import ApplicationError
from penstock.server.address import EXPECTED, EXPECTED_OPENED, Inherited, parse_address

_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(?: ?s)?", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})(?: ?(?:B|([kmg])(?:iB)?))?", re.ASCII | re.IGNORECASE)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_FIELD_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)  # RFC 9110 §5.5, less obs-text
_SHARE = re.compile(r"[01](?:\.[0-9]{0,9})?|\.[0-9]{1,9}", re.ASCII)
_MODE = re.compile(r"0?[0-7]{1,3}", re.ASCII)
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_INT_LIMIT = 2**31 - 1  # the kernel takes a C int wherever such a count reaches it
_SECONDS_LIMIT = 86_400.0  # a day: longer is "never" for a server, and stays clear of every timer's overflow


class Kind(Protocol):
    """How one sort of value is read and shown."""

    @property
    def metavar(self) -> str:
        """The word that stands for the value in `--help`."""

    @property
    def expected(self) -> str:
        """What is accepted, to follow the word "expected"."""

    def read(self, value: object) -> Any:
        """The value meant by `value`; ValueError says what was expected instead."""

    def show(self, value: Any) -> str:
        """`value` for people, with its unit."""


class Count:
    """A whole number between two bounds, both included."""

    metavar = "N"

    def __init__(self, minimum: int = 1, maximum: int = _INT_LIMIT) -> None:
        self.minimum = minimum
        self.maximum = maximum
        span = f"of at least {minimum}" if maximum == _INT_LIMIT else f"from {minimum} to {maximum}"
        self.expected = f"a whole number {span}"

    def read(self, value: object) -> int:
        """Digits, or an int."""
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if (
            isinstance(number, int)
            and not isinstance(number, bool)
            and self.minimum <= number <= self.maximum
        ):
            return number
        raise _unexpected(self, value)

    def show(self, value: int) -> str:
        """The number."""
        return str(value)


class Seconds:
    """A duration; `zero` says whether none at all makes sense, `none` what it is called then."""

    metavar = "SECONDS"

    def __init__(self, *, zero: bool = False, none: str = "0 s") -> None:
        self.zero = zero
        self.none = none
        span = "from 0" if zero else "more than 0"
        self.expected = f"seconds such as 15 or 0.5, {span} and at most {_SECONDS_LIMIT:g}"

    def read(self, value: object) -> float:
        """`15`, `0.5`, `15s`, or a number."""
        found = _SECONDS.fullmatch(value) if isinstance(value, str) else None
        number = float(found[1]) if found else value
        if isinstance(number, int | float) and not isinstance(number, bool):
            in_range = 0 <= number <= _SECONDS_LIMIT  # also false for nan
            if in_range and (number or self.zero):
                return float(number)
        raise _unexpected(self, value)

    def show(self, value: float) -> str:
        """The number with its unit."""
        return f"{value:g} s" if value else self.none


class Size:
    """A number of octets, or of octets a second; k, M and G are powers of 1024, as in nginx."""

    metavar = "BYTES"

    def __init__(self, minimum: int = 1, unit: str = "B") -> None:
        self.minimum = minimum
        self.unit = unit
        self.expected = f"bytes such as 65536, 64k or 1MiB, at least {minimum}"

    def read(self, value: object) -> int:
        """`65536`, `64k`, `1MiB`, or an int. `kB` is refused: half the world reads it as 1000."""
        found = _SIZE.fullmatch(value) if isinstance(value, str) else None
        number = int(found[1]) * _FACTORS[(found[2] or "").lower()] if found else value
        if isinstance(number, int) and not isinstance(number, bool) and number >= self.minimum:
            return number
        raise _unexpected(self, value)

    def show(self, value: int) -> str:
        """The largest unit that divides it: 1048576 is "1 MiB", 8190 is "8190 B"."""
        rate = self.unit.removeprefix("B")
        for letter in "gmk":
            if value and value % _FACTORS[letter] == 0:
                return f"{value // _FACTORS[letter]} {letter.upper()}iB{rate}"
        return f"{value} {self.unit}"


class Switch:
    """On or off; on the command line a pair of flags, `--x` and `--no-x`."""

    metavar = ""
    expected = "true or false"

    def read(self, value: object) -> bool:
        """A bool, or one of 1 true yes on, 0 false no off."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _YES | _NO:
            return value.lower() in _YES
        raise _unexpected(self, value)

    def show(self, value: bool) -> str:  # noqa: FBT001 - the value shown is the argument
        """The word."""
        return "on" if value else "off"


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.metavar = "{" + ",".join(words) + "}"
        self.expected = f"{', '.join(words[:-1])} or {words[-1]}"

    def read(self, value: object) -> str:
        """The word, in any case."""
        if isinstance(value, str) and value.lower() in self.words:
            return value.lower()
        raise _unexpected(self, value)

    def show(self, value: str) -> str:
        """The word."""
        return value


class Host:
    """A host name or an address to listen on; an IPv6 address with or without its brackets."""

    metavar = "HOST"
    expected = "a host name or an address"

    def read(self, value: object) -> str:
        """The name, without brackets."""
        if isinstance(value, str) and _VISIBLE.fullmatch(value):
            if value.count(":") == 1 or "/" in value:
                msg = f"expected {self.expected} alone, without scheme or port, got {value!r}"
                raise ValueError(msg)
            return value[1:-1] if value[0] == "[" and value[-1] == "]" else value
        raise _unexpected(self, value)

    def show(self, value: str) -> str:
        """The name."""
        return value


class Several:
    """Any number of values of one kind: a flag given repeatedly, a list in a file, or a text with commas;
    `is_whole`: a comma is part of the value.
    """

    def __init__(self, kind: Kind, *, is_whole: bool = False) -> None:
        self.kind = kind
        self._is_whole = is_whole
        self.metavar = kind.metavar
        self.expected = kind.expected

    def read(self, value: object) -> tuple[Any, ...]:
        """Each of them, read by its kind; an empty text is none."""
        items = [value] * bool(value) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise _unexpected(self, value)
        if self._is_whole:
            return tuple(map(self.kind.read, items))
        parts: list[object] = []
        for item in items:
            parts.extend(filter(None, map(str.strip, item.split(","))) if isinstance(item, str) else [item])
        return tuple(map(self.kind.read, parts))

    def show(self, value: tuple[Any, ...]) -> str:
        """All of them, or "none"."""
        return ", ".join(map(self.kind.show, value)) or "none"


class Bind:
    """An address to listen on, of whichever sort."""

    metavar = "ADDRESS"

    def __init__(self, *, takes_fd: bool = True) -> None:
        self._takes_fd = takes_fd
        self.expected = EXPECTED if takes_fd else EXPECTED_OPENED

    def read(self, value: object) -> str:
        """The address as text."""
        try:
            address = parse_address(value if isinstance(value, str) else "")
        except ValueError:
            raise _unexpected(self, value) from None
        if isinstance(address, Inherited) and not self._takes_fd:
            raise _unexpected(self, value)
        return str(address)

    def show(self, value: str) -> str:
        """The text."""
        return value


class Peer:
    """Addresses whose word is taken."""

    metavar = "ADDRESS"
    expected = "an address, a network such as 10.0.0.0/8, unix or *"

    def read(self, value: object) -> str:
        """The address or network as text."""
        from penstock.errors import ConfigError
        from penstock.http.forwarded import TrustedProxies

        try:
            TrustedProxies([value if isinstance(value, str) else ""])
        except ConfigError:
            raise _unexpected(self, value) from None
        return str(value)

    def show(self, value: str) -> str:
        """The text."""
        return value


class Prefix:
    """A path before all paths, or none."""

    metavar = "PATH"
    expected = "a plain path such as /shop"

    def read(self, value: object) -> str:
        """The path without a "/" at its end, so that "/" is none."""
        from penstock.http.forwarded import parse_prefix

        prefix = parse_prefix(value) if isinstance(value, str) else None
        if prefix is None:
            raise _unexpected(self, value)
        return prefix

    def show(self, value: str) -> str:
        """The path, or "none"."""
        return value or "none"


class Path:
    """A path of requests, as clients send it."""

    metavar = "PATH"
    expected = "a path such as /livez, as clients send it"

    def read(self, value: object) -> str:
        """The path."""
        if isinstance(value, str) and value.startswith("/") and _VISIBLE.fullmatch(value):
            return value
        raise _unexpected(self, value)

    def show(self, value: str) -> str:
        """The path."""
        return value


class Share:
    """A part of a whole."""

    metavar = "SHARE"
    expected = "a share such as 0.1, from 0 to 1"

    def read(self, value: object) -> float:
        """`0.1`, or a number."""
        number = float(value) if isinstance(value, str) and _SHARE.fullmatch(value) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= 1:
            return float(number)
        raise _unexpected(self, value)

    def show(self, value: float) -> str:
        """The number."""
        return f"{value:g}"


class LogFormat:
    """A form of the access log: one of a few words, or a format of Apache's."""

    metavar = "FORMAT"
    expected = "auto, json, text, common, combined, or a format such as '%h %t \"%r\" %>s %b'"

    def read(self, value: object) -> str:
        """The word, or the format, which can be understood."""
        if isinstance(value, str):
            if value.lower() in ("auto", "json", "text", "common", "combined"):
                return value.lower()
            if "%" in value and value.isprintable():
                from penstock.observe.logs.apache_format import compile_format

                compile_format(value)  # its ValueError names what is unknown
                return value
        raise _unexpected(self, value)

    def show(self, value: str) -> str:
        """The text."""
        return value


class Mode:
    """Permissions of a file, in octal."""

    metavar = "MODE"
    expected = "permissions in octal such as 660"

    def read(self, value: object) -> str:
        """The octal digits. An int is refused: TOML and Python read 660 as decimal."""
        if isinstance(value, str) and _MODE.fullmatch(value):
            return value.lstrip("0") or "0"
        raise _unexpected(self, value)

    def show(self, value: str) -> str:
        """The digits."""
        return value


class Maybe:
    """A value of another kind, or none; an empty text is none."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.metavar = kind.metavar
        self.expected = kind.expected

    def read(self, value: object) -> Any:
        """The value, read by its kind."""
        return None if value is None or value == "" else self.kind.read(value)

    def show(self, value: Any) -> str:
        """The value, or "none"."""
        return "none" if value is None else self.kind.show(value)


class Text:
    """Any visible text without spaces at its ends, or none."""

    def __init__(self, metavar: str, expected: str) -> None:
        self.metavar = metavar
        self.expected = expected

    def read(self, value: object) -> str | None:
        """The text; an empty one is none."""
        if value is None or (isinstance(value, str) and value.isprintable() and value.strip() == value):
            return value or None
        raise _unexpected(self, value)

    def show(self, value: str | None) -> str:
        """The text, or "none"."""
        return "none" if value is None else value


class Secret:
    """A text that is never shown."""

    metavar = "TEXT"
    expected = "a text"

    def read(self, value: object) -> str | None:
        """The text; an empty one is none."""
        if value is None or isinstance(value, str):
            return value or None
        raise ValueError(f"expected {self.expected}")

    def show(self, value: str | None) -> str:
        """Whether there is one."""
        return "none" if value is None else "********"


class Expression:
    """A regular expression for what is secret in a text."""

    metavar = "REGEX"
    expected = "a regular expression that does not match the empty text"

    def read(self, value: object) -> str:
        """The text."""
        from penstock.http.redaction import compile_pattern  # here: it takes a while to import

        try:
            compile_pattern(value)  # type: ignore[arg-type]  # told
        except ApplicationError:
            raise _unexpected(self, value) from None
        return str(value)

    def show(self, value: str) -> str:
        """The text."""
        return value


class FieldValue:
    """The value of a response field, or none; an empty text is none."""

    metavar = "TEXT"
    expected = "printable ASCII without a space at either end"

    def read(self, value: object) -> str | None:
        """The text, fit to be sent as it is."""
        if value is None:
            return None
        if isinstance(value, str) and (not value or _FIELD_VALUE.fullmatch(value)):
            return value or None
        raise _unexpected(self, value)

    def show(self, value: str | None) -> str:
        """The text, or "none"."""
        return "none" if value is None else value


def _unexpected(kind: Kind, value: object) -> ValueError:
    shown = repr(value)
    if len(shown) > 60:  # one line stays one line
        shown = shown[:57] + "..."
    return ValueError(f"expected {kind.expected}, got {shown}")
