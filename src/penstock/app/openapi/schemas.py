"""Types to JSON Schema 2020-12: one function for each kind of node in `app/schema`.

Classes become components, so what contains itself does so by reference. `text` describes the values of
parameters, which have no null and where a Decimal is a number.
"""

from __future__ import annotations

import inspect
import typing
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Any

from penstock.app.openapi.foreign import pydantic_schema, struct_schema
from penstock.app.openapi.keywords import NOT_PLAIN, described, keywords, plain_value
from penstock.app.schema.annotations import Unsupported, split
from penstock.app.schema.constraints import Constrained
from penstock.app.schema.containers import Fixed, Keyed, Many
from penstock.app.schema.foreign import Pydantic, Struct
from penstock.app.schema.nodes import Alias, Anything, Choice, Exact, Hidden, Node, Parsed, Real
from penstock.app.schema.objects import ABSENT, REQUIRED, Member, Object
from penstock.app.schema.partial import Partial
from penstock.app.schema.reading import read_type
from penstock.app.schema.report import INVALID, Enough, Report
from penstock.app.schema.unions import Tagged, Union

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.openapi.components import Components, Schema

_EXACT = {"str": "string", "int": "integer", "bool": "boolean", "null": "null"}
_SECONDS = "[0-9]{1,12}([.,][0-9]{1,9})?S"
_MINUTES = f"([0-9]{{1,9}}M({_SECONDS})?|{_SECONDS})"
_CLOCK = f"T([0-9]{{1,9}}H{_MINUTES}?|{_MINUTES})"
# Of the durations of RFC 3339 those without years and months, and with fractions and a sign.
_DURATION = f"^-?P([0-9]{{1,8}}W|[0-9]{{1,9}}D({_CLOCK})?|{_CLOCK})$"
_PARSED: dict[str, Schema] = {
    "uuid": {"type": "string", "format": "uuid"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "timedelta": {"type": "string", "format": "duration", "pattern": _DURATION},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "decimal": {
        "type": ["number", "string"],
        "format": "decimal",
        "pattern": r"^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$",
        "maxLength": 64,
    },
}
_TYPES = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}
_FACTORIES = (list, dict, set, frozenset, tuple)


