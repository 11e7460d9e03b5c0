"""Whether a value of JSON is what a schema says: as much of JSON Schema 2020-12 as documents here use.

For tests of applications, not for requests: those are validated by `app/schema`. `format` and what is not
known here allow everything. The first fault is told, by its JSON pointer.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Schema = dict[str, Any]
Fault = tuple[str, str]
"""Where, and what was expected."""

_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
}
_BOUNDS: dict[str, tuple[type | tuple[type, ...], Callable[[Any, Any], bool], str]] = {
    "minimum": ((int, float), lambda value, bound: value >= bound, "at least {}"),
    "maximum": ((int, float), lambda value, bound: value <= bound, "at most {}"),
    "exclusiveMinimum": ((int, float), lambda value, bound: value > bound, "more than {}"),
    "exclusiveMaximum": ((int, float), lambda value, bound: value < bound, "less than {}"),
    "multipleOf": (
        (int, float),
        lambda value, bound: (Fraction(str(value)) / Fraction(str(bound))).denominator == 1,
        "a multiple of {}",
    ),
    "minLength": (str, lambda value, bound: len(value) >= bound, "at least {} characters"),
    "maxLength": (str, lambda value, bound: len(value) <= bound, "at most {} characters"),
    "pattern": (str, lambda value, bound: _matches(bound, value), "text that matches {}"),
    "minItems": (list, lambda value, bound: len(value) >= bound, "at least {} elements"),
    "maxItems": (list, lambda value, bound: len(value) <= bound, "at most {} elements"),
    "minProperties": (dict, lambda value, bound: len(value) >= bound, "at least {} members"),
    "maxProperties": (dict, lambda value, bound: len(value) <= bound, "at most {} members"),
}


class Conformance:
    """Compares values with the schemas of one document."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def fault(self, value: Any, schema: Any) -> Fault | None:
        """Return where a value is not what a schema says, and what it says there; None when it is.

        >>> schema = {"type": "array", "items": {"type": "integer", "minimum": 1}}
        >>> Conformance({}).fault([3, 0], schema)
        ('/1', 'at least 1')
        """
        return next(self._faults(value, schema, ""), None)

    def _faults(self, value: Any, schema: Any, where: str) -> Iterator[Fault]:
        if schema is True or schema == {}:
            return
        if schema is False:
            yield where, "nothing here"
            return
        if "$ref" in schema:
            yield from self._faults(value, self._target(schema["$ref"]), where)
        yield from _own_faults(value, schema, where)
        yield from self._combined(value, schema, where)
        if isinstance(value, list):
            yield from self._of_elements(value, schema, where)
        elif isinstance(value, dict):
            yield from self._of_members(value, schema, where)

    def _combined(self, value: Any, schema: Schema, where: str) -> Iterator[Fault]:
        for one in schema.get("allOf", ()):
            yield from self._faults(value, one, where)
        for key in ("anyOf", "oneOf"):
            if key not in schema:
                continue
            found = [next(self._faults(value, one, where), None) for one in schema[key]]
            fitting = found.count(None)
            if fitting == 0 or (fitting > 1 and key == "oneOf"):
                # The one that got furthest is the one that was meant.
                faults = [fault for fault in found if fault is not None]
                meant = max(faults, key=lambda fault: len(fault[0]), default=(where, ""))
                yield meant if meant[0] != where else (where, f"one of its {key}")
        if "not" in schema and self.fault(value, schema["not"]) is None:
            yield where, "something else"

    def _of_elements(self, value: list[Any], schema: Schema, where: str) -> Iterator[Fault]:
        first = schema.get("prefixItems", ())
        for index, one in enumerate(value):
            inner = first[index] if index < len(first) else schema.get("items", True)
            yield from self._faults(one, inner, f"{where}/{index}")

    def _of_members(self, value: Schema, schema: Schema, where: str) -> Iterator[Fault]:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where}/{name}", "a value, it is missing"
        named = schema.get("properties", {})
        for name, one in value.items():
            inner = named.get(name, schema.get("additionalProperties", True))
            yield from self._faults(one, inner, f"{where}/{name}")
            if "propertyNames" in schema and self.fault(name, schema["propertyNames"]) is not None:
                yield f"{where}/{name}", "another name"

    def _target(self, ref: str) -> Any:
        found: Any = self._document
        for step in ref.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return found


def _own_faults(value: Any, schema: Schema, where: str) -> Iterator[Fault]:
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(_TYPES[kind](value) for kind in kinds):
            yield where, " or ".join(kinds)
            return
    if "const" in schema and not _is_same(value, schema["const"]):
        yield where, repr(schema["const"])
    if "enum" in schema and not any(_is_same(value, one) for one in schema["enum"]):
        yield where, f"one of {', '.join(map(repr, schema['enum']))}"
    for name, (kinds_held, holds, words) in _BOUNDS.items():
        applies = name in schema and isinstance(value, kinds_held) and not isinstance(value, bool)
        if applies and not holds(value, schema[name]):
            yield where, words.format(schema[name])


def _is_same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) is isinstance(other, bool) and bool(value == other)


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # of another dialect
        return True
