"""The pages with live figures: one look a second at what the processes told, sent to everybody who watches.

The looks go on while nobody watches, so that a page that is opened later has a past. A viewer is sent the
newest look as soon as it has taken the one before, so a slow one misses some and holds nobody back. A bug in
a look costs that look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from penstock.http.event_stream import EventStream
from penstock.http.events import Event
from penstock.http.json import dumps
from penstock.http.problem import problem
from penstock.observe.live.figures import INTERVAL_S, Feed
from penstock.server.admin.forms import as_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from penstock.http.handler import ServerView
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.observe.live.windows import Series
    from penstock.observe.overview import Overview
    from penstock.server.admin.sources import Sources

_log = logging.getLogger("penstock.server")

VIEWERS_LIMIT: Final = 32
_AGAIN_MS: Final = 1000


class Live:
    """The feed, and the Task that feeds it, in the process that answers."""

    def __init__(self, look: Callable[[], Overview], count: Callable[[], Iterable[Series]]) -> None:
        from penstock import __version__

        self.feed = Feed(__version__)
        self.viewers = 0
        self._look = look
        self._count = count
        self._text = ""
        """The last look as JSON; "" until somebody wants it."""
        self._fresh = asyncio.Event()
        self._task: Any = None

    def start(self, server: ServerView) -> None:
        """Look from now on."""
        self._task = server.run_soon(self._run())

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            try:
                self.feed.take(self._look(), self._count(), time.time())
            except Exception:
                # The border of the Task: the next second has its own look.
                _log.exception("a bug in the server; live figures miss a second")
            self._text = ""
            fresh, self._fresh = self._fresh, asyncio.Event()
            fresh.set()
            due = max(due + INTERVAL_S, time.monotonic())  # after a pause nothing is made up for
            await asyncio.sleep(due - time.monotonic())

    async def events(self) -> AsyncIterator[Event]:
        """The history, then each look."""
        self.viewers += 1
        try:
            yield Event(self.feed.history(), event="history", retry_ms=_AGAIN_MS)
            while True:
                fresh = self._fresh
                if self.feed.latest:
                    yield Event(self._tell(), event="look")
                await fresh.wait()
        finally:
            self.viewers -= 1

    def _tell(self) -> str:
        if not self._text:
            self._text = dumps(self.feed.latest).decode()
        return self._text


def tell_look(_: Request, sources: Sources) -> Response:
    """The newest look."""
    latest = sources.live.feed.latest
    return as_json(latest) if latest else problem(503, detail="not looked yet", headers={"Retry-After": "1"})


def tell_history(_: Request, sources: Sources) -> Response:
    """The last minutes."""
    return as_json(sources.live.feed.history())


def tell_events(_: Request, sources: Sources) -> Response:
    """Both, as they come."""
    live = sources.live
    if live.viewers >= VIEWERS_LIMIT:
        return problem(503, detail=f"{VIEWERS_LIMIT} watch already", headers={"Retry-After": "5"})
    return EventStream(live.events(), headers={"Cache-Control": "no-store"})
