"""What stands beside a type in JSON Schema: constraints, descriptions, defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from penstock.app.openapi.patterns import to_ecma
from penstock.http.json import dumps, loads
from penstock.http.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.app.openapi.components import Schema
    from penstock.app.schema.constraints import Constraint
    from penstock.app.schema.markers import Field

NOT_PLAIN: Final = object()
_NUMBERS = ("int", "float", "decimal")
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_SIZES = {"str": "Length", "dict": "Properties", "bytes": "Length"}


def keywords(constraints: Iterable[Constraint], of: str) -> Schema:
    """Return the keywords for rules about values of the type a fault calls `of`; what has none (the first
    of two dates, say) is left out.
    """
    found: Schema = {}
    for rule in constraints:
        if rule.name in _BOUNDS:
            if of in _NUMBERS:
                found[_BOUNDS[rule.name]] = number(rule.bound)
        elif rule.name == "multiple_of":
            found["multipleOf"] = number(rule.bound)
        elif rule.name == "pattern":
            pattern = to_ecma(rule.bound)
            if pattern is not None:
                found["pattern"] = pattern
        else:
            # In base64 every three octets are four characters.
            bound = -(-rule.bound // 3) * 4 if of == "bytes" else rule.bound
            found[rule.name.partition("_")[0] + _SIZES.get(of, "Items")] = bound
    return found


def number(value: Any) -> int | float:
    """Return a number as JSON has it, an integer where it is one."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def described(schema: Schema, description: str | None, field: Field | None = None) -> Schema:
    """Return a schema with what is said about it."""
    if field is not None:
        description = field.description or description
        if field.title is not None:
            schema["title"] = field.title
        examples = [one for one in map(plain_value, field.examples) if one is not NOT_PLAIN]
        if examples:
            schema["examples"] = examples
        if field.deprecated:
            schema["deprecated"] = True
    if description:
        schema["description"] = description
    return schema


def plain_value(value: object) -> Any:
    """Return a value as JSON would hold it; NOT_PLAIN when it has no such form."""
    if isinstance(value, Secret):
        return NOT_PLAIN
    try:
        return loads(dumps(value))
    except (TypeError, ValueError):
        return NOT_PLAIN


def with_default(schema: Schema, default: object) -> Schema:
    """Return a schema with a default; without one when it has no form in JSON, as no mark of "required" has,
    or is None, which parameters and forms cannot spell.
    """
    is_number = isinstance(default, Decimal) and schema.get("type") == "number"  # in text it is one
    value = number(default) if is_number else plain_value(default)
    return schema if value is NOT_PLAIN or value is None else {**schema, "default": value}
