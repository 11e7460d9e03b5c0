"""Arguments that come from the path, the query, fields and cookies, as Parameter Objects; and the walk
through dependencies, whose arguments are the operation's, too.
"""

from __future__ import annotations

import typing
from datetime import date, datetime, time
from types import NoneType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from penstock.app.binding.signature import REQUIRED
from penstock.app.openapi.keywords import described, with_default
from penstock.app.openapi.patterns import to_ecma
from penstock.app.routing.converters import PATH, STR
from penstock.app.schema.annotations import is_union, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.app.binding.signature import Argument, Signature
    from penstock.app.openapi.components import Schema
    from penstock.app.openapi.schemas import Schemas
    from penstock.app.routing.template import Parameter, Template

_PLACES = ("path", "query", "header", "cookie")
_NOT_DESCRIBED = frozenset(
    {"accept", "content-type", "authorization"}
)  # OpenAPI 3.1.1 §4.8.12.1: ignored there
_BY_TYPE: dict[type | None, Schema] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
}


def every_argument(signature: Signature) -> Iterator[Argument]:
    """Yield the arguments and those of the dependencies among them, outermost first, then those of what the
    handler does not name itself.
    """
    for argument in signature.arguments:
        yield argument
        if argument.dependency is not None:
            yield from every_argument(argument.dependency.signature)
    for node in signature.dependencies:
        yield from every_argument(node.signature)


def parameters_of(arguments: Iterable[Argument], template: Template, schemas: Schemas) -> list[Schema]:
    """Return the parameters of an operation, those of the path in its order and first, then as written; one
    that several functions take is described once, by the outermost.
    """
    taken = [one for one in arguments if one.source in _PLACES]
    found: dict[tuple[str, str], Schema] = {}
    for part in template.parameters:
        by_name = next((one for one in taken if one.source == "path" and one.key == part.name), None)
        found["path", part.name] = _path_parameter(part, by_name, schemas)
    for argument in taken:
        is_header = argument.source == "header"
        key = (argument.source, argument.key.lower() if is_header else argument.key)
        if argument.source == "path" or key in found or (is_header and key[1] in _NOT_DESCRIBED):
            continue
        found[key] = _parameter(argument, schemas)
    return list(found.values())


def _parameter(argument: Argument, schemas: Schemas) -> Schema:
    name = (
        "-".join(word.capitalize() for word in argument.key.split("-"))
        if argument.source == "header"
        else argument.key
    )
    parameter: Schema = {"name": name, "in": argument.source}
    if argument.default is REQUIRED:
        parameter["required"] = True
    schema = _schema(argument, schemas)
    if argument.default != [] or not argument.repeats:
        schema = with_default(schema, argument.default)
    return _finished(parameter, schema, argument)


def _schema(argument: Argument, schemas: Schemas) -> Schema:
    annotation, _ = split(argument.annotation)
    if annotation is REQUIRED:
        return {"type": "string"}
    return dict(schemas.of_annotation(argument.annotation))


def _finished(parameter: Schema, schema: Schema, argument: Argument) -> Schema:
    field = argument.field
    described(schema, None, field)
    for key in ("description", "deprecated"):  # of the parameter, where the pages look
        if key in schema and field is not None:
            parameter[key] = schema.pop(key)
    return {**parameter, "schema": schema}


def _path_parameter(part: Parameter, argument: Argument | None, schemas: Schemas) -> Schema:
    parameter: Schema = {"name": part.name, "in": "path", "required": True}
    by_template = _of_converter(part)
    if argument is None:
        return {**parameter, "schema": by_template}
    schema = by_template
    wanted = _wanted(argument.annotation)
    if part.converter in (STR, PATH) and wanted:
        schema = _schema(argument, schemas)
        if schema.get("type") == "string" and not schema.keys() & {"format", "enum", "const", "minLength"}:
            schema["minLength"] = 1
    elif part.converter.python_type in wanted and part.converter.python_type in _BY_TYPE:
        schema = _schema(argument, schemas)
    return _finished(parameter, schema, argument)


def _wanted(annotation: object) -> list[object]:
    """Return what types an annotation names; none when it takes whatever the template makes."""
    inner, _ = split(annotation)
    members = typing.get_args(inner) if is_union(inner) else (inner,)
    return [split(one)[0] for one in members if one not in (REQUIRED, Any, object, NoneType)]


def _of_converter(part: Parameter) -> Schema:
    """Return what the template lets through: a segment is never empty."""
    converter = part.converter
    if converter in (STR, PATH):
        return {"type": "string", "minLength": 1}
    if part.kind in ("int", "float", "uuid"):
        return dict(_BY_TYPE[converter.python_type])
    pattern = converter.pattern
    ecma = to_ecma(pattern) if pattern is not None else None
    return (
        {"type": "string", "pattern": f"^(?:{ecma})$"}
        if ecma is not None
        else {"type": "string", "minLength": 1}
    )