class Schemas:
    """Makes schemas whose names go into `components`. `is_output`: of what the application sends."""

    def __init__(self, components: Components, *, is_text: bool = False, is_output: bool = False) -> None:
        self.components = components
        self._is_text = is_text
        self._is_output = is_output

    def of_annotation(self, annotation: object) -> Schema:
        """Return the schema of a type; `{}`, which takes anything, for one nothing is known of."""
        try:
            return self.of(read_type(annotation))
        except Unsupported:
            return {}

    def of(self, node: Node) -> Schema:
        """Return the schema of what a node accepts, or a reference to it."""
        make: Callable[[Any, Any], Schema] = _MAKERS[type(node)]
        return make(self, node)

    # -- leaves

    def _anything(self, _node: Anything) -> Schema:
        return {"type": "string"} if self._is_text else {}

    def _exact(self, node: Exact) -> Schema:
        return {"type": _EXACT[node.name]}

    def _real(self, _node: Real) -> Schema:
        return {"type": "number"}

    def _parsed(self, node: Parsed) -> Schema:
        if self._is_text and node.name == "decimal":
            return {"type": "number"}
        return dict(_PARSED[node.name])

    def _hidden(self, node: Hidden) -> Schema:
        schema = self.of(node.inner)
        if "$ref" in schema:
            return {"allOf": [schema], "writeOnly": True}
        if schema.get("type") == "string" and "format" not in schema:
            schema = {**schema, "format": "password"}
        return {**schema, "writeOnly": True}

    def _choice(self, node: Choice) -> Schema:
        members = list(node.choices.items())
        if self._is_text:
            members = [one for one in members if one[0][1] is not None]
        kind = type(members[0][1])
        if node.name == "enum" and issubclass(kind, Enum) and len(members) == len(node.choices):

            def make() -> Schema:
                return described({"title": kind.__name__, **_choices(members)}, _doc(kind))

            return self.components.ref(kind, _local(kind), kind.__module__, make)
        return _choices(members)

    def _constrained(self, node: Constrained) -> Schema:
        schema = self.of(node.inner)
        rules = keywords(node.constraints, node.inner.name)
        if not rules:
            return schema
        if "$ref" in schema or schema.keys() & rules.keys():
            return {"allOf": [schema, rules]}
        return {**schema, **rules}

    # -- containers

    def _many(self, node: Many) -> Schema:
        items = self.of(node.item)
        return {"type": "array", "items": items} if items else {"type": "array"}

    def _fixed(self, node: Fixed) -> Schema:
        def make() -> Schema:
            schema: Schema = {"type": "array"}
            if node.items:
                schema["prefixItems"] = [self.of(item) for item in node.items]
            return {**schema, "minItems": node.least, "maxItems": len(node.items)}

        kind = node.annotation
        if kind is None:
            return make()
        origin = typing.get_origin(kind) or kind

        def make_named() -> Schema:
            return described({"title": _title(kind), **make()}, _doc(origin))

        return self.components.ref((kind, "tuple"), _title(kind), origin.__module__, make_named)

    def _keyed(self, node: Keyed) -> Schema:
        schema: Schema = {"type": "object"}
        items = self.of(node.item)
        if items:
            schema["additionalProperties"] = items
        names = self._names(node.key_annotation)
        return {**schema, "propertyNames": names} if names else schema

    def _names(self, annotation: object) -> Schema:
        """Return what the names of an object's members must satisfy: they are texts, whatever they stand
        for.
        """
        node = read_type(annotation)
        inner = node.inner if isinstance(node, Constrained) else node
        if isinstance(inner, Choice):
            shown = [str(value).lower() if kind is bool else str(value) for kind, value in inner.choices]
            return {"enum": shown}
        if inner.name == "int":
            return {"pattern": "^-?[0-9]{1,40}$"}
        schema = self.of(node)
        return {key: one for key, one in schema.items() if key != "type"} if _is_text(schema) else {}

    # -- classes

    def _object(self, node: Object) -> Schema:
        kind = node.annotation
        is_partial = typing.get_origin(kind) is Partial
        inner = split(typing.get_args(kind)[0])[0] if is_partial else kind
        origin = typing.get_origin(inner) or inner
        name = _title(inner)
        suffix = f"_{node.unknown}" * (node.unknown != "ignore" and _says_nothing(origin))
        key = (kind, node.unknown)
        title = f"{name}Part" if is_partial else name
        return self.components.ref(
            key, title, origin.__module__, lambda: self.members(node, title, _doc(origin)), suffix
        )

    def members(self, node: Object, title: str | None = None, description: str | None = None) -> Schema:
        """Return the schema of an object itself, not a reference to it."""
        schema = described({"title": title} if title is not None else {}, description)
        schema["type"] = "object"
        if node.members:
            schema["properties"] = {member.key: self._member(member) for member in node.members}
        required = [member.key for member in node.members if member.default is REQUIRED]
        if required:
            schema["required"] = required
        if node.unknown == "forbid":
            schema["additionalProperties"] = False
        return schema

    def _member(self, member: Member) -> Schema:
        schema = dict(self.of(member.node))
        default = member.default
        if member.is_factory:  # of other functions another comes each time
            default = default() if default in _FACTORIES else REQUIRED
        if default is not REQUIRED and default is not ABSENT:
            value = plain_value(default)
            if value is not NOT_PLAIN and fits(member.node, value):
                schema["default"] = value
        return described(schema, None, member.field)

    def _alias(self, node: Alias) -> Schema:
        if not node.contains_itself:
            return self.of(node.inner)
        alias = node.annotation
        return self.components.ref(alias, alias.__name__, alias.__module__, lambda: self.of(node.inner))

    def _foreign(self, node: Struct | Pydantic) -> Schema:
        if isinstance(node, Struct):
            return struct_schema(node.annotation, self.components)
        return pydantic_schema(node.annotation, self.components, is_output=self._is_output)

    # -- unions

    def _union(self, node: Union) -> Schema:
        members = [one for one in node.members if not (self._is_text and one.kinds == {NoneType})]
        schemas = [self.of(one) for one in sorted(members, key=lambda one: one.kinds == {NoneType})]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _tagged(self, node: Tagged) -> Schema:
        objects = list(dict.fromkeys(node.objects.values()))
        refs = {one: self.of(one) for one in objects}
        schema: Schema = {"oneOf": list(refs.values()), "required": [node.key]}
        if all(isinstance(tag, str) for tag in node.objects):
            mapping = {tag: refs[one]["$ref"] for tag, one in node.objects.items()}
            schema["discriminator"] = {"propertyName": node.key, "mapping": mapping}
        return schema


