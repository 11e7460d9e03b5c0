"""What the admin endpoint answers: probes and figures, all read from the board. It changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from penstock.http.handler import INLINE, Endpoint
from penstock.http.problem import problem
from penstock.http.response import JSONResponse, Response
from penstock.observe.overview import Overview
from penstock.wire.limits import STANDARD_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import ServerView
    from penstock.http.request import Request
    from penstock.observe.board import Board

_NOT_STORED: Final = {"Cache-Control": "no-store"}


class AdminHandler:
    """Answers from the board."""

    methods = STANDARD_METHODS
    interface = "admin"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._endpoints = {
            path: Endpoint(partial(self._answer, tell), INLINE, body_limit=0, route=path.decode())
            for path, tell in _TELLERS.items()
        }
        self._absent = Endpoint(_answer_absent, INLINE, body_limit=0)
        self._not_allowed = Endpoint(_answer_not_allowed, INLINE, body_limit=0)

    def resolve(self, request: Request) -> Endpoint:
        endpoint = self._endpoints.get(request.raw_path)
        if endpoint is None:
            return self._absent
        return endpoint if request.method in ("GET", "HEAD") else self._not_allowed

    async def startup(self, server: ServerView) -> None:
        """Nothing to get ready."""

    async def shutdown(self) -> None:
        """Nothing to let go."""

    def _answer(self, tell: Callable[[Overview], tuple[int, Any]], _: Request) -> Response:
        status, content = tell(Overview(self._board))
        return JSONResponse(content, status, headers=_NOT_STORED)


def _tell_alive(overview: Overview) -> tuple[int, Any]:
    return (200, {"status": "ok"}) if overview.is_alive else (503, {"status": overview.status})


def _tell_ready(overview: Overview) -> tuple[int, Any]:
    return 200 if overview.status == "ok" else 503, {"status": overview.status}


def _tell_health(overview: Overview) -> tuple[int, Any]:
    return 200 if overview.status == "ok" else 503, overview.health()


def _tell_metrics(overview: Overview) -> tuple[int, Any]:
    return 200, overview.metrics()


def _tell_status(overview: Overview) -> tuple[int, Any]:
    return 200, {**overview.metrics(), "requests": overview.requests()}


_TELLERS: Final[dict[bytes, Callable[[Overview], tuple[int, Any]]]] = {
    b"/livez": _tell_alive,
    b"/readyz": _tell_ready,
    b"/health": _tell_health,
    b"/metrics": _tell_metrics,
    b"/status": _tell_status,
}


def _answer_absent(_: Request) -> Response:
    paths = ", ".join(path.decode() for path in _TELLERS)
    return problem(404, detail=f"here are {paths}")


def _answer_not_allowed(_: Request) -> Response:
    return problem(405, detail="this endpoint changes nothing", headers={"Allow": "GET, HEAD"})
