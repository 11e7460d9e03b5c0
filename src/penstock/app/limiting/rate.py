"""`Rate`: so many requests in so much time, as "100/minute" says it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from penstock.errors import ApplicationError

_RATE = re.compile(r"([1-9][0-9]{0,8}) ?(?:/|per) ?([1-9][0-9]{0,5} ?)?(s|second|m|minute|h|hour|d|day)s?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Rate(NamedTuple):
    """`quota` requests in any `window_s`."""

    quota: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Return what a text says; ApplicationError when it says no rate.

        >>> Rate.parse("100/minute"), Rate.parse("5 per 30 seconds"), Rate.parse("1000/d")
        (Rate(quota=100, window_s=60), Rate(quota=5, window_s=30), Rate(quota=1000, window_s=86400))
        """
        match = _RATE.fullmatch(text.strip().lower()) if isinstance(text, str) else None
        if match is None:
            raise ApplicationError(
                f"RateLimit({text!r}): expected a rate such as '100/minute', '5/10 seconds' or '1000 per day'"
            )
        return cls(int(match[1]), int(match[2] or 1) * _SECONDS[match[3][0]])
