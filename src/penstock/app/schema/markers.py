"""What stands in `Annotated[...]` beside a type: where a parameter comes from, what its values must satisfy,
how it is described.

`Field` is for the fields of a model and for types anywhere; `Query`, `Path`, `Header`, `Cookie`, `Body`,
`Form` and `File` are for the parameters of a handler, and say the source, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Unknown = Literal["ignore", "forbid", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """Constraints and description of a value.

    >>> from typing import Annotated
    >>> Price = Annotated[float, Field(gt=0, description="in euro")]
    """

    ge: Any = None
    gt: Any = None
    le: Any = None
    lt: Any = None
    multiple_of: Any = None
    min_length: int | None = None
    """Characters of a text, elements of a list, set or tuple, members of a dict, octets of bytes."""
    max_length: int | None = None
    pattern: str | None = None
    """A regular expression that is found somewhere in the text; `^` and `$` anchor it."""
    alias: str | None = None
    """The name on the wire, where it is not the name in Python."""
    title: str | None = None
    description: str | None = None
    examples: tuple[Any, ...] | list[Any] = ()
    deprecated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Path(Field):
    """A parameter from the path of the route; `alias` is its name in the template."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query(Field):
    """A parameter from the query."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header(Field):
    """A parameter from a field of the request's head: `x_token` is `X-Token`, unless `alias` says another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cookie(Field):
    """A parameter from a cookie."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Body(Field):
    """A parameter from the JSON body, whatever its type."""

    embed: bool = False
    """The body is an object, and the parameter its member of this name (or `alias`). Several may share
    a body.
    """
    unknown: Unknown | None = None
    """What becomes of members a model does not name, for the models that do not say it themselves by
    `__unknown_fields__`; None: they are ignored.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Form(Field):
    """A parameter from a field of a form, or a model of several: `Annotated[str, Form()]`."""

    unknown: Unknown | None = None
    """What becomes of fields a model does not name, as in `Body`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class File(Field):
    """A parameter from a file of a form: an `UploadFile`, or its content as `bytes` or `str`; or a list."""
