"""The two notations requests are written in, as tables: TEXT for path and query, JSON for bodies.

TEXT: everything is a str, so a number has to be spelled as one. JSON: a value has a type already and nothing
is coerced, but an integer is a float where one is wanted, and what JSON has no type for (UUID, dates) is
spelled as in TEXT.
"""

from __future__ import annotations

from datetime import date, datetime, time
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from penstock.app.binding import text
from penstock.app.binding.conversion import Conversion, Notation

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.binding.conversion import Convert


def _as_it_is(value: object) -> object:
    return value


def _exactly(wanted: type) -> Convert:
    def check(value: object) -> object:
        if type(value) is wanted:  # bool is an int, and JSON's true is not
            return value
        raise ValueError(wanted.__name__)

    return check


def _json_float(value: object) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            pass
    raise ValueError("float")


def _spelled(parse: Callable[[str], Any]) -> Convert:
    def convert(value: object) -> object:
        if type(value) is str:
            return parse(value)
        raise ValueError("str")

    return convert


_PARSED: Final[tuple[tuple[type, Callable[[str], Any], str, str], ...]] = (
    (UUID, text.parse_uuid, "a UUID", "uuid"),
    (datetime, text.parse_datetime, "a date and time such as 2024-05-01T10:00:00Z", "datetime"),
    (date, text.parse_date, "a date such as 2024-05-01", "date"),
    (time, text.parse_time, "a time such as 10:00:00", "time"),
)
_ANYTHING: Final = Conversion(_as_it_is, "a value", "any")
_OBJECT: Final = Conversion(_exactly(dict), "an object", "dict")
_INT = "an integer"
_BOOL = "a boolean"

TEXT: Final = Notation(
    {
        str: Conversion(_as_it_is, "text", "str"),
        Any: Conversion(_as_it_is, "text", "str"),
        object: Conversion(_as_it_is, "text", "str"),
        Parameter.empty: Conversion(_as_it_is, "text", "str"),
        int: Conversion(text.parse_int, f"{_INT} of at most {text.INT_DIGITS} digits", "int"),
        float: Conversion(text.parse_float, "a finite number", "float"),
        bool: Conversion(text.parse_bool, f"{_BOOL}: true, false, 1, 0, yes, no, on or off", "bool"),
        **{wanted: Conversion(parse, expected, kind) for wanted, parse, expected, kind in _PARSED},
    },
    spelling=lambda value: str(value).lower() if isinstance(value, bool) else str(value),
    read=_as_it_is,
    is_structured=False,
)

JSON: Final = Notation(
    {
        Any: _ANYTHING,
        object: _ANYTHING,
        str: Conversion(_exactly(str), "text", "str"),
        int: Conversion(_exactly(int), _INT, "int"),
        float: Conversion(_json_float, "a number", "float"),
        bool: Conversion(_exactly(bool), _BOOL, "bool"),
        None: Conversion(_exactly(type(None)), "null", "null", is_optional=True),
        type(None): Conversion(_exactly(type(None)), "null", "null", is_optional=True),
        list: Conversion(_exactly(list), "a list", "list"),
        dict: _OBJECT,
        dict[str, Any]: _OBJECT,
        dict[str, object]: _OBJECT,
        **{wanted: Conversion(_spelled(parse), expected, kind) for wanted, parse, expected, kind in _PARSED},
    },
    spelling=lambda value: (type(value), value),
    read=lambda value: (type(value), value),
    is_structured=True,
)
