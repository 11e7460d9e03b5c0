"""`/redirect/{n}`, `/relative-redirect/{n}`, `/absolute-redirect/{n}` and `/redirect-to`.

The last leads wherever the query says: one more reason not to put this application where others reach it.
"""

from __future__ import annotations

from typing import Final

from http_benchmark.targets.httpbin.bounds import REDIRECTS, check_count, int_of
from penstock import BadRequest, RedirectResponse, Request, Router

router = Router(tags=["redirects"])

_ALL: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _redirect(request: Request, n: int, *, absolute: bool) -> RedirectResponse:
    check_count(n, REDIRECTS, "the number of redirects", least=1)
    kind = "absolute" if absolute else "relative"
    path = "/get" if n == 1 else f"/{kind}-redirect/{n - 1}"
    return RedirectResponse(f"{request.scheme}://{request.host}{path}" if absolute else path, 302)


@router.get("/redirect/{n:int}", run="inline")
def redirect(request: Request, n: int) -> RedirectResponse:
    """`n` redirects, 302, on the way to `/get`; `?absolute=true` for absolute ones."""
    return _redirect(request, n, absolute=request.query.get("absolute", "").lower() == "true")


@router.get("/relative-redirect/{n:int}", run="inline")
def relative_redirect(request: Request, n: int) -> RedirectResponse:
    """`n` redirects to paths."""
    return _redirect(request, n, absolute=False)


@router.get("/absolute-redirect/{n:int}", run="inline")
def absolute_redirect(request: Request, n: int) -> RedirectResponse:
    """`n` redirects to URLs."""
    return _redirect(request, n, absolute=True)


@router.route("/redirect-to", _ALL, run="inline")
def redirect_to(request: Request) -> RedirectResponse:
    """A redirect to `url`, of `status_code`, by default 302."""
    url = request.query.get("url") or ""
    if not url or not url.isprintable():
        raise BadRequest("where to? /redirect-to?url=/get")
    return RedirectResponse(url, int_of(request, "status_code", 302, 399, least=300))
