"""`/cookies`, `/cookies/set` and `/cookies/delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import BadRequest, RedirectResponse, Request, Router
from penstock.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

router = Router(tags=["cookies"])


@router.get("/cookies", run="inline")
def cookies(request: Request) -> dict[str, Any]:
    """The cookies that came."""
    return {"cookies": request.cookies}


@router.get("/cookies/set", run="inline")
def set_cookies(request: Request) -> RedirectResponse:
    """Set the cookies the query names, and lead to `/cookies`."""
    return _set(request, request.query.items())


@router.get("/cookies/set/{name}/{value}", run="inline")
def set_cookie(request: Request, name: str, value: str) -> RedirectResponse:
    """Set one, and lead to `/cookies`."""
    return _set(request, [(name, value)])


@router.get("/cookies/delete", run="inline")
def delete_cookies(request: Request) -> RedirectResponse:
    """Delete the cookies the query names, and lead to `/cookies`."""
    response = RedirectResponse("/cookies", 302)
    try:
        for name in request.query.keys():  # noqa: SIM118 - each name once
            response.delete_cookie(name)
    except LocalProtocolError as error:
        raise BadRequest(f"no cookie: {error.detail}") from None
    return response


def _set(request: Request, pairs: Iterable[tuple[str, str]]) -> RedirectResponse:
    response = RedirectResponse("/cookies", 302)
    try:
        for name, value in pairs:
            response.set_cookie(name, value, secure=request.scheme == "https", same_site=None)
    except LocalProtocolError as error:
        raise BadRequest(f"no cookie: {error.detail}") from None
    return response
