"""Reading a type: from an annotation to its tree of nodes.

A class is read once in each tree and then pointed at, so types may contain themselves. What cannot be read is
Unsupported, with the field and class it stands in.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal

from penstock.app.schema.annotations import (
    NoSuchType,
    Unsupported,
    is_alias,
    is_union,
    name_of,
    secret_of,
    split,
)
from penstock.app.schema.constraints import Constrained, constraints_in, make_constraints
from penstock.app.schema.containers import Fixed, Keyed, Many
from penstock.app.schema.foreign import Foreign, foreign_node
from penstock.app.schema.generics import bound_variables, put_in
from penstock.app.schema.members import annotated_members, check_marked, read_members
from penstock.app.schema.nodes import Alias, Anything, Choice, Exact, Hidden, Node, Parsed, Real
from penstock.app.schema.objects import Object
from penstock.app.schema.partial import Partial
from penstock.app.schema.spelled import SPELLED
from penstock.app.schema.unions import Union, refuse_endless
from penstock.http.secret import Secret

if TYPE_CHECKING:
    from penstock.app.schema.markers import Unknown

_EXACT = {
    str: ("text", "str"),
    int: ("an integer", "int"),
    bool: ("a boolean", "bool"),
    NoneType: ("null", "null"),
}
_MANY: dict[object, type] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
_KEYED = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def read_type(annotation: object, unknown: Unknown = "ignore") -> Node:
    """Return the tree of an annotation; `unknown` is for models that do not say it themselves."""
    reader = Reader(unknown)
    try:
        root = reader.read(annotation)
        for union in reader.unions:
            union.settle()
    except RecursionError:
        raise Unsupported(
            f"{name_of(annotation)} contains itself without a class between; make it a dataclass"
        ) from None
    refuse_endless(root)
    return root


def is_model(annotation: object) -> bool:
    """Tell whether a type is an object with members by its nature: it can only come from a body."""
    kind = typing.get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return False
    return (
        dataclasses.is_dataclass(kind)
        or is_typed_dict(kind)
        or is_named_tuple(kind)
        or kind is Partial
        or hasattr(kind, "__pydantic_validator__")
        or hasattr(kind, "__struct_config__")
    )


def holds_model(annotation: object) -> bool:
    """Tell whether an annotation is a model or made of one, as `list[Item] | None` is."""
    waiting, seen = [annotation], []
    while waiting:
        one = waiting.pop()
        kind = split(one)[0]
        if is_model(kind):
            return True
        if typing.get_origin(kind) is not Literal and one not in seen:
            seen.append(one)
            waiting += typing.get_args(kind)
    return False


def is_typed_dict(kind: type) -> bool:
    """Tell whether a class is a TypedDict, of typing or of typing_extensions."""
    return issubclass(kind, dict) and hasattr(kind, "__total__") and hasattr(kind, "__required_keys__")


def is_named_tuple(kind: type) -> bool:
    """Tell whether a class is a NamedTuple."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


