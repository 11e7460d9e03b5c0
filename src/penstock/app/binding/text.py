"""Text to values: the parsers for path segments and query values.

Each takes a str and returns a value or raises ValueError. They accept less than the constructors they end in:
`int()` takes "+1", "1_0", " 1" and digits of every script, `float()` takes "nan", `UUID()` takes braces.
ASCII only, bounded length.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

INT_DIGITS = 40  # a 128-bit number has 39; int() of very many digits is quadratic
FLOAT_CHARACTERS = 64  # repr() of a float has at most 24
DECIMAL_CHARACTERS = 64  # DECIMAL128 has 34 digits

_FLOAT = re.compile(r"-?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME_PATTERN = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[-+][0-9]{2}:[0-9]{2})?"
_TIME = re.compile(_TIME_PATTERN)
_DATETIME = re.compile(_DATE.pattern + "[Tt ]" + _TIME_PATTERN)
# Three digits of exponent: 1e999999999 is short, and an integer made of it is not.
_DECIMAL = re.compile(r"-?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]{1,3})?")
_DURATION = re.compile(
    r"(-?)P(?=.)(?:([0-9]{1,8})W|(?:([0-9]{1,9})D)?(?:T(?=.)(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?"
    r"(?:([0-9]{1,12})(?:[.,]([0-9]{1,6})[0-9]{0,3})?S)?)?)"
)

_BOOLS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def parse_int(text: str) -> int:
    """Return the value of an optional minus and 1 to 40 ASCII digits.

    >>> parse_int("-007")
    -7
    """
    # PERF: 0.12 us for "42"; a regular expression takes 0.25.
    if text.isdigit() and text.isascii() and len(text) <= INT_DIGITS:
        return int(text)
    digits = text[1:]
    if text.startswith("-") and digits.isdigit() and digits.isascii() and len(digits) <= INT_DIGITS:
        return -int(digits)
    raise ValueError(text[:INT_DIGITS])


def parse_float(text: str) -> float:
    """Return the value of a finite decimal number, with or without an exponent.

    >>> parse_float("-1.5e3")
    -1500.0
    """
    if len(text) <= FLOAT_CHARACTERS and _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    raise ValueError(text[:FLOAT_CHARACTERS])


def parse_bool(text: str) -> bool:
    """Return the truth of true/false, 1/0, yes/no or on/off, in any case."""
    value = _BOOLS.get(text)
    if value is None:
        value = _BOOLS.get(text.lower())
        if value is None:
            raise ValueError(text[:8])
    return value


def parse_uuid(text: str) -> UUID:
    """Return a UUID in its canonical form, 8-4-4-4-12 hexadecimal digits (RFC 9562 §4)."""
    if _UUID.fullmatch(text):
        return UUID(text)
    raise ValueError(text[:36])


def parse_date(text: str) -> date:
    """Return a full-date (RFC 3339 §5.6)."""
    if _DATE.fullmatch(text):
        return date.fromisoformat(text)
    raise ValueError(text[:10])


def parse_time(text: str) -> time:
    """Return a time of day; seconds, fraction and offset may be left out."""
    if _TIME.fullmatch(text):
        return time.fromisoformat(text.upper())
    raise ValueError(text[:32])


def parse_datetime(text: str) -> datetime:
    """Return a date-time (RFC 3339 §5.6); seconds, fraction and offset may be left out, naive then.

    >>> parse_datetime("2024-05-01T10:00Z").isoformat()
    '2024-05-01T10:00:00+00:00'
    """
    if _DATETIME.fullmatch(text):
        return datetime.fromisoformat(text.upper())
    raise ValueError(text[:42])


def parse_decimal(text: str) -> Decimal:
    """Return the value of a finite decimal number, every digit of it.

    >>> parse_decimal("-1.50")
    Decimal('-1.50')
    """
    if len(text) <= DECIMAL_CHARACTERS and _DECIMAL.fullmatch(text):
        return Decimal(text)
    raise ValueError(text[:DECIMAL_CHARACTERS])


def parse_duration(text: str) -> timedelta:
    """Return an ISO 8601 duration of weeks, or of days, hours, minutes and seconds. Years and months have no
    fixed length and are refused.

    >>> parse_duration("P1DT2H30M")
    datetime.timedelta(days=1, seconds=9000)
    """
    found = _DURATION.fullmatch(text) if len(text) <= FLOAT_CHARACTERS else None
    if found is None:
        raise ValueError(text[:FLOAT_CHARACTERS])
    sign, fraction = -1 if found[1] else 1, (found[7] or "").ljust(6, "0")
    weeks, days, hours, minutes, seconds = (int(found[group] or 0) for group in range(2, 7))
    try:
        return sign * timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=int(fraction)
        )
    except OverflowError:
        raise ValueError(text) from None
