"""How much one request may ask for. Beyond it is 400: a smaller reply than was asked for would be measured as
if it were the one meant.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

from penstock import BadRequest, Request

CONTENT_OCTETS: Final = 10 * 2**20
"""Of `/bytes`, `/stream-bytes`, `/drip` and `/range`."""
LINES: Final = 10_000
"""Of `/stream`."""
DELAY_S: Final = 10.0  # httpbin's
DRIP_S: Final = 60.0
REDIRECTS: Final = 100
BODY_OCTETS: Final = 16 * 2**20
"""Of a request whose content is told back."""


def check_count(value: int, most: int, what: str, least: int = 0) -> int:
    """Return `value`, or refuse it."""
    if not least <= value <= most:
        raise BadRequest(f"{what} must be from {least} to {most}, not {value}")
    return value


def check_seconds(text: str, most_s: float, what: str) -> float:
    """Return the seconds a text says, or refuse it."""
    try:
        value_s = float(text)
    except ValueError:
        value_s = -1.0
    if not (isfinite(value_s) and 0 <= value_s <= most_s):
        raise BadRequest(f"{what} must be seconds from 0 to {most_s:g}, not {text[:40]!r}")
    return value_s


def int_of(request: Request, name: str, default: int, most: int, least: int = 0) -> int:
    """A whole number of the query."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadRequest(f"{name} must be a whole number, not {text[:40]!r}")
    return check_count(int(text), most, name, least)


def seconds_of(request: Request, name: str, default_s: float, most_s: float) -> float:
    """Seconds of the query."""
    text = request.query.get(name)
    return default_s if text is None else check_seconds(text, most_s, name)
