"""Models from the fields of a form: each member is made from text, as a query parameter would be.

A form becomes an object of texts, files and lists of either; the nodes here read that where those of
`app/schema` read JSON. msgspec and pydantic convert texts themselves.
"""

from __future__ import annotations

import dataclasses
import typing
from types import NoneType
from typing import TYPE_CHECKING, Any

from penstock.app.binding.notations import TEXT
from penstock.app.schema.annotations import Unsupported, is_union, name_of, split
from penstock.app.schema.code import Code
from penstock.app.schema.members import read_members
from penstock.app.schema.nodes import Node
from penstock.app.schema.objects import REQUIRED, Object
from penstock.app.schema.reading import is_model, is_typed_dict
from penstock.app.schema.report import INVALID, Enough, Refused, Report, clipped
from penstock.http.upload import UploadFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.binding.conversion import Conversion
    from penstock.app.schema.markers import Unknown
    from penstock.app.schema.report import Fault, Loc
    from penstock.http.form import FormData


class Member(typing.NamedTuple):
    """How one member of a model is found in a form."""

    key: str
    is_file: bool
    repeats: bool
    """All values of the name, as a list."""
    takes_empty: bool
    """False: a field left empty was not sent."""
    is_required: bool


class FormModel:
    """How a model is made from a form. Unsupported names what cannot be."""

    def __init__(self, annotation: object, unknown: Unknown | None = None) -> None:
        self.annotation = annotation
        kind = split(annotation)[0]
        origin: Any = typing.get_origin(kind) or kind
        self.unknown: Unknown = unknown or getattr(origin, "__unknown_fields__", None) or "ignore"
        if hasattr(origin, "__pydantic_validator__"):
            self.node: Node = _Pydantic(kind)
            self.members = _pydantic_members(origin)
        elif hasattr(origin, "__struct_config__"):
            self.node = _Struct(kind)
            self.members = _struct_members(origin)
        elif dataclasses.is_dataclass(origin) or is_typed_dict(origin):
            node = Object(name_of(kind), self.unknown)
            read_members(node, kind, origin, _read_member, is_partial=False)
            self.node = node
            self.members = [
                _found(one.key, one.node, is_required=one.default is REQUIRED) for one in node.members
            ]
        else:
            raise Unsupported(f"{name_of(kind)} is no model of a form")
        self.has_files = any(member.is_file for member in self.members)
        self._convert: Callable[[Any], Any] | None = None

    def read(self, form: FormData) -> Any:
        """Return the value a form says; ValueError when it does not fit."""
        if self._convert is None:
            self._convert = Code().compiled(self.node, name_of(self.annotation))
        return self._convert(self._object(form))

    def faults(self, form: FormData) -> list[Fault]:
        """Return what is wrong with a form; `[]` exactly when `read` takes it."""
        report = Report()
        try:
            self.node.walk(self._object(form), ("form",), report)
        except Enough:
            pass
        return report.faults

    def _object(self, form: FormData) -> dict[str, Any]:
        """Return the form as one object, as this model looks at it."""
        found: dict[str, Any] = {}
        for member in self.members:
            values: list[Any] = [*form.get_all(member.key), *form.files.get(member.key, ())]
            if not member.takes_empty:
                values = [one for one in values if not is_empty(one)]
            if member.repeats and (values or member.is_required):
                found[member.key] = values
            elif values:
                found[member.key] = values[0]
        if self.unknown != "ignore":
            known = {member.key for member in self.members}
            for key in [*form.keys(), *form.files]:
                if key not in known:
                    found.setdefault(key, form.get(key) or form.file(key) or "")
        return found


def is_empty(value: object) -> bool:
    """Tell whether this is what a browser sends for an input nobody filled in."""
    return not value if isinstance(value, str) else is_empty_file(value)


def is_empty_file(value: object) -> bool:
    """Tell whether this is what a browser sends for a file input nobody used: no name, no content."""
    return isinstance(value, UploadFile) and not value.raw_filename and not value.size


def takes_empty(conversion: Conversion) -> bool:
    """Tell whether an empty text is a value of a type, as it is of `str`."""
    return (conversion.item or conversion).is_spelled("")


def file_kind(annotation: object) -> tuple[bool, bool] | None:
    """Return whether an annotation is a list of files, and whether it may be None; None for another type."""
    kind = split(annotation)[0]
    if is_union(kind):
        members = [one for one in typing.get_args(kind) if one is not NoneType]
        inner = file_kind(members[0]) if len(members) == 1 else None
        return None if inner is None else (inner[0], True)
    if kind is UploadFile:
        return False, False
    arguments = typing.get_args(kind)
    is_list = typing.get_origin(kind) is list and len(arguments) == 1
    return (True, False) if is_list and split(arguments[0])[0] is UploadFile else None


def _read_member(annotation: object) -> Node:
    kind = file_kind(annotation)
    if kind is not None:
        return Upload(annotation, is_list=kind[0])
    if is_model(split(annotation)[0]):
        raise Unsupported(f"{name_of(annotation)}: fields of a form do not nest")
    return _Text(annotation)


