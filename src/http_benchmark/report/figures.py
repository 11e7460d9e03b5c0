"""Figures and texts as people read them: few digits, a unit beside each, nothing a terminal would obey."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from penstock.cli.plain import show_plain
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_PLAIN = str.maketrans({"µ": "u", "–": "-", "…": ".", "±": "~", "×": "x", "≥": ">", "≤": "<"})


def show_time(seconds: float) -> str:
    """Three digits and the unit in which they are short.

    >>> [show_time(each) for each in (0, 4.2e-8, 0.00123456, 0.9996, 12.3456, 4321)]
    ['0 s', '42.0 ns', '1.23 ms', '1.00 s', '12.3 s', '4,321 s']
    """
    if seconds == 0:
        return "0 s"
    for size, unit in _UNITS:
        if abs(seconds) >= size * 0.9995 or unit == "ns":
            return f"{_three(seconds / size)} {unit}"
    raise AssertionError


def show_number(value: float) -> str:
    """At least three digits, thousands set apart, no unit.

    >>> [show_number(each) for each in (0, 0.0123, 9.996, 12.34, 1234.5, 1234567)]
    ['0', '0.0123', '10.0', '12.3', '1,234', '1,234,567']
    """
    if value == 0:
        return "0"
    if abs(value) < 1:
        return f"{value:.3g}"
    return _three(value)


def show_column_ms(values_s: Sequence[float | None]) -> list[str]:
    """Milliseconds, all with as many decimals as the least of them needs for three digits: at most three.
    None is a dash.

    >>> show_column_ms([0.00123, 0.456, None])
    ['1.23', '456.00', '-']
    """
    least = min((value * 1e3 for value in values_s if value), default=1000.0)
    decimals = 3 if least < 1 else 2 if least < 10 else 1 if least < 100 else 0
    return ["-" if value is None else f"{value * 1e3:,.{decimals}f}" for value in values_s]


def show_harmless(text: str) -> str:
    """One line of text from anywhere, without secrets and without what a terminal would obey."""
    return show_plain(redactor().text(" ".join(text.split())))


def show_url(url: str) -> str:
    """A URL without the secrets in it and without what a terminal would obey."""
    return show_plain(redactor().url(url))


def cells_of(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> cells_of("ab"), cells_of("阀门")
    (2, 4)
    """
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def shorten(text: str, limit: int) -> str:
    """Return a text that takes so many columns at most.

    >>> shorten("a long name", 6)
    'a lon…'
    """
    if cells_of(text) <= limit:
        return text
    while text and cells_of(text) >= limit:
        text = text[:-1]
    return f"{text}…"


def can_show(stream: TextIO, text: str) -> bool:
    """Tell whether a stream's encoding has all of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def fit(text: str, stream: TextIO) -> str:
    """Return a text as a stream can take it, whatever its encoding."""
    if can_show(stream, text):
        return text
    encoding = stream.encoding
    return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)


def _three(value: float) -> str:
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
