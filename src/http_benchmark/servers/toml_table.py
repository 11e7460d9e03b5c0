"""A table of a TOML file from which each value is taken once and checked; UsageError names file, key and what
is allowed.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NoReturn

from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class TomlTable:
    """A table, by the name that leads to it; "" is the whole file."""

    def __init__(self, file: str, name: str, content: dict[str, Any]) -> None:
        self.file = file
        self.name = name
        self._content = dict(content)

    def wrong(self, key: str, what: str) -> NoReturn:
        """Say what is wrong with a value."""
        where = ".".join(part for part in (self.name, key) if part)
        raise UsageError(f"{self.file}: {where} {what}")

    def has(self, key: str) -> bool:
        """Tell whether it was given and not yet taken."""
        return key in self._content

    def take(self, key: str) -> Any:
        """Return any value that was given."""
        return self._content.pop(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; without a default there must be one."""
        if key not in self._content and default is not None:
            return default
        value = self._needed(key, "a text")
        if not isinstance(value, str):
            self.wrong(key, f"is {value!r}, but must be a text")
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of texts; without a default there must be one, and not an empty one."""
        if key not in self._content and default is not None:
            return default
        value = self._needed(key, "a list of texts")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, f"is {value!r}, but must be a list of texts")
        if not value and default is None:
            self.wrong(key, "is empty")
        return tuple(value)

    def whole(self, key: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number."""
        value = self._content.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.wrong(key, f"is {value!r}, but must be a whole number from {least} to {most}")
        return value

    def seconds(self, key: str, default: float) -> float:
        """Return a time above 0."""
        value = self._content.pop(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
            self.wrong(key, f"is {value!r}, but must be a number of seconds above 0")
        return float(value)

    def table_of_texts(self, key: str) -> dict[str, str]:
        """Return a table of texts; empty when there is none."""
        value = self._content.pop(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            self.wrong(key, "must be a table of texts")
        return value

    def tables(self, key: str) -> Iterator[TomlTable]:
        """Yield the tables in one, such as each [server.NAME]."""
        value = self._content.pop(key, {})
        if not isinstance(value, dict):
            self.wrong(key, f"is {value!r}, but must be tables: [{key}.NAME]")
        for name, content in value.items():
            if not isinstance(content, dict):
                self.wrong(f"{key}.{name}", f"is {content!r}, but must be a table: [{key}.{name}]")
            yield TomlTable(self.file, f"{key}.{name}", content)

    def done(self, allowed: Iterable[str]) -> None:
        """Refuse what nobody took."""
        for key in self._content:
            known = list(allowed)
            close = difflib.get_close_matches(key, known, 1)
            advice = f"did you mean {close[0]}?" if close else f"allowed are {', '.join(known)}"
            self.wrong(key, f"is no key of {self.name or 'the file'}; {advice}")

    def _needed(self, key: str, kind: str) -> Any:
        if key not in self._content:
            self.wrong(key, f"is missing: {kind}")
        return self._content.pop(key)
