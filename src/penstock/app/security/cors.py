"""CORS: which pages of other origins may read what an application answers (Fetch standard, §3.3).

A preflight is answered before anything else is asked: the request it announces may be refused later, with a
reply the page can read. What depends on the origin says so in `Vary`, also where there was none to answer.
An origin is never sent back unless it is listed, matches the pattern or satisfies the predicate; "null",
which any page can make itself, never is. Absent on purpose: what the server answers by itself, malformed
requests and passed limits and deadlines, has no CORS fields.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.app.security.origins import check_origin, is_origin
from penstock.errors import ApplicationError, HTTPError
from penstock.http.headers import MutableHeaders
from penstock.http.response import Response
from penstock.http.response_copy import add_vary, own_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.http.request import Request

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_ALLOW_ORIGIN = "access-control-allow-origin"
_VARY = ("Vary", "Origin")
_LENGTHS = (len("vary"), len(_ALLOW_ORIGIN))


class CORS:
    """Lets pages of other origins in. `origins`: "*" for any, a list such as `["https://example.org"]`, a
    compiled pattern that matches a whole origin, or a function of one.

    `headers` a page may send and `expose` those it may read beside the safelisted ones, "*" for all but
    Authorization. `credentials`: with cookies; nothing may then be "*". `private_network`: also pages from
    the public internet, where this is a private address.
    """

    replaces_outer = True
    answers_preflight = True
    copies = True

    def __init__(
        self,
        origins: str | Iterable[str] | re.Pattern[str] | Callable[[str], bool],
        *,
        methods: Iterable[str] = _METHODS,
        headers: Iterable[str] = (),
        expose: Iterable[str] = (),
        credentials: bool = False,
        max_age_s: int = 600,
        private_network: bool = False,
    ) -> None:
        listed, self._is_allowed = _read_origins(origins)
        """None: any origin, and the answer is the same for all."""
        named = {
            "methods": _names(methods, "methods"),
            "headers": _names(headers, "headers"),
            "expose": _names(expose, "expose"),
        }
        wild = [name for name, value in named.items() if value == "*"]
        if credentials and (wild or self._is_allowed is None):
            raise ApplicationError(
                f"CORS({wild[0] if wild else 'origins'}='*', credentials=True): a browser takes no '*' with "
                "credentials; name what is allowed"
            )
        if isinstance(max_age_s, bool) or not isinstance(max_age_s, int) or max_age_s < 0:
            raise ApplicationError(f"CORS: max_age_s={max_age_s!r}; expected whole seconds")
        self._private_network = private_network
        self._credentials = [("Access-Control-Allow-Credentials", "true")] if credentials else []
        self._exposed = [("Access-Control-Expose-Headers", named["expose"])] if named["expose"] else []
        self._preflight = [("Access-Control-Allow-Methods", named["methods"])]
        if named["headers"]:
            self._preflight.append(("Access-Control-Allow-Headers", named["headers"]))
        self._preflight.append(("Access-Control-Max-Age", str(max_age_s)))
        self._for_none = MutableHeaders([_VARY])
        self._for_listed = {origin: self._for_origin(origin) for origin in listed}
        self._for_all = MutableHeaders([("Access-Control-Allow-Origin", "*"), *self._exposed])

    def before(self, request: Request) -> Response | None:
        """Answer a preflight; HTTPError 403 for one of an origin that is not allowed."""
        if request.method != "OPTIONS":
            return None
        origin = request.headers.get("origin")
        if origin is None or request.headers.get("access-control-request-method") is None:
            return None
        if self._is_allowed is not None and not self._is_allowed(origin):
            raise HTTPError(403, "CORS: pages of this origin may not use this")
        lines = self._preflight
        asked = request.headers.get("access-control-request-private-network")
        if self._private_network and asked == "true":
            lines = [*lines, ("Access-Control-Allow-Private-Network", "true")]
        return Response(b"", 204, lines)

    def after(self, request: Request, response: Response) -> Response:
        """Return the response with the fields of CORS. An Access-Control-Allow-Origin of its own stays."""
        if response.status == 101:  # a WebSocket handshake checks the origin itself
            return response
        added = self._for_all if self._is_allowed is None else self._fields_for(request.headers.get("origin"))
        changed = own_copy(response, request)
        own = changed.own_headers
        if own is None:
            changed.own_headers = added.copy()
            return changed
        # PERF: names are told apart by their length first, 1 us less
        names = [name.lower() for name, _ in own.lines() if len(name) in _LENGTHS]
        lines = added.lines()
        if added is not self._for_all and "vary" in names:
            add_vary(own, "Origin")
            lines = lines[1:]
        if _ALLOW_ORIGIN in names:
            lines = [line for line in lines if line == _VARY]
        own.lines().extend(lines)
        return changed

    def _fields_for(self, origin: str | None) -> MutableHeaders:
        """Return Vary, and behind it what this origin is told. PERF: put together once for those listed."""
        if origin is None:
            return self._for_none
        fields = self._for_listed.get(origin)
        if fields is not None:
            return fields
        is_told = not self._for_listed and self._is_allowed is not None and self._is_allowed(origin)
        return self._for_origin(origin) if is_told else self._for_none

    def _for_origin(self, origin: str) -> MutableHeaders:
        allowed = ("Access-Control-Allow-Origin", origin)
        return MutableHeaders([_VARY, allowed, *self._credentials, *self._exposed])


def _read_origins(origins: object) -> tuple[frozenset[str], Callable[[str], bool] | None]:
    """Return those listed, and what tells whether an origin is allowed; None when any is."""
    if origins == "*":
        return frozenset(), None
    if isinstance(origins, re.Pattern):
        fullmatch = origins.fullmatch
        return frozenset(), lambda origin: is_origin(origin) and fullmatch(origin) is not None
    if callable(origins):
        decide = origins
        return frozenset(), lambda origin: is_origin(origin) and bool(decide(origin))
    if isinstance(origins, (str, bytes)) or not hasattr(origins, "__iter__"):
        raise ApplicationError(
            f"CORS: origins={origins!r}; expected '*', a list of origins, a compiled pattern or a function"
        )
    if "*" in (given := list(origins)):
        raise ApplicationError("CORS: origins=['*']; write origins='*'")
    listed = frozenset(check_origin(origin, "CORS") for origin in given)
    return listed, listed.__contains__


def _names(names: object, where: str) -> str:
    """Return names for one field; "*" for any."""
    if names == "*":
        return "*"
    if isinstance(names, (str, bytes)) or not hasattr(names, "__iter__"):
        raise ApplicationError(f"CORS: {where}={names!r}; expected '*' or a list of names")
    listed = list(names)
    for name in listed:
        if not isinstance(name, str) or _TOKEN.fullmatch(name) is None or name == "*":
            raise ApplicationError(f"CORS: {where}: {name!r} is no name")
    return ", ".join(dict.fromkeys(name.upper() if where == "methods" else name for name in listed))
