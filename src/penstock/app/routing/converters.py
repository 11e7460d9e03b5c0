"""Path converters: what a `{name:int}` segment looks like, the value it becomes, and how one is written.

A converter sees one whole segment, already percent-decoded and never empty. A segment it refuses does not
match, so the search goes on and may end in 404; conversion by the handler's annotation happens later and
answers 422. `str` takes any segment, `path` takes all the segments that are left; both are known to the tree
itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from penstock.app.binding.text import parse_float, parse_int, parse_uuid
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Converter:
    """A kind of path parameter: `pattern` (or a predicate) says which segments match, `to_python` makes the
    value.

    `to_python` may raise ValueError, which also means no match. `to_url` is its inverse and returns text, not
    yet encoded.
    `python_type`, when given, is checked against the annotation of the handler's parameter at start-up.

    >>> Converter("[a-f]+", to_python=lambda text: int(text, 16), to_url=hex).match("ff")
    255
    """

    __slots__ = ("_accepts", "_to_python", "_to_url", "pattern", "python_type")

    def __init__(
        self,
        pattern: str | Callable[[str], object],
        to_python: Callable[[str], object] = str,
        to_url: Callable[..., str] = str,
        *,
        python_type: type | None = None,
    ) -> None:
        self._accepts = re.compile(pattern).fullmatch if isinstance(pattern, str) else pattern
        self.pattern = pattern if isinstance(pattern, str) else None
        """What segments match, as far as an expression says it."""
        self._to_python = to_python
        self._to_url = to_url
        self.python_type = python_type

    def match(self, segment: str) -> object:
        """Return the value of a segment; ValueError when it does not match."""
        if not self._accepts(segment):
            raise ValueError(segment)
        return self._to_python(segment)

    def to_url(self, value: object) -> str:
        """Return the segment for a value; ValueError when the result would not match again."""
        text = self._to_url(value)
        self.match(text)
        return text


class _Parsed(Converter):
    """A built-in whose parser is the predicate too."""

    __slots__ = ()

    def __init__(self, parse: Callable[[str], object], python_type: type) -> None:
        super().__init__("", parse, python_type=python_type)

    def match(self, segment: str) -> object:
        return self._to_python(segment)


STR: Final = Converter(bool, python_type=str)
PATH: Final = Converter(bool, python_type=str)

# Order is rank: what matches fewer segments is tried first, `str` after every other and `path` last.
BUILT_IN: Final[Mapping[str, Converter]] = {
    "int": _Parsed(parse_int, int),
    "uuid": _Parsed(parse_uuid, UUID),
    "float": _Parsed(parse_float, float),
    "str": STR,
    "path": PATH,
}


def check_converter(name: str, converter: object) -> Converter:
    """Accept a converter to be registered; ApplicationError when name or object will not do."""
    if not isinstance(converter, Converter):
        raise ApplicationError(
            f"converter {name!r}: expected a penstock Converter, got {type(converter).__name__}"
        )
    if not name.isidentifier():
        raise ApplicationError(f"converter {name!r}: the name must be an identifier, as in {{value:slug}}")
    if name in BUILT_IN:
        raise ApplicationError(f"converter {name!r} is built in; register yours under another name")
    return converter
