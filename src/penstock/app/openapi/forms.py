"""Fields and files of a form as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.binding.signature import REQUIRED
from penstock.app.forms.parameters import FileParameter, ModelParameter
from penstock.app.forms.text_members import Upload
from penstock.app.openapi.keywords import described, keywords, with_default
from penstock.app.schema.objects import Object
from penstock.http.form import MULTIPART, URLENCODED

if TYPE_CHECKING:
    from penstock.app.binding.signature import Argument
    from penstock.app.forms.text_members import FormModel
    from penstock.app.forms.text_members import Member as FormMember
    from penstock.app.openapi.components import Schema
    from penstock.app.openapi.schemas import Schemas
    from penstock.app.schema.objects import Member

# OpenAPI 3.1 leaves the type of a file out; this of 3.0 is no fault there, and what the pages know a file by.
_FILE: dict[str, Any] = {"type": "string", "format": "binary"}


def form_body(arguments: list[Argument], texts: Schemas) -> Schema:
    """Return the body of a form: one object of all its fields."""
    members: dict[str, Schema] = {}
    whole: Schema = {"type": "object"}
    required: list[str] = []
    for argument in arguments:
        form = argument.form
        if isinstance(form, ModelParameter):
            if len(arguments) == 1 and not form.takes_file and not isinstance(form.model.node, Object):
                whole = texts.of_annotation(argument.annotation)
                return _body(whole, has_files=False, is_required=True)
            model = _model(form.model, texts)
            members |= model.pop("properties", {})
            required += model.pop("required", ())
            whole |= model
            continue
        if isinstance(form, FileParameter):
            schema = _file(form)
        else:
            schema = dict(texts.of_annotation(argument.annotation))
            if argument.default != []:
                schema = with_default(schema, argument.default)
        members[argument.key] = described(schema, None, argument.field)
        if argument.default is REQUIRED:
            required.append(argument.key)
    whole["properties"] = members
    if required:
        whole["required"] = required
    has_files = any(one.form is not None and one.form.takes_file for one in arguments)
    return _body(whole, has_files=has_files, is_required=bool(required))


def _body(schema: Schema, *, has_files: bool, is_required: bool) -> Schema:
    media_types = [MULTIPART] if has_files else [URLENCODED, MULTIPART]
    body: Schema = {"content": {media_type: {"schema": schema} for media_type in media_types}}
    return {**body, "required": True} if is_required else body


def _file(form: FileParameter) -> Schema:
    if not form.repeats:
        return dict(_FILE)
    return {"type": "array", "items": _FILE, **keywords(form.constraints, "list")}


def _model(model: FormModel, texts: Schemas) -> Schema:
    """Return the schema of a model of a form, not a reference: its members stand beside other fields."""
    schema: Schema = {}
    if isinstance(model.node, Object):
        schema["properties"] = {one.key: _form_member(one, texts) for one in model.node.members}
    else:
        schema["properties"] = {one.key: _plain_member(one) for one in model.members}
    # No occurrence at all is how a form spells the empty list.
    schema["required"] = [one.key for one in model.members if one.is_required and not one.repeats]
    if model.unknown == "forbid":
        schema["additionalProperties"] = False
    return schema


def _form_member(member: Member, texts: Schemas) -> Schema:
    node: Any = member.node
    if isinstance(node, Upload):
        schema: Schema = {"type": "array", "items": _FILE} if node.is_list else dict(_FILE)
    else:
        schema = dict(texts.of_annotation(node.annotation))
    return described(with_default(schema, member.default), None, member.field)


def _plain_member(member: FormMember) -> Schema:
    """Return what is known of a field that msgspec or pydantic makes something of."""
    schema: Schema = dict(_FILE) if member.is_file else {"type": "string"}
    return {"type": "array", "items": schema} if member.repeats else schema
