"""`FetchMetadata`: what pages of other sites make a browser send is refused, where it would change something.

No token and no cookie: a browser says itself where a request comes from, in Sec-Fetch-Site (Fetch Metadata)
over HTTPS and to localhost, and in Origin for every unsafe method. Who sends neither is no browser of this
decade, has no cookies of somebody else's, and passes. Safe methods pass: they must change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.security.origins import check_origin, own_origin
from penstock.errors import ApplicationError, HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.request import Request

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1


class FetchMetadata:
    """Answers 403 to unsafe requests from other origins. `origins`: other origins that are allowed all the
    same. `same_site`: allow those of one's own site, other subdomains. `exempt`: templates of routes, such as
    "/webhooks/{name}", that anybody may use.
    """

    replaces_outer = True

    def __init__(
        self, *, origins: Iterable[str] = (), same_site: bool = False, exempt: Iterable[str] = ()
    ) -> None:
        if isinstance(origins, str) or isinstance(exempt, str):
            raise ApplicationError("FetchMetadata: origins and exempt are lists, not one text")
        self._origins = frozenset(check_origin(origin, "FetchMetadata") for origin in origins)
        self._sites = frozenset({"same-origin", "none", *(["same-site"] if same_site else [])})
        self._exempt = frozenset(exempt)
        for template in self._exempt:
            if not isinstance(template, str) or not template.startswith("/"):
                raise ApplicationError(f"FetchMetadata: exempt: {template!r} is no template of a route")

    def refusals(self, method: str) -> dict[int, str]:
        """For the OpenAPI document."""
        return {} if method in _SAFE else {403: "The request comes from another site."}

    def before(self, request: Request) -> None:
        if request.method in _SAFE or request.route in self._exempt:
            return
        fields = request.headers
        site, origin = fields.get("sec-fetch-site"), fields.get("origin")
        if site is None:
            if origin is None or origin == own_origin(request):
                return
        elif site in self._sites:
            return
        if origin not in self._origins:
            raise HTTPError(403, "this request comes from another site")
