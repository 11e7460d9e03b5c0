"""The content of a request: one JSON body, a form, or octets as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.binding.signature import REQUIRED
from penstock.app.openapi.forms import form_body
from penstock.app.openapi.keywords import described, with_default
from penstock.app.schema.objects import Object
from penstock.http.form import MULTIPART

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.binding.signature import Argument
    from penstock.app.openapi.components import Schema
    from penstock.app.openapi.schemas import Schemas


def request_body(arguments: Iterable[Argument], schemas: Schemas, texts: Schemas) -> Schema | None:
    """Return the Request Body Object of an operation; None when it reads none, or by itself."""
    by_source: dict[str, list[Argument]] = {}
    for argument in arguments:
        by_source.setdefault(argument.source, []).append(argument)
    if "body" in by_source:
        return _json(by_source["body"], schemas)
    of_form = [*by_source.get("form", ()), *by_source.get("file", ())]
    if of_form:
        return form_body(of_form, texts)
    if "parts" in by_source:
        return {"content": {MULTIPART: {"schema": {"type": "object"}}}, "required": True}
    if "stream" in by_source:
        return {"content": {"*/*": {}}}
    return None


def _json(arguments: list[Argument], schemas: Schemas) -> Schema:
    first = arguments[0]
    node = first.model.validator.node if first.model is not None else None
    body: Schema = {}
    if first.is_embedded and isinstance(node, Object):
        schema = schemas.members(node)
        for argument in arguments:
            schema["properties"][argument.key] = _member(schema["properties"][argument.key], argument)
    else:
        schema = dict(schemas.of(node)) if node is not None else {}
        described(schema, None, first.field)
        if first.field is not None and "description" in schema and first.field.description:
            body["description"] = schema.pop("description")
    body["content"] = {"application/json": {"schema": schema}}
    if any(argument.default is REQUIRED for argument in arguments):
        body["required"] = True
    return body


def _member(schema: Schema, argument: Argument) -> Schema:
    return described(with_default(dict(schema), argument.default), None, argument.field)
