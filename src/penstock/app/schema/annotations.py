"""Looking at annotations: what is wrapped round a type, what it is called, and the refusal of one."""

from __future__ import annotations

import types
import typing
from typing import Any


class Unsupported(TypeError):
    """An annotation says nothing this package can make; the message is the reason."""


class NoSuchType(Unsupported):
    """The type itself is none of those that can be made, and another has to be taken."""


def peel(annotation: object) -> object:
    """Return the type inside Annotated, NewType and `type` aliases."""
    return split(annotation)[0]


def split(annotation: object) -> tuple[Any, tuple[object, ...]]:
    """Return the type inside Annotated, NewType and `type` aliases, and all that was annotated, innermost
    first.

    >>> split(typing.Annotated[int, "the id"])
    (<class 'int'>, ('the id',))
    """
    if type(annotation) is type:  # PERF: most are a plain class
        return annotation, ()
    metadata: tuple[object, ...] = ()
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            metadata = (*annotation.__metadata__, *metadata)  # type: ignore[attr-defined]
            annotation = annotation.__origin__  # type: ignore[attr-defined]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif is_alias(annotation):
            annotation = annotation.__value__  # type: ignore[attr-defined]
        else:
            return annotation, metadata


def is_alias(annotation: object) -> bool:
    """Tell whether an annotation was named by a `type` statement (3.12); such a type may contain itself."""
    return type(annotation).__name__ == "TypeAliasType"


def is_union(annotation: object) -> bool:
    """Tell whether an annotation is `A | B`, `Union` or `Optional`."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def secret_of(annotation: object) -> Any:
    """Return the type of the value in a `Secret`: that of `Secret` alone is text."""
    return (typing.get_args(annotation) or (str,))[0]


def name_of(annotation: object) -> str:
    """Return an annotation as one would write it.

    >>> name_of(int), name_of(list[int])
    ('int', 'list[int]')
    """
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return str(annotation)
