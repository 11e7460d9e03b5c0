"""What a request's time went to, as its handler tells it: entries of `Server-Timing` (W3C Server Timing).

They are kept with the request and bounded. Whether a client is told is the server's decision
(`--server-timing`): durations tell an attacker, too.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

    from penstock.http.request import Request

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")  # a token, RFC 9110 §5.6.2
_ENTRIES = 32
_DESCRIPTION_CHARS = 128
_LONGEST_S = 86_400.0


class Entry(NamedTuple):
    """One step and how long it took."""

    name: str
    seconds: float
    description: str

    def __str__(self) -> str:
        text = f"{self.name};dur={self.seconds * 1e3:.2f}"
        return f'{text};desc="{self.description}"' if self.description else text


class Timed:
    """Times a block, whatever its end."""

    __slots__ = ("_began", "_description", "_name", "_request")

    def __init__(self, request: Request, name: str, description: str) -> None:
        self._request = request
        self._name = name
        self._description = description
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._request.timing(self._name, perf_counter() - self._began, self._description)


def make_entry(name: str, seconds: float, description: str = "") -> Entry:
    r"""Return an entry that can be sent. ValueError for a name that is no token, or for what is no duration.

    >>> str(make_entry("db", 0.0123, 'a "quoted" text'))
    'db;dur=12.30;desc="a \\"quoted\\" text"'
    """
    check_name(name)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"timing({name!r}, {seconds!r}): expected seconds, 0 or more")
    return Entry(name, min(float(seconds), _LONGEST_S), _quotable(description))


def check_name(name: str) -> None:
    """ValueError when it cannot name an entry."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"timing({name!r:.80}): expected a token of at most 64 characters, such as db")


def is_full(entries: list[Entry]) -> bool:
    """Return whether no more entries are kept: a loop in a handler must not make a field of any length."""
    return len(entries) >= _ENTRIES


def _quotable(text: str) -> str:
    """Return the inside of a quoted-string (RFC 9110 §5.6.4); what is no visible ASCII becomes `?`."""
    shown = "".join([char if " " <= char <= "~" else "?" for char in text[:_DESCRIPTION_CHARS]])
    return shown.replace("\\", "\\\\").replace('"', '\\"')
