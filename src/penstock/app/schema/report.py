"""Faults: where, what was expected, and the kind, in the order they were found, up to a hundred.

A fault never repeats the value that was refused: it may be a secret, and it may be a megabyte.
"""

from __future__ import annotations

from typing import Final

Fault = dict[str, object]
Loc = tuple[str | int, ...]

MAX_FAULTS: Final = 100
_MAX_NAME = 60
_MAX_MESSAGE = 500


class Refused(ValueError):
    """A value does not fit; which one and why is found by walking it."""


class Enough(Exception):
    """As many faults are found as are told."""


class Report:
    """Collects the faults of one value."""

    __slots__ = ("faults",)

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, loc: Loc, message: str, kind: str) -> object:
        """Note a fault; return INVALID. Enough when there is no room for another."""
        self.faults.append({"loc": list(loc), "msg": message[:_MAX_MESSAGE], "type": kind})
        if len(self.faults) >= MAX_FAULTS:
            raise Enough
        return INVALID


class _Invalid:
    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()
"""What walking a value that does not fit returns."""


def clipped(name: str) -> str:
    """Return a name the client chose, short enough to be told."""
    return name if len(name) <= _MAX_NAME else name[:_MAX_NAME] + "..."
