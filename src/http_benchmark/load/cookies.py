"""The cookies of one connection (RFC 6265 §5): each connection is a user agent of its own.

Stored by name; `Max-Age` and `Expires` in the past end one. Domain, Path, Secure and HttpOnly are not looked
at: a run talks to one server, and a load that leaves a cookie out because of its path measures the wrong
thing.
"""

from __future__ import annotations

import re
import time
from email.utils import mktime_tz, parsedate_tz

_PAIR = re.compile(rb"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*([!-:<-~]*)[ \t]*")
_NUMBER = re.compile(rb"-?[0-9]{1,18}")

COOKIES = 50
"""Of one server, as RFC 6265 §6.1 asks of a user agent; the oldest goes."""


class CookieJar:
    """Cookies by name, in the order they came."""

    __slots__ = ("_cookies", "_field")

    def __init__(self) -> None:
        self._cookies: dict[bytes, bytes] = {}
        self._field = b""

    def __bool__(self) -> bool:
        return bool(self._cookies)

    def store(self, value: bytes) -> None:
        """Take the value of a Set-Cookie field; what is no cookie is ignored."""
        pair, *attributes = value.split(b";")
        match = _PAIR.fullmatch(pair)
        if match is None or len(value) > 4_096:
            return
        name, content = match.groups()
        if _is_over(attributes):
            self._cookies.pop(name, None)
        else:
            self._cookies[name] = content
            if len(self._cookies) > COOKIES:
                del self._cookies[next(iter(self._cookies))]
        joined = b"; ".join(b"%b=%b" % each for each in self._cookies.items())
        self._field = b"Cookie: %b\r\n" % joined

    def field(self) -> bytes:
        """Return the field line that sends them."""
        return self._field


def _is_over(attributes: list[bytes]) -> bool:
    """Max-Age goes before Expires (RFC 6265 §5.3 step 3)."""
    expires = False
    for attribute in attributes:
        name, _, value = attribute.partition(b"=")
        kind, value = name.strip().lower(), value.strip()
        if kind == b"max-age" and _NUMBER.fullmatch(value) is not None:
            return int(value) <= 0
        if kind == b"expires":
            moment = parsedate_tz(value.decode("latin-1"))
            try:
                expires = moment is not None and mktime_tz(moment) <= time.time()
            except (ValueError, OverflowError):
                expires = False
    return expires
