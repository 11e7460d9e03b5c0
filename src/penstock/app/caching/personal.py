"""Whether a response was made of what only one client has, whatever its fields say so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.session import touched_session

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response


def is_personal(request: Request, response: Response) -> bool:
    """Tell whether somebody said so of the request, or asked for its session: hooks further out say it in the
    response only later, when it may be kept already. So is a page with the nonce of its request.
    """
    return request.is_personal or touched_session(request) is not None or _has_nonce(request, response)


def _has_nonce(request: Request, response: Response) -> bool:
    """Tell whether a response has the nonce of a Content-Security-Policy: sent again, in the policy it would
    let in whoever has seen it, and beside a new policy no script of the page would run.
    """
    nonce: str | None = getattr(request.state, "csp_nonce", None)
    if nonce is None or response.is_stream:
        return False
    if nonce.encode() in response.body:
        return True
    own, kind = response.own_headers, response.media_type or ""
    is_page = "html" in kind or "xml" in kind
    return is_page and own is not None and any(nonce in value for _, value in own.lines())