class Reader:
    """Reads one annotation and all it is made of."""

    def __init__(self, unknown: Unknown) -> None:
        self.unions: list[Union] = []
        self._unknown = unknown
        self._classes: dict[object, Node] = {}

    def read(self, annotation: object) -> Node:
        if is_alias(annotation):
            return self._alias(annotation)
        kind, metadata = split(annotation)
        bounds = constraints_in(metadata)
        if not bounds:
            return self._read(kind)
        if is_union(kind):  # each member but null has to satisfy them
            rest = tuple(one for one in metadata if constraints_in([one]))
            members = [
                one if one is NoneType else typing.Annotated[(one, *rest)] for one in typing.get_args(kind)
            ]
            return self._union(members)
        if (typing.get_origin(kind) or kind) is Secret:
            rest = tuple(one for one in metadata if constraints_in([one]))
            return Hidden(self.read(typing.Annotated[(secret_of(kind), *rest)]))
        node = self._read(kind)
        if isinstance(node, (Object, Foreign)):
            raise Unsupported(f"{next(iter(bounds))}= does not fit {name_of(kind)}")
        return Constrained(node, make_constraints(bounds, node.name))

    def _alias(self, alias: Any) -> Node:
        if alias in self._classes:
            found = self._classes[alias]
            if isinstance(found, Alias):
                found.contains_itself = True
            return found
        node = self._classes[alias] = Alias()
        node.annotation = alias
        node.inner = self.read(alias.__value__)
        if not node.contains_itself:
            self._classes[alias] = node.inner
        return self._classes[alias]

    def _read(self, kind: Any) -> Node:
        if kind is None:
            kind = NoneType
        if kind in (Any, object) or isinstance(kind, typing.TypeVar):
            return Anything()
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if (origin or kind) is Secret:
            return Hidden(self.read(secret_of(kind)))
        if origin is None and isinstance(kind, type):
            if kind in _EXACT:
                return Exact(kind, *_EXACT[kind])
            if kind is float:
                return Real()
            if kind in SPELLED:
                return Parsed(*SPELLED[kind])
            if issubclass(kind, Enum):
                return choice([(member.value, member) for member in kind], "enum")
        if is_union(kind):
            return self._union(arguments)
        if origin is Literal:
            return choice(
                [(one.value if isinstance(one, Enum) else one, one) for one in arguments], "literal"
            )
        return self._container(kind, origin or kind, arguments) or self._class(kind, origin or kind)

    def _union(self, members: typing.Iterable[object]) -> Union:
        nodes: list[Node] = []
        for member in members:
            node = self.read(member)
            nodes += node.members if isinstance(node, Union) else [node]
        union = Union(nodes)
        self.unions.append(union)
        return union

    def _container(self, kind: object, origin: Any, arguments: tuple[Any, ...]) -> Node | None:
        if origin in _MANY:
            item = split(arguments[0])[0] if arguments else Any
            if _MANY[origin] in (set, frozenset) and (typing.get_origin(item) or item).__hash__ is None:
                raise Unsupported(f"{name_of(item)} cannot be in a set, since it cannot be hashed")
            return Many(self.read(arguments[0] if arguments else Any), _MANY[origin])
        if origin is tuple:
            if not arguments and kind is tuple:
                return Many(Anything(), tuple)
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return Many(self.read(arguments[0]), tuple)
            return Fixed([self.read(one) for one in arguments if one != ()])
        if origin in _KEYED:
            key, item = arguments or (str, Any)
            return self._keyed(key, item)
        return None

    def _keyed(self, key: object, item: object) -> Keyed:
        node = self.read(item)
        if key in (str, Any, object):
            return Keyed(node, None, None)
        from penstock.app.binding.notations import TEXT  # here: notations import what this package defines

        conversion = TEXT.conversion(key)
        if conversion.item is not None or conversion.is_optional:
            raise Unsupported(f"{name_of(key)} is no type of names in an object")
        keyed = Keyed(node, conversion.convert, conversion.messages)
        keyed.key_annotation = key
        return keyed

    def _class(self, kind: Any, origin: Any) -> Node:
        if not isinstance(origin, type):
            raise NoSuchType(f"{name_of(kind)} is no type JSON can be converted to")
        if kind in self._classes:
            return self._classes[kind]
        node = foreign_node(kind)
        if node is not None:
            self._classes[kind] = node
            return node
        if origin is Partial:
            return self._partial(kind)
        if dataclasses.is_dataclass(origin) or is_typed_dict(origin):
            return self._object(kind, origin, kind)
        if is_named_tuple(origin):
            return self._named_tuple(kind, origin)
        raise NoSuchType(f"{name_of(kind)} is no type JSON can be converted to")

    def _object(self, kind: Any, origin: type, key: object, *, is_partial: bool = False) -> Object:
        unknown = _unknown_of(origin) or self._unknown
        node = self._classes[key] = Object(name_of(kind), unknown)
        node.annotation = key
        read_members(node, kind, origin, self.read, is_partial=is_partial)
        return node

    def _partial(self, kind: Any) -> Object:
        inner = split(typing.get_args(kind)[0])[0] if typing.get_args(kind) else None
        origin = typing.get_origin(inner) or inner
        if not isinstance(origin, type) or not (dataclasses.is_dataclass(origin) or is_typed_dict(origin)):
            raise Unsupported(f"Partial is of a dataclass or TypedDict: Partial[Item], not {name_of(kind)}")
        return self._object(inner, origin, kind, is_partial=True)

    def _named_tuple(self, kind: Any, origin: Any) -> Fixed:
        node = self._classes[kind] = Fixed([], origin)
        node.annotation = kind
        hints, variables = annotated_members(origin), bound_variables(kind)
        node.items = [
            self._field(
                origin,
                name,
                put_in(hints.get(name, Any), variables),
                origin._field_defaults.get(name),
            )
            for name in origin._fields
        ]
        node.least = len(node.items) - len(origin._field_defaults)
        return node

    def _field(self, owner: type, name: str, annotation: object, default: object) -> Node:
        try:
            check_marked(default, split(annotation)[1])
            return self.read(annotation)
        except Unsupported as error:
            raise type(error)(f"field {name!r} of {owner.__qualname__}: {error}") from None


def _unknown_of(origin: type) -> Unknown | None:
    said = getattr(origin, "__unknown_fields__", None)
    if said is None and getattr(origin, "__closed__", None) is True:  # PEP 728
        return "forbid"
    if said not in (None, "ignore", "forbid", "keep"):
        raise Unsupported(
            f"{origin.__qualname__}.__unknown_fields__ is {said!r}; expected 'ignore', 'forbid' or 'keep'"
        )
    return typing.cast("Unknown | None", said)


def choice(choices: list[tuple[object, object]], name: str) -> Choice:
    """Return the node of an Enum or a Literal, from each value in JSON to what it becomes."""
    table: dict[tuple[type, object], object] = {}
    for value, made in choices:
        kind = next((one for one in (bool, int, str, NoneType) if isinstance(value, one)), None)
        if kind is None:
            raise Unsupported(f"{value!r} in an {name} is neither text nor an integer nor a bool")
        table.setdefault((kind, value), made)
    shown = (_shown(value) for _, value in table)
    return Choice(table, f"one of {', '.join(shown)}", name)


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
