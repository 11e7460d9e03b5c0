"""When a worker has served enough: by requests, by age, by memory, each within a tenth of its limit.

The tenth is by chance, so that workers that began together do not end together. The worker only tells; its
supervisor starts another and lets it go once that one serves.
"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING

from penstock.observe.memory import measure_rss

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.server.config import Config
    from penstock.server.reactor import Reactor

    Resolve = Callable[[Request], Endpoint]

_JITTER = 0.1
_TICK_S = 1.0


class Recycling:
    """Calls `tell(reason)` once, when the first of the limits is reached."""

    def __init__(self, config: Config, reactor: Reactor, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._is_told = False
        self._loop = reactor.loop
        self._requests = max(1, round(_vary(config.max_requests)))
        self._rss_bytes = _vary(config.max_rss_bytes)
        self._until = time.monotonic() + _vary(config.max_lifetime_s) if config.max_lifetime_s else None
        if config.max_requests:  # who sets no limit pays nothing
            reactor.resolve = partial(self._count, reactor.resolve)
        if self._rss_bytes or self._until is not None:
            self._look()

    def _count(self, resolve: Resolve, request: Request) -> Endpoint:
        self._requests -= 1
        if not self._requests:
            self._say("it has served its --max-requests")
        return resolve(request)

    def _look(self) -> None:
        if self._until is not None and time.monotonic() >= self._until:
            self._say("it has reached its --max-lifetime")
        elif self._rss_bytes and measure_rss() >= self._rss_bytes:
            self._say("it has grown to its --max-rss")
        if not self._is_told:
            self._loop.call_later(_TICK_S, self._look)

    def _say(self, reason: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell(reason)


def _vary(limit: float) -> float:
    return limit * random.uniform(1 - _JITTER, 1)  # noqa: S311 - nothing to guess here
