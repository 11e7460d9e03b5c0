"""Values JSON has no type for, and how they are spelled in a text.

Dates and times: RFC 3339; durations: ISO 8601 from weeks to seconds; UUID: RFC 9562; bytes: base64 (RFC 4648
§4) with padding; Decimal: a text or a number, whose shortest decimal form counts.
"""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from penstock.app.binding import text
from penstock.app.schema.report import Refused

if TYPE_CHECKING:
    from collections.abc import Callable


def _decimal(value: object) -> Decimal:
    kind = type(value)
    if kind is str:
        return text.parse_decimal(value)  # type: ignore[arg-type]
    if kind is int:
        return Decimal(value)  # type: ignore[arg-type]
    if kind is float:
        made = Decimal(repr(value))
        if made.is_finite():
            return made
    raise Refused


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Refused from None


SPELLED: Final[dict[type, tuple[Callable[[Any], Any], str, str, tuple[type, ...]]]] = {
    UUID: (text.parse_uuid, "a UUID", "uuid", (str,)),
    datetime: (text.parse_datetime, "a date and time such as 2024-05-01T10:00:00Z", "datetime", (str,)),
    date: (text.parse_date, "a date such as 2024-05-01", "date", (str,)),
    time: (text.parse_time, "a time such as 10:00:00", "time", (str,)),
    timedelta: (text.parse_duration, "a duration such as PT1H30M", "timedelta", (str,)),
    Decimal: (_decimal, "a decimal number", "decimal", (str, int, float)),
    bytes: (_bytes, "octets in base64", "bytes", (str,)),
}
