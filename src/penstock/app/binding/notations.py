"""How the values of a path, a query, a field or a cookie are written, as a table: everything is text, so a
number has to be spelled as one.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from penstock.app.binding import text
from penstock.app.binding.conversion import Conversion, Notation

if TYPE_CHECKING:
    from collections.abc import Callable


def _as_it_is(value: object) -> object:
    return value


_PARSED: Final[tuple[tuple[type, Callable[[str], Any], str, str], ...]] = (
    (UUID, text.parse_uuid, "a UUID", "uuid"),
    (datetime, text.parse_datetime, "a date and time such as 2024-05-01T10:00:00Z", "datetime"),
    (date, text.parse_date, "a date such as 2024-05-01", "date"),
    (time, text.parse_time, "a time such as 10:00:00", "time"),
    (timedelta, text.parse_duration, "a duration such as PT1H30M", "timedelta"),
    (Decimal, text.parse_decimal, "a decimal number", "decimal"),
)
TEXT: Final = Notation(
    {
        str: Conversion(_as_it_is, "text", "str"),
        Any: Conversion(_as_it_is, "text", "str"),
        object: Conversion(_as_it_is, "text", "str"),
        Parameter.empty: Conversion(_as_it_is, "text", "str"),
        int: Conversion(text.parse_int, f"an integer of at most {text.INT_DIGITS} digits", "int"),
        float: Conversion(text.parse_float, "a finite number", "float"),
        bool: Conversion(text.parse_bool, "a boolean: true, false, 1, 0, yes, no, on or off", "bool"),
        **{wanted: Conversion(parse, expected, kind) for wanted, parse, expected, kind in _PARSED},
    },
    spelling=lambda value: str(value).lower() if isinstance(value, bool) else str(value),
)
