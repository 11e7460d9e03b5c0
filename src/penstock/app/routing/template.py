"""Path templates: `/users/{user_id:int}/posts` as a list of segments, each literal text or one parameter.

A template is text, not percent-encoded: `/café`, not `/caf%C3%A9`. A parameter is a whole segment; `path`
must be the last. Whatever can never match (dot segments, a query, a repeated name) is an ApplicationError
here.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from penstock.app.routing.converters import BUILT_IN, PATH, Converter
from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_RANK = sys.maxsize  # `str` takes any segment, so it is tried after every other

_PARAMETER = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")


class Parameter(NamedTuple):
    """A segment that varies."""

    name: str
    kind: str
    converter: Converter
    rank: int
    """Lower is tried first among the parameters of one level."""


class Template(NamedTuple):
    """A parsed template. The first segment follows the leading slash, so `/` has one, empty segment."""

    text: str
    segments: tuple[str | Parameter, ...]

    @property
    def parameters(self) -> list[Parameter]:
        return [segment for segment in self.segments if isinstance(segment, Parameter)]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)


def parse_template(text: str, converters: Mapping[str, Converter]) -> Template:
    """Parse a template with the application's own converters beside the built-in ones.

    >>> parse_template("/users/{user_id:int}", {}).names
    ('user_id',)
    """
    if not text.startswith("/"):
        raise ApplicationError(f"path {text!r} must begin with '/'")
    for sign, advice in (
        ("%", "write it as text"),
        ("?", "queries are parameters"),
        ("#", "fragments are never sent"),
        ("<", "a parameter is written {name} or {name:int}"),
    ):
        if sign in text:
            raise ApplicationError(f"path {text!r} contains {sign!r}: {advice}")
    segments = tuple(_parse_segment(text, segment, converters) for segment in text[1:].split("/"))
    template = Template(text, segments)
    _check(template)
    return template


def _parse_segment(text: str, segment: str, converters: Mapping[str, Converter]) -> str | Parameter:
    if segment in (".", ".."):
        raise ApplicationError(f"path {text!r} has a dot segment; those are resolved before matching")
    if "{" not in segment and "}" not in segment:
        return segment
    match = _PARAMETER.fullmatch(segment)
    if match is None:
        raise ApplicationError(
            f"path {text!r}: {segment!r} must be text or one whole parameter such as {{name:int}}"
        )
    name, kind = match[1], match[2] if match[2] is not None else "str"
    if not name.isidentifier():
        raise ApplicationError(f"path {text!r}: {name!r} is not a parameter name")
    known = {**BUILT_IN, **converters}
    if kind not in known:
        raise ApplicationError(f"path {text!r}: no converter {kind!r}; there are {', '.join(known)}")
    rank = LAST_RANK if kind == "str" else list(known).index(kind)
    return Parameter(name, kind, known[kind], rank)


def _check(template: Template) -> None:
    names = template.names
    for name in names:
        if names.count(name) > 1:
            raise ApplicationError(f"path {template.text!r} names the parameter {name!r} twice")
    for segment in template.segments[:-1]:
        if isinstance(segment, Parameter) and segment.converter is PATH:
            raise ApplicationError(
                f"path {template.text!r}: {{{segment.name}:path}} takes the rest, so it must be last"
            )