def _found(key: str, node: Node, *, is_required: bool) -> Member:
    if isinstance(node, Upload):
        return Member(key, is_file=True, repeats=node.is_list, takes_empty=False, is_required=is_required)
    assert isinstance(node, _Text)  # noqa: S101 - `_read_member` makes no other
    conversion = node.conversion
    return Member(key, False, conversion.item is not None, takes_empty(conversion), is_required)


class _Text(Node):
    """A value made from text, or from a list of texts."""

    def __init__(self, annotation: object) -> None:
        self.annotation = annotation
        self.conversion = conversion = TEXT.conversion(annotation)
        self.expected, self.name = conversion.expected, conversion.kind

    def emit(self, code: Code, value: str) -> str:
        kind = "list" if self.conversion.item is not None else "str"
        code.refuse_if(f"type({value}) is not {kind}")
        if kind == "list":
            code.refuse_if(f"not all(type(one) is str for one in {value})")
        return f"{code.constant(self.conversion.convert, 'convert')}({value})"

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        texts = value if isinstance(value, list) else [value]
        if not all(type(one) is str for one in texts):
            return report.add(loc, "expected a text, and got a file", "text")
        found = self.conversion.faults(value, list(loc))
        for fault in found:
            report.add(tuple(fault["loc"]), str(fault["msg"]), str(fault["type"]))  # type: ignore[arg-type]
        return INVALID if found else self.conversion.convert(value)


class Upload(Node):
    """A file, or a list of them."""

    expected, name = "a file", "file"

    def __init__(self, annotation: object, *, is_list: bool) -> None:
        self.annotation = annotation
        self.is_list = is_list

    def emit(self, code: Code, value: str) -> str:
        return f"{code.constant(self._checked, 'checked')}({value})"

    def _checked(self, value: Any) -> Any:
        if not all(isinstance(one, UploadFile) for one in (value if self.is_list else [value])):
            raise Refused
        return value

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._checked(value)
        except Refused:
            return self.mismatch(loc, report)


class _Struct(Node):
    """A `msgspec.Struct`; msgspec makes numbers of texts when it is not strict."""

    expected, name = "an object", "value"

    def __init__(self, annotation: object) -> None:
        import msgspec

        self._annotation = annotation
        self._msgspec = msgspec

    def emit(self, code: Code, value: str) -> str:
        return f"{code.constant(self._made, 'convert')}({value})"

    def _made(self, value: Any) -> Any:
        try:
            return self._msgspec.convert(value, self._annotation, strict=False)
        except self._msgspec.ValidationError:
            raise Refused from None

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._msgspec.convert(value, self._annotation, strict=False)
        except self._msgspec.ValidationError as error:
            from penstock.app.schema.foreign import parsed_message

            message, where = parsed_message(str(error))
            return report.add((*loc, *where), message, "value")


class _Pydantic(Node):
    """A `pydantic.BaseModel`; pydantic makes values of texts unless a model is strict."""

    expected, name = "an object", "value"

    def __init__(self, annotation: Any) -> None:
        import pydantic

        self._validate: Callable[[Any], Any] = annotation.__pydantic_validator__.validate_python
        self._error: type[Any] = pydantic.ValidationError

    def emit(self, code: Code, value: str) -> str:
        return f"{code.constant(self._made, 'convert')}({value})"

    def _made(self, value: Any) -> Any:
        try:
            return self._validate(value)
        except self._error:
            raise Refused from None

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._validate(value)
        except self._error as error:
            for fault in error.errors(include_url=False, include_input=False, include_context=False):
                where = (clipped(step) if isinstance(step, str) else step for step in fault["loc"])
                report.add((*loc, *where), fault["msg"], fault["type"])
            return INVALID


def _pydantic_members(origin: Any) -> list[Member]:
    found = []
    for name, field in origin.model_fields.items():
        keys = [field.validation_alias if isinstance(field.validation_alias, str) else field.alias, name]
        required = field.is_required()
        found += [_foreign(key, field.annotation, is_required=required) for key in keys[:1] if key]
        if not keys[0] or origin.model_config.get("populate_by_name"):
            found.append(_foreign(name, field.annotation, is_required=required and not keys[0]))
    return found


def _struct_members(origin: Any) -> list[Member]:
    import msgspec

    return [
        _foreign(field.encode_name, field.type, is_required=field.required)
        for field in msgspec.structs.fields(origin)
    ]


def _foreign(key: str, annotation: object, *, is_required: bool) -> Member:
    files = file_kind(annotation)
    if files is not None:
        return Member(key, is_file=True, repeats=files[0], takes_empty=False, is_required=is_required)
    kind = split(annotation)[0]
    members = typing.get_args(kind) if is_union(kind) else (kind,)
    kinds = [split(one)[0] for one in members]
    repeats = any((typing.get_origin(one) or one) in (list, set, tuple, frozenset) for one in kinds)
    texts = [typing.get_args(one)[0] if typing.get_args(one) else one for one in kinds]
    return Member(key, False, repeats, any(one in (str, Any, object) for one in texts), is_required)
