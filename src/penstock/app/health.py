"""`health_routes()`: what probes ask, on the address of the application itself.

    app.include(health_routes())

For where there is no admin address, or no way to it. With one, each worker answers for all of them, from the
memory they share; without, for itself. No check is run for a probe and none is waited for, but a probe waits
for the loop of the worker that answers it: whether that is stuck only the admin address can tell.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from penstock.app.routing.router import Router
from penstock.http.request import Request  # noqa: TC001 - read when a handler is
from penstock.http.response import JSONResponse
from penstock.observe import checks, health
from penstock.observe.board import get_shared
from penstock.observe.overview import Figures, Front, Overview
from penstock.observe.release import get_release

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[Overview], tuple[int, dict[str, Any]]]

_NOT_STORED = {"Cache-Control": "no-store"}


def health_routes(prefix: str = "", *, details: bool = False) -> Router:
    """Return a router with `/livez`, `/startupz`, `/readyz` and `/health`, in no OpenAPI document.

    `details`: `/health` quotes why checks fail and lists the workers, which is for operators.
    """
    started = time.monotonic()

    def tell_health(overview: Overview) -> tuple[int, dict[str, Any]]:
        return health.tell_health(overview, is_private=details)

    router = Router(prefix)
    tellers: dict[str, Tell] = {
        "livez": health.tell_alive,
        "startupz": health.tell_started,
        "readyz": health.tell_ready,
        "health": tell_health,
    }
    for name, tell in tellers.items():
        declare = router.get(f"/{name}", name=f"penstock.{name}", run="inline", include_in_schema=False)
        declare(_make_handler(tell, started))
    return router


def _make_handler(tell: Tell, started: float) -> Callable[[Request], JSONResponse]:
    def answer(request: Request) -> JSONResponse:
        status, told = tell(_look(request, started))
        return JSONResponse(told, status, headers=_NOT_STORED)

    return answer


def _look(request: Request, started: float) -> Overview:
    board = get_shared()
    if board is not None:
        return Overview(board)
    server, now, pid = request.server, time.monotonic(), os.getpid()
    is_draining = server is not None and bool(server.draining)
    figures = Figures(
        "draining" if is_draining else "ready", now, get_release(), checks=checks.figures(server)
    )
    front = Front(pid, started, False, 0.0, state=figures.state, workers=[(pid, 1, started, False, 0)])
    return Overview(None, (front, figures))