_MAKERS: dict[type[Node], Callable[[Any, Any], Schema]] = {
    Anything: Schemas._anything,  # noqa: SLF001
    Exact: Schemas._exact,  # noqa: SLF001
    Real: Schemas._real,  # noqa: SLF001
    Parsed: Schemas._parsed,  # noqa: SLF001
    Hidden: Schemas._hidden,  # noqa: SLF001
    Choice: Schemas._choice,  # noqa: SLF001
    Constrained: Schemas._constrained,  # noqa: SLF001
    Many: Schemas._many,  # noqa: SLF001
    Fixed: Schemas._fixed,  # noqa: SLF001
    Keyed: Schemas._keyed,  # noqa: SLF001
    Object: Schemas._object,  # noqa: SLF001
    Alias: Schemas._alias,  # noqa: SLF001
    Struct: Schemas._foreign,  # noqa: SLF001
    Pydantic: Schemas._foreign,  # noqa: SLF001
    Union: Schemas._union,  # noqa: SLF001
    Tagged: Schemas._tagged,  # noqa: SLF001
}


def fits(node: Node, value: Any) -> bool:
    """Tell whether a node takes a value of JSON; a default may be none, `x: int = None`."""
    try:
        return node.walk(value, (), Report()) is not INVALID
    except Enough:
        return False


def _choices(members: list[tuple[tuple[type, object], object]]) -> Schema:
    kinds = {_TYPES[kind] for (kind, _), _ in members}
    values = [value.value if isinstance(value, Enum) else value for (_, value), _ in members]
    schema: Schema = {"type": kinds.pop()} if len(kinds) == 1 else {}
    return {**schema, "const": values[0]} if len(values) == 1 else {**schema, "enum": values}


def _is_text(schema: Schema) -> bool:
    return schema.get("type") == "string"


def _says_nothing(origin: Any) -> bool:
    """Tell whether a class leaves it to the body what becomes of members it does not name."""
    return getattr(origin, "__unknown_fields__", None) is None and not getattr(origin, "__closed__", False)


def _local(kind: type) -> str:
    return kind.__qualname__.rpartition("<locals>.")[2]


def _title(kind: Any) -> str:
    """Return the name of a class, with those it was made with: `Page_Order` for `Page[Order]`.

    >>> _title(dict[str, list[int]])
    'dict_str_list_int'
    """
    arguments = [split(one)[0] for one in typing.get_args(kind)]
    origin = typing.get_origin(kind) or kind
    name = _local(origin) if isinstance(origin, type) else str(origin)
    return "_".join([name, *map(_title, arguments)])


def _doc(kind: Any) -> str | None:
    """Return what the author says about a class; not what `dataclass` or Enum say themselves."""
    text = vars(kind).get("__doc__")
    if not text or text.startswith(f"{kind.__name__}(") or (issubclass(kind, Enum) and text == Enum.__doc__):
        return None
    return inspect.cleandoc(text)
