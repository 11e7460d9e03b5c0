"""Types that bring their own validation: `msgspec.Struct` is made by msgspec, `pydantic.BaseModel` by
pydantic.

They are known by their marks, so nothing is imported before such a type is met; its package is there then.
Their faults take our shape; msgspec names the first only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from penstock.app.schema.annotations import name_of
from penstock.app.schema.nodes import Node
from penstock.app.schema.report import INVALID, Refused, clipped
from penstock.http.json import dumps

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

    def show(self, value: Any) -> Any:
        return value if type(value) is self._kind else self._convert(value, self._kind, from_attributes=True)

    def walk(self, value: Any, loc: Loc, report: Report) -> Any:
        try:
            return self._convert(value, self.annotation)
        except self._error as error:
            message, where = parsed_message(str(error))
            return report.add((*loc, *where), message, "value")


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
