"""Whether a response was made of what only one client has, whatever its fields say so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.session import touched_session

if TYPE_CHECKING:
    from penstock.http.request import Request


def is_personal(request: Request) -> bool:
    """Tell whether somebody said so of the request, or asked for its session: hooks further out say it in the
    response only later, when it may be kept already.
    """
    return request.is_personal or touched_session(request) is not None
