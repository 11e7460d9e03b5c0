"""Schemas that msgspec and pydantic make of their own types."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.app.openapi.components import Components, Ref, Schema

_MARK = "penstock-ref:"


def struct_schema(annotation: Any, components: Components) -> Schema:
    """Return the schema of a `msgspec.Struct`; what it names becomes components."""
    import msgspec

    (schema,), named = msgspec.json.schema_components([annotation], ref_template=_MARK + "{name}")
    return _adopted(schema, named, annotation, components)


def pydantic_schema(annotation: Any, components: Components, *, is_output: bool) -> Schema:
    """Return the schema of a pydantic model, as it reads JSON or as it writes it; where the two differ, names
    of the second end in "_output".
    """
    schema, named = _by_pydantic(annotation, "validation")
    if not is_output:
        return _adopted(schema, named, annotation, components)
    sent, named_sent = _by_pydantic(annotation, "serialization")
    differ = {name for name in named_sent if _closure(name, named_sent) != _closure(name, named)}
    return _adopted(sent, named_sent, annotation, components, dict.fromkeys(differ, "_output"))


def _by_pydantic(annotation: Any, mode: Any) -> tuple[Schema, dict[str, Schema]]:
    import pydantic

    schema = pydantic.TypeAdapter(annotation).json_schema(ref_template=_MARK + "{model}", mode=mode)
    named = schema.pop("$defs", {})
    name = annotation.__name__
    if "$ref" not in schema and name not in named:
        named[name] = schema
        schema = {"$ref": _MARK + name}
    return schema, named


def _adopted(
    schema: Schema,
    named: dict[str, Schema],
    annotation: Any,
    components: Components,
    suffixes: Mapping[str, str] = MappingProxyType({}),
) -> Schema:
    """Return a schema with what it refers to as components of ours. Two are one when all they are made of is
    alike: names alone would mix up classes that share one.
    """
    module = getattr(annotation, "__origin__", annotation).__module__

    def adopt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: adopt(one) for key, one in value.items()}
        if isinstance(value, list):
            return [adopt(one) for one in value]
        if isinstance(value, str) and value.startswith(_MARK):
            return ref_to(value.removeprefix(_MARK))
        return value

    def ref_to(name: str) -> Ref:
        suffix = suffixes.get(name, "")
        key = (name, suffix, _closure(name, named))
        ref: Ref = components.ref(key, name, module, lambda: adopt(named[name]), suffix)["$ref"]
        return ref

    adopted: Schema = adopt(schema)
    return adopted


def _closure(name: str, named: Mapping[str, Schema]) -> str:
    """Return all a schema is made of, as one text; "" when there is none of that name."""
    found: dict[str, Schema] = {}
    waiting: list[Any] = [_MARK + name]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and value.startswith(_MARK):
            one = value.removeprefix(_MARK)
            if one not in found and one in named:
                found[one] = named[one]
                waiting.append(named[one])
    return json.dumps(found, sort_keys=True, default=str) if found else ""
