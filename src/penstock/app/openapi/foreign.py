"""Schemas that msgspec and pydantic make of their own types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.app.openapi.components import Components, Ref, Schema

_MARK = "penstock-ref:"


def struct_schema(annotation: Any, components: Components) -> Schema:
    """Return the schema of a `msgspec.Struct`; what it names becomes components."""
    import msgspec

    (schema,), named = msgspec.json.schema_components([annotation], ref_template=_MARK + "{name}")
    return _adopted(schema, named, annotation, components)


def pydantic_schema(annotation: Any, components: Components, *, is_output: bool) -> Schema:
    """Return the schema of a pydantic model, as it reads JSON or as it writes it."""
    import pydantic

    schema = pydantic.TypeAdapter(annotation).json_schema(
        ref_template=_MARK + "{model}", mode="serialization" if is_output else "validation"
    )
    named = schema.pop("$defs", {})
    name = annotation.__name__
    if "$ref" not in schema and name not in named:
        named[name] = schema
        schema = {"$ref": _MARK + name}
    return _adopted(schema, named, annotation, components)


def _adopted(schema: Schema, named: dict[str, Schema], annotation: Any, components: Components) -> Schema:
    """Return a schema with what it refers to as components of ours. Two are one when all they are made of is
    alike: names alone would mix up classes that share one.
    """
    module = getattr(annotation, "__origin__", annotation).__module__

    def adopt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: adopt(one) for key, one in value.items()}
        if isinstance(value, list):
            return [adopt(one) for one in value]
        return (
            ref_to(value.removeprefix(_MARK)) if isinstance(value, str) and value.startswith(_MARK) else value
        )

    def ref_to(name: str) -> Ref:
        closure = {one: named[one] for one in sorted(_reachable(name, named))}
        key = (name, json.dumps(closure, sort_keys=True, default=str))
        ref: Ref = components.ref(key, name, module, lambda: adopt(named[name]))["$ref"]
        return ref

    adopted: Schema = adopt(schema)
    return adopted


def _reachable(name: str, named: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [_MARK + name]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and value.startswith(_MARK):
            one = value.removeprefix(_MARK)
            if one not in found:
                found.add(one)
                waiting.append(named[one])
    return found
