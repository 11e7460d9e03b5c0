"""Type variables of generic models: `Page[Item]` is Page with T replaced."""

from __future__ import annotations

import typing
from typing import Any

from penstock.app.schema.annotations import Unsupported, name_of


def bound_variables(kind: Any) -> dict[Any, Any]:
    """Return what the type variables of a class and of its bases stand for."""
    origin = typing.get_origin(kind) or kind
    parameters = getattr(origin, "__parameters__", ())
    found = dict(zip(parameters, typing.get_args(kind), strict=False))
    if typing.get_origin(kind) is None:
        found = {one: getattr(one, "__bound__", None) or Any for one in parameters}
    for base in vars(origin).get("__orig_bases__", ()):
        base_origin = typing.get_origin(base)
        if base_origin is None or base_origin in (typing.Generic, typing.Protocol):
            continue
        for variable, value in bound_variables(put_in(base, found)).items():
            if found.setdefault(variable, value) != value:
                raise Unsupported(
                    f"{variable} stands for two types in {name_of(kind)}; give the variables different names"
                )
    return found


def put_in(annotation: Any, variables: dict[Any, Any]) -> Any:
    """Return an annotation with its type variables replaced."""
    if isinstance(annotation, typing.TypeVar):
        return variables.get(annotation, Any)
    free = getattr(annotation, "__parameters__", ())
    if not free or isinstance(annotation, type):
        return annotation
    return annotation[tuple(variables.get(one, Any) for one in free)]
