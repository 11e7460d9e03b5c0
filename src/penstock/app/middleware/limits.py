"""`BodyLimit` and `Timeout`: bounds for all routes of an application, a router or one route.

They are no functions but settings: the endpoints are made with them at start-up, a request costs nothing. The
option of a route, `body_limit` or `timeout_s`, says more than any of them, an inner one more than an outer.
"""

from __future__ import annotations

from penstock.errors import ApplicationError


class BodyLimit:
    """Content beyond `limit_bytes` is answered 413, as soon as its length is declared or passed."""

    replaces_outer = True

    def __init__(self, limit_bytes: int) -> None:
        if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int) or limit_bytes < 0:
            raise ApplicationError(f"BodyLimit({limit_bytes!r}): expected a number of octets")
        self.settings = {"body_limit": limit_bytes}


class Timeout:
    """A handler that has not answered after `timeout_s` is answered for with 504; 0 for no limit. What runs
    inline has none: it stops the clock, too.
    """

    replaces_outer = True

    def __init__(self, timeout_s: float) -> None:
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)) or not timeout_s >= 0:
            raise ApplicationError(f"Timeout({timeout_s!r}): expected seconds, 0 for no limit")
        self.settings = {"timeout_s": float(timeout_s)}
