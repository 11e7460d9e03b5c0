"""The members of dataclasses and TypedDicts: names, types, defaults."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from typing import TYPE_CHECKING, Any

from penstock.app.schema.annotations import Unsupported, split
from penstock.app.schema.generics import bound_variables, put_in
from penstock.app.schema.markers import Field
from penstock.app.schema.objects import ABSENT, KEPT, REQUIRED, Member, Object
from penstock.app.schema.partial import Partial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.app.schema.nodes import Node

    Read = Callable[[object], Node]


def annotated_members(origin: type) -> dict[str, Any]:
    """Return the annotations of a class, resolved; Unsupported when one cannot be."""
    try:
        return typing.get_type_hints(origin, include_extras=True)
    except Exception as error:  # whatever evaluating an expression of the user's raises
        raise Unsupported(f"the annotations of {origin.__qualname__} cannot be resolved ({error})") from None


def check_marked(default: object, metadata: tuple[object, ...]) -> None:
    """Unsupported for a marker in a place where its constraints would be passed over."""
    if isinstance(default, Field):
        marker = type(default).__name__
        raise Unsupported(
            f"{marker}(...) is no default; write Annotated[..., {marker}(...)], and the default behind ="
        )
    for one in metadata:
        if isinstance(one, type) and issubclass(one, Field):
            raise Unsupported(f"{one.__name__} marks it when it is called: {one.__name__}()")


def read_members(node: Object, kind: Any, origin: type, read: Read, *, is_partial: bool) -> None:
    """Give an Object its members and what makes it."""
    is_dataclass = dataclasses.is_dataclass(origin)
    found = _of_dataclass(origin) if is_dataclass else _of_typed_dict(origin)
    variables = bound_variables(kind)
    for name, annotation, default, is_factory in found:
        if is_dataclass and node.unknown == "keep" and name == KEPT:
            continue
        annotation = put_in(annotation, variables)  # noqa: PLW2901
        metadata = split(annotation)[1]
        field = next((one for one in reversed(metadata) if isinstance(one, Field)), None)
        try:
            check_marked(default, metadata)
            inner = read(annotation)
        except Unsupported as error:
            raise type(error)(f"field {name!r} of {origin.__qualname__}: {error}") from None
        key = field.alias if field is not None and field.alias is not None else name
        if is_partial:
            default, is_factory = ABSENT, False  # noqa: PLW2901
        node.members.append(Member(name, key, inner, default, is_factory, field))
    if len(node.keys) < len(node.members):
        raise Unsupported(f"two fields of {origin.__qualname__} have the same alias")
    if is_partial:
        names = {one.name for one in node.members}
        if is_dataclass and not names <= {one.name for one in dataclasses.fields(origin)}:
            raise Unsupported(f"{origin.__qualname__} has an InitVar, and no copy of it can be made without")
        node.make, node.takes_mapping = Partial, True
        if node.unknown == "keep":
            node.unknown = "ignore"
    elif is_dataclass:
        _make_dataclass(node, origin)


def _make_dataclass(node: Object, origin: type) -> None:
    node.make = origin
    if node.unknown == "keep" and KEPT not in {
        field.name for field in dataclasses.fields(origin) if field.init
    }:
        raise Unsupported(
            f"{origin.__qualname__} keeps unknown fields and has no field `{KEPT}: dict[str, Any]`"
        )
    try:
        taken = list(inspect.signature(origin).parameters.values())
    except (TypeError, ValueError):
        return
    node.in_order = [one.name for one in taken] == [member.name for member in node.members] and all(
        one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for one in taken
    )


def _of_dataclass(origin: Any) -> Iterator[tuple[str, Any, Any, bool]]:
    hints = annotated_members(origin)
    for field in origin.__dataclass_fields__.values():  # unlike fields(), with those that are InitVar
        annotation = hints.get(field.name, field.type)
        if (
            typing.get_origin(annotation) is typing.ClassVar
            or annotation is typing.ClassVar
            or not field.init
        ):
            continue
        if isinstance(annotation, dataclasses.InitVar):
            annotation = annotation.type
        if field.default is not dataclasses.MISSING:
            yield field.name, annotation, field.default, False
        elif field.default_factory is not dataclasses.MISSING:
            yield field.name, annotation, field.default_factory, True
        else:
            yield field.name, annotation, REQUIRED, False


def _of_typed_dict(origin: Any) -> Iterator[tuple[str, Any, Any, bool]]:
    for name, annotation in annotated_members(origin).items():
        inner, is_required = _unwrapped(annotation, is_required=name in origin.__required_keys__)
        yield name, inner, REQUIRED if is_required else ABSENT, False


def _unwrapped(annotation: Any, *, is_required: bool) -> tuple[Any, bool]:
    """Return what is inside Required, NotRequired and ReadOnly, and whether it is required."""
    metadata: tuple[object, ...] = ()
    while True:
        # With annotations as text the class itself cannot tell; what they resolve to can.
        word = getattr(typing.get_origin(annotation), "_name", None) or ""
        if typing.get_origin(annotation) is typing.Annotated:
            metadata = (*annotation.__metadata__, *metadata)
            annotation = annotation.__origin__
        elif word in ("Required", "NotRequired", "ReadOnly"):
            is_required = is_required if word == "ReadOnly" else word == "Required"
            annotation = typing.get_args(annotation)[0]
        else:
            return (typing.Annotated[(annotation, *metadata)] if metadata else annotation), is_required
