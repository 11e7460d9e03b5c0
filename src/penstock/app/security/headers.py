"""`SecurityHeaders`: the fields by which a browser is told to be careful.

They are put together at start-up, so a head that comes again is kept by the server as without them; only a
Content-Security-Policy with a nonce is a new one each time. A field that a route sets itself stays as it is.
Strict-Transport-Security is sent over HTTPS only (RFC 6797 §7.2).
"""

from __future__ import annotations

from binascii import b2a_base64
from os import urandom
from typing import TYPE_CHECKING, Literal

from penstock.errors import ApplicationError, LocalProtocolError
from penstock.http.headers import MutableHeaders
from penstock.http.response_copy import with_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from penstock.http.request import Request
    from penstock.http.response import Response

_NONCE = "{nonce}"
_CSP = ("Content-Security-Policy", "Content-Security-Policy-Report-Only")


class SecurityHeaders:
    """Sets the security fields; None or False leaves one out.

    `csp` and `csp_report_only` are texts; `'nonce-{nonce}'` in one stands for the request's nonce, which
    handlers and templates find as `request.state.csp_nonce`. `permissions`: by feature who may use it,
    `{"camera": [], "geolocation": ["self", "https://maps.example"]}`. HSTS lasts `hsts_max_age_s`, 0 for
    none.
    """

    replaces_outer = True
    copies = True

    def __init__(
        self,
        *,
        hsts_max_age_s: int = 31_536_000,
        hsts_subdomains: bool = False,
        hsts_preload: bool = False,
        nosniff: bool = True,
        frame: Literal["DENY", "SAMEORIGIN"] | None = "DENY",
        referrer: str | None = "strict-origin-when-cross-origin",
        opener: str | None = "same-origin",
        embedder: str | None = None,
        resource: str | None = None,
        permissions: Mapping[str, Iterable[str]] | None = None,
        csp: str | None = None,
        csp_report_only: str | None = None,
    ) -> None:
        values = {
            "X-Content-Type-Options": "nosniff" if nosniff else None,
            "X-Frame-Options": frame,
            "Referrer-Policy": referrer,
            "Cross-Origin-Opener-Policy": opener,
            "Cross-Origin-Embedder-Policy": embedder,
            "Cross-Origin-Resource-Policy": resource,
            "Permissions-Policy": None if permissions is None else _permissions(permissions),
            _CSP[0]: csp,
            _CSP[1]: csp_report_only,
        }
        plain = MutableHeaders([(name, value) for name, value in values.items() if value])
        secure = plain.copy()
        if hsts := _hsts(hsts_max_age_s, subdomains=hsts_subdomains, preload=hsts_preload):
            secure.append("Strict-Transport-Security", hsts)
        try:
            secure.rendered()
        except LocalProtocolError as error:
            raise ApplicationError(f"SecurityHeaders: {error.detail}") from None
        self._names = frozenset(secure.keys())
        self._policies = [(name, text) for name, text in secure.lines() if name in _CSP and _NONCE in text]
        """Those that are new in each request; the rest is the same."""
        for name, _ in self._policies:
            plain.delete(name)
            secure.delete(name)
        self._plain, self._secure = plain, secure
        self._has_nonce = bool(self._policies)
        self.before: Callable[[Request], None] | None = self._give_nonce if self._has_nonce else None

    def after(self, request: Request, response: Response) -> Response:
        if response.status == 101:
            return response
        fields = self._secure if request.scheme == "https" else self._plain
        if self._has_nonce:
            self._give_nonce(request)
            fields, nonce = fields.copy(), request.state.csp_nonce
            fields.lines().extend([(name, text.replace(_NONCE, nonce)) for name, text in self._policies])
        return with_missing(response, fields, self._names, request)

    @staticmethod
    def _give_nonce(request: Request) -> None:
        """Once for each request; not by `before` when an earlier hook has answered."""
        state = request.state
        if not hasattr(state, "csp_nonce"):
            # CSP 3 §2.3: 128 bits or more. PERF: 1.0 us, `secrets.token_urlsafe` takes 2.8.
            state.csp_nonce = b2a_base64(urandom(18), newline=False).decode()


def _hsts(max_age_s: object, *, subdomains: bool, preload: bool) -> str | None:
    if isinstance(max_age_s, bool) or not isinstance(max_age_s, int) or max_age_s < 0:
        raise ApplicationError(f"SecurityHeaders: hsts_max_age_s={max_age_s!r}; expected whole seconds")
    if preload and not (subdomains and max_age_s >= 31_536_000):
        raise ApplicationError(
            "SecurityHeaders: hsts_preload needs hsts_subdomains=True and a year; browsers' lists ask for it"
        )
    if not max_age_s:
        return None
    return f"max-age={max_age_s}" + "; includeSubDomains" * subdomains + "; preload" * preload


def _permissions(permissions: Mapping[str, Iterable[str]]) -> str:
    """Return the value of Permissions-Policy: a dictionary of lists (RFC 8941)."""
    parts = []
    for feature, allowed in permissions.items():
        if isinstance(allowed, str):
            raise ApplicationError(f"SecurityHeaders: permissions[{feature!r}]={allowed!r}; expected a list")
        shown = [one if one in ("self", "src", "*") else f'"{one}"' for one in allowed]
        parts.append(f"{feature}=*" if shown == ["*"] else f"{feature}=({' '.join(shown)})")
    return ", ".join(parts)
