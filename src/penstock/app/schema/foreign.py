"""Types that bring their own validation: `msgspec.Struct` is made by msgspec, `pydantic.BaseModel` by
pydantic.

They are known by their marks, so nothing is imported before such a type is met; its package is there then.
Their faults take our shape; msgspec stops at the first, so it is asked again for each field.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.app.schema.annotations import name_of
from penstock.app.schema.nodes import Node
from penstock.app.schema.report import INVALID, Refused, clipped
from penstock.http.json import dumps
from penstock.http.json_quick import has_members

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.schema.code import Code
    from penstock.app.schema.report import Loc, Report

_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,9})\]|\[\.\.\.\]")


def parsed_message(text: str) -> tuple[str, list[str | int]]:
    """Return what msgspec says, without the value it repeats, and where."""
    message, mark, path = text.rpartition(" - at `")
    if not mark:
        message, path = text, ""
    if message.startswith("Invalid enum value"):
        message = "Invalid enum value"
    steps = _STEP.finditer(path.removeprefix("key in ").removeprefix("$").rstrip("`"))
    return message, [int(step[2]) if step[2] else clipped(step[1] or "...") for step in steps]


def foreign_node(annotation: object) -> Node | None:
    """Return the node of a type that has its own validation; None for every other."""
    kind = getattr(annotation, "__origin__", annotation)
    if not isinstance(kind, type):
        return None
    if hasattr(kind, "__pydantic_validator__"):
        return Pydantic(annotation)
    if hasattr(kind, "__struct_config__"):
        return Struct(annotation, kind)
    return None


class Foreign(Node):
    """A value made by its own package."""

    def __init__(self, annotation: object) -> None:
        self.annotation = annotation
        self.expected, self.name = name_of(annotation), "value"

    def convert(self, value: Any) -> Any:
        """Return what a value becomes, or raise Refused."""
        raise NotImplementedError

    def show(self, value: Any) -> Any:
        """Return the value as one of this very type: what it has beyond that is not sent."""
        raise NotImplementedError

    def emit(self, code: Code, value: str) -> str:
        return f"{code.constant(self.convert, 'convert')}({value})"


class Struct(Foreign):
    """A type of msgspec."""

    def __init__(self, annotation: object, kind: Any) -> None:
        super().__init__(annotation)
        import msgspec

        self._convert: Callable[..., Any] = msgspec.convert
        self._error: type[Exception] = msgspec.ValidationError
        self._kind = kind
        self.expected = "an object"
        self.kinds = frozenset({list if kind.__struct_config__.array_like else dict})

    def convert(self, value: Any) -> Any:
        try:
            return self._convert(value, self.annotation)
        except self._error:
            raise Refused from None

    @cached_property
    def is_flat(self) -> bool:
        """True when none of its fields holds an object, which could be one with more in it than was said."""
        from msgspec import inspect

        return not any(map(_holds_object, inspect.type_info(self.annotation).fields))  # type: ignore[attr-defined]

    def show(self, value: Any) -> Any:
        if type(value) is not self._kind:
            value = self._convert(value, self.annotation, from_attributes=True)
        if self.is_flat:
            return value
        import msgspec

        # msgspec takes an instance of a subclass for one of the type: only as plain data it is read anew.
        return self._convert(msgspec.to_builtins(value), self.annotation)

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._convert(value, self.annotation)
        except self._error as error:
            before = len(report.faults)
            if type(value) is dict:
                self._walk_fields(value, loc, report)
            if len(report.faults) == before:  # of the whole, such as a tag or what __post_init__ raises
                message, where = parsed_message(str(error))
                report.add((*loc, *where), message, "value")
            return INVALID

    def _walk_fields(self, value: dict[str, Any], loc: Loc, report: Report) -> None:
        """Report the faults of every field: msgspec stops at the first."""
        from msgspec.structs import fields

        names = {self._kind.__struct_config__.tag_field}
        for field in fields(self.annotation):  # type: ignore[arg-type]
            names.add(field.encode_name)
            where = (*loc, field.encode_name)
            if field.encode_name not in value:
                if field.required:
                    report.add(where, "required, and missing", "missing")
                continue
            kind = getattr(field.type, "__origin__", field.type)
            if hasattr(kind, "__struct_config__"):
                Struct(field.type, kind).walk(value[field.encode_name], where, report)
                continue
            try:
                self._convert(value[field.encode_name], field.type)
            except self._error as error:
                message, inside = parsed_message(str(error))
                report.add((*where, *inside), message, "value")
        if self._kind.__struct_config__.forbid_unknown_fields:
            for name in sorted(value.keys() - names):
                report.add((*loc, clipped(name)), "not expected here", "unknown")

    def octet_reader(self) -> Callable[[bytes], Any] | None:
        """Return what makes the value of JSON in one step, or None when that would not do: members that
        stand twice have to be found (`json_quick`), and so it is known how many an object has.

        What it makes is what `convert(loads(raw))` makes; it raises ValueError when that must be asked.
        PERF: 0.5 us instead of 1.4 (benchmarks/validation.py).
        """
        from msgspec import inspect
        from msgspec.json import Decoder

        count = _count_of_members(inspect.type_info(self.annotation), inspect)
        if count is None:
            return None
        required, optional = count
        decode = Decoder(self.annotation).decode

        def read(raw: bytes) -> Any:
            value = decode(raw)
            members = required
            for name, default in optional:
                members += getattr(value, name) is not default
            if raw.count(b":") == members or has_members(raw, members):
                return value
            raise ValueError

        return read


def _holds_object(described: Any) -> bool:
    """Tell whether a type of msgspec.inspect, or a field, holds a type with fields of its own."""
    if hasattr(described, "fields"):
        return True
    parts = (getattr(described, name) for name in getattr(described, "__struct_fields__", ()))
    return any(_holds_object(one) for part in parts for one in (part if isinstance(part, tuple) else (part,)))


def is_flat_struct(annotation: object) -> bool:
    """Tell whether an annotation is a Struct of which nothing has to be left out."""
    node = foreign_node(annotation)
    return isinstance(node, Struct) and node.is_flat


def _count_of_members(kind: Any, inspect: Any) -> tuple[int, list[tuple[str, Any]]] | None:
    """Return how many members an object of a Struct always has, and name and default of the others; None
    when that does not tell.
    """
    if not isinstance(kind, inspect.StructType) or kind.array_like or kind.tag is not None:
        return None
    count, optional = 0, []
    for field in kind.fields:
        types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if not field.required:
            if field.default_factory is not inspect.NODEFAULT:
                return None
            optional.append((field.name, field.default))
        else:
            count += 1
        if isinstance(field.type, inspect.StructType) and field.required:
            inner = _count_of_members(field.type, inspect)
            if inner is None or inner[1]:
                return None
            count += inner[0]
        elif not all(type(one).__name__ in _PLAIN for one in types):
            return None
    return count, optional


# Types of msgspec.inspect that hold no members and mean the same from octets and from decoded JSON.
_PLAIN = frozenset({"StrType", "IntType", "BoolType", "NoneType", "FloatType", "DateType", "UUIDType"})


class Pydantic(Foreign):
    """A model of pydantic, read as pydantic reads JSON, so that strict models take their dates from text."""

    def __init__(self, annotation: object) -> None:
        super().__init__(annotation)
        import pydantic

        self._validate: Callable[..., Any] = annotation.__pydantic_validator__.validate_json  # type: ignore[attr-defined]
        self._error: type[Any] = pydantic.ValidationError

    def show(self, value: Any) -> Any:
        kind: Any = self.annotation
        if type(value) is kind:
            return value
        if isinstance(value, kind):
            value = value.model_dump()
        return kind.model_validate(value, from_attributes=True)

    def convert(self, value: Any) -> Any:
        try:
            return self._validate(dumps(value))
        except self._error:
            raise Refused from None

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._validate(dumps(value))
        except self._error as error:
            for fault in error.errors(include_url=False, include_input=False, include_context=False):
                where = (clipped(step) if isinstance(step, str) else step for step in fault["loc"])
                report.add((*loc, *where), fault["msg"], fault["type"])
            return INVALID
