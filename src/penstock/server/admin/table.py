"""The paths of the admin endpoint: a `Handler` like any application, with a table for a router.

A page takes the request and the `Sources`, and returns a response of any kind, streams and events included;
one that waits is an `async def` with `run=TASK`. GET and HEAD are all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.http.handler import INLINE, Endpoint
from penstock.http.problem import problem
from penstock.http.response import RedirectResponse
from penstock.server.admin import figures, live, probes
from penstock.server.admin.dashboard.page import tell_dashboard
from penstock.server.admin.private import refuse_foreign
from penstock.server.admin.requests import tell_requests
from penstock.wire.limits import STANDARD_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Answer, ServerView
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.admin.sources import Sources


class Page(NamedTuple):
    """What is told at a path, and where that runs: INLINE does not block, TASK may wait."""

    tell: Callable[[Request, Sources], Answer]
    run: int = INLINE
    is_private: bool = False
    """Not for other sites in an operator's browser: `private`."""


PAGES: Final[dict[str, Page]] = {
    "/livez": Page(probes.tell_alive),
    "/startupz": Page(probes.tell_started),
    "/readyz": Page(probes.tell_ready),
    "/health": Page(probes.tell_health, is_private=True),
    "/metrics": Page(figures.tell_metrics),
    "/status": Page(figures.tell_status, is_private=True),
    "/debug/requests": Page(tell_requests, is_private=True),
    "/dashboard": Page(tell_dashboard, is_private=True),
    "/live": Page(live.tell_look, is_private=True),
    "/live/history": Page(live.tell_history, is_private=True),
    "/live/events": Page(live.tell_events, is_private=True),
}


class AdminHandler:
    """Answers by the table."""

    methods = STANDARD_METHODS
    interface = "admin"

    def __init__(self, sources: Sources) -> None:
        self._live = sources.live
        self._endpoints = {
            path.encode(): Endpoint(_bind(page, sources), page.run, body_limit=0, route=path)
            for path, page in PAGES.items()
        }
        self._absent = Endpoint(_answer_absent, INLINE, body_limit=0)
        self._not_allowed = Endpoint(_answer_not_allowed, INLINE, body_limit=0)

    def resolve(self, request: Request) -> Endpoint:
        endpoint = self._endpoints.get(request.raw_path)
        if endpoint is None:
            return self._absent
        return endpoint if request.method in ("GET", "HEAD") else self._not_allowed

    async def startup(self, server: ServerView) -> None:
        """Begin to look at the figures once a second."""
        self._live.start(server)

    async def shutdown(self) -> None:
        self._live.stop()


def _bind(page: Page, sources: Sources) -> Callable[[Request], Answer]:
    if page.is_private:
        return lambda request: refuse_foreign(request) or page.tell(request, sources)
    return lambda request: page.tell(request, sources)


def _answer_absent(request: Request) -> Response:
    if request.raw_path == b"/" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(
            "/dashboard", headers={"Cache-Control": "no-store"}
        )  # a person, by the banner
    return problem(404, detail=f"here are {', '.join(PAGES)}")


def _answer_not_allowed(_: Request) -> Response:
    return problem(405, detail="this endpoint changes nothing", headers={"Allow": "GET, HEAD"})
