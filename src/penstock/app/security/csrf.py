"""`CSRF`: an unsafe request must bring a token that only this site's own pages have been given.

A random secret is in a signed, HttpOnly cookie; a page gets it as a token from `csrf_token(request)`, under a
new mask each time, since what is the same in every compressed page can be guessed (BREACH). The token comes
back in a field of the request or of its form, and is compared with the cookie. The cookie is set when a token
is first asked for, so pages without one stay cacheable. Over HTTPS it is `__Host-<name>`, which no other host
of the domain can set. Beside the token the request must say that it comes from this origin.

Absent on purpose: tokens in the query, which end up in logs.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from functools import partial
from hashlib import blake2b
from hmac import compare_digest
from os import urandom
from typing import TYPE_CHECKING, Literal

from penstock.app.security.origins import check_origin, own_origin
from penstock.app.security.signing import Signer
from penstock.app.sessions.carrier import marked
from penstock.errors import ApplicationError, HTTPError, LocalProtocolError
from penstock.http.cookies import render_set_cookie

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.http.form import FormData
    from penstock.http.request import Request
    from penstock.http.response import Response

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*+")
_SECRET_BYTES = 15  # 120 bits: mask and secret are 40 letters without padding
_SHAPE = r"[A-Za-z0-9_-]{40}"
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_+/", b"+/  ")
_WEEK_S = 7 * 86_400


class CSRF:
    """Answers 403 to unsafe requests without the token of this client.

    `secret`: 32 octets or more, or several, of which the first signs and all are accepted. The token is read
    from the field `header`, or from `field` of a form. The cookie lasts `max_age_s` and is renewed when half
    of it is over. `secure` None: the cookie is Secure, and `__Host-<cookie>`, over HTTPS.

    `origins`: other origins whose pages may send requests with a token. `exempt`: templates of routes that
    need none, such as "/webhooks/{name}", or a function of the request. `bind`: what else a token belongs to,
    a function of the request that returns text or None, such as the id of the user who is logged in.
    """

    replaces_outer = True
    copies = True

    def __init__(
        self,
        secret: str | bytes | Iterable[str | bytes],
        *,
        cookie: str = "csrf",
        header: str = "X-CSRF-Token",
        field: str = "csrf_token",
        max_age_s: int = _WEEK_S,
        secure: bool | None = None,
        same_site: Literal["lax", "strict", "none"] = "lax",
        path: str = "/",
        domain: str | None = None,
        origins: Iterable[str] = (),
        exempt: Iterable[str] | Callable[[Request], bool] = (),
        bind: Callable[[Request], str | None] | None = None,
    ) -> None:
        if isinstance(max_age_s, bool) or not isinstance(max_age_s, int) or max_age_s <= 0:
            raise ApplicationError(f"CSRF: max_age_s={max_age_s!r}; expected whole seconds")
        for what, name, pattern in (("header", header, _NAME), ("field", field, _FIELD)):
            if not isinstance(name, str) or pattern.fullmatch(name) is None:
                raise ApplicationError(f"CSRF: {what}={name!r} is no name of a field")
        if isinstance(origins, (str, bytes)):
            raise ApplicationError("CSRF: origins is a list, not one text")
        self._signer = Signer(secret, f"csrf {cookie}")
        self._max_age_s = max_age_s
        self._header, self.header, self.field = header.lower(), header, field
        self._in_form = re.compile(rf"(?:\A|&){field}=({_SHAPE})(?=&|\Z)".encode())
        # Bounded: a body of such lines and no token must not take longer than reading it.
        self._in_parts = re.compile(
            rf'[;\s]name="?{field}"?(?:;[^\r\n]{{0,99}}+)?\r\n(?:[^\r\n]{{1,99}}+\r\n){{0,2}}\r\n({_SHAPE})\r\n'.encode()
        )
        self._origins = frozenset(check_origin(origin, "CSRF") for origin in origins)
        self._is_exempt = exempt if callable(exempt) else _listed(exempt)
        self._bind = bind
        self._secure = secure
        self._rest = {"path": path, "domain": domain, "same_site": same_site, "http_only": True}
        self._names = {False: cookie, True: cookie}
        """Of the cookie, by whether it is Secure."""
        if path == "/" and domain is None and not cookie.startswith("__"):
            self._names[True] = f"__Host-{cookie}"
        for is_secure in (True, False) if secure is None else (secure,):
            try:
                render_set_cookie(self._names[is_secure], "x", secure=is_secure, **self._rest)  # type: ignore[arg-type]
            except LocalProtocolError as error:
                raise ApplicationError(f"CSRF: {error.detail}") from None

    def refusals(self, method: str) -> dict[int, str]:
        """For the OpenAPI document."""
        return {} if method in SAFE else {403: "The token against forged requests is missing or not valid."}

    def before(self, request: Request) -> None:
        request.csrf = exchange = Exchange(self, request)
        if request.method in SAFE or self._is_exempt(request):
            return
        self._check_origin(request)
        secret = exchange.read()
        if secret is None:
            raise _refusal("the cookie is missing, too old or not of this site; load the page again")
        token = request.headers.get(self._header)
        if token is None:
            if request.stream is not None and request.check_form(partial(self._check_form, secret)):
                return
            token = self._token_in_content(request)
            if token is None:
                raise _refusal(f"send the token in {self.header} or in the form's field {self.field}")
        if not is_token_of(secret, token):
            raise _refusal("the token is not of this client; load the page again")

    def after(self, request: Request, response: Response) -> Response:
        """Set the cookie when a token was given away that it is needed for."""
        exchange = request.csrf
        if exchange is None or exchange.owner is not self or response.status == 101:
            return response
        exchange.is_sealed = True
        if not exchange.is_asked:
            return response
        changed = marked(response, request)  # what has a client's token in it is for nobody else
        if exchange.is_new:
            changed.headers.append("Set-Cookie", self._cookie(request, exchange.secret))
        return changed

    # The cookie.

    def secret_of(self, request: Request, max_age_s: int | None = None) -> bytes | None:
        """Return the secret in the cookie of a client, None for none that may be used."""
        text = request.cookies.get(self._names[self._is_secure(request)])
        octets = self._signer.verify(text, max_age_s or self._max_age_s) if text else None
        if octets is None or not compare_digest(octets[_SECRET_BYTES:], self._bound(request)):
            return None
        return octets[:_SECRET_BYTES]

    def young_secret_of(self, request: Request) -> bytes | None:
        """Return the secret in a cookie that has half of its time before it; None for none such."""
        return self.secret_of(request, self._max_age_s // 2 or 1)

    def _cookie(self, request: Request, secret: bytes) -> str:
        is_secure = self._is_secure(request)
        value = self._signer.sign(secret + self._bound(request))
        return render_set_cookie(
            self._names[is_secure],
            value,
            secure=is_secure,
            max_age=self._max_age_s,
            **self._rest,  # type: ignore[arg-type]  # checked at the start
        )

    def _bound(self, request: Request) -> bytes:
        bound = self._bind(request) if self._bind is not None else None
        return b"" if bound is None else blake2b(bound.encode(), digest_size=16).digest()

    def _is_secure(self, request: Request) -> bool:
        return request.scheme == "https" if self._secure is None else self._secure

    # The request.

    def _check_origin(self, request: Request) -> None:
        """HTTPError for a request of another origin; over HTTPS also for one that does not say."""
        fields = request.headers
        if fields.get("sec-fetch-site") == "same-origin":
            return
        origin = fields.get("origin")
        if origin is None and request.scheme == "https":
            referrer = fields.get("referer", "").split("/", 3)
            origin = "/".join(referrer[:3])
            if not origin:
                raise _refusal("over HTTPS a request says where it comes from, in Origin or Referer")
        if origin is not None and origin != own_origin(request) and origin.lower() not in self._origins:
            raise _refusal("this request comes from another site")

    def _check_form(self, secret: bytes, form: FormData) -> None:
        """HTTPError for a form, received behind this hook, without the token."""
        if not is_token_of(secret, form.get(self.field, "")):
            raise _refusal(f"send the token in {self.header} or in the form's field {self.field}")

    def _token_in_content(self, request: Request) -> str | None:
        """Return the token in a form. It is looked for, not parsed for: who knows it may say it anywhere."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()
        if kind == "application/x-www-form-urlencoded":
            found = self._in_form.search(request.body)
        elif kind == "multipart/form-data":
            found = self._in_parts.search(request.body)
        else:
            return None
        return found[1].decode() if found is not None else None


class Exchange:
    """What `CSRF` knows of one request and its answer."""

    __slots__ = ("_request", "_token", "is_asked", "is_new", "is_sealed", "owner", "secret")

    def __init__(self, owner: CSRF, request: Request) -> None:
        self.owner = owner
        self._request = request
        self.secret = b""
        """Of this client; empty: not read yet."""
        self._token = ""
        self.is_new = False
        """The cookie is to be set."""
        self.is_asked = False
        """A token was given away, or the secret changed."""
        self.is_sealed = False

    def read(self) -> bytes | None:
        """Return the secret the client brought; None for none."""
        if not self.secret:
            self.secret = self.owner.secret_of(self._request) or b""
        return self.secret or None

    def token(self) -> str:
        """Return the secret under a mask."""
        if not self._token:
            young = None if self.is_new else self.owner.young_secret_of(self._request)
            if young is not None:
                self.secret = young
            elif self.read() is None:
                self.rotate()
            elif not self.is_sealed:
                self.is_new = True
            self.is_asked = self._request.is_personal = True
            self._token = masked(self.secret)
        return self._token

    def rotate(self) -> None:
        if self.is_sealed:
            raise RuntimeError("the head is sent: ask for a CSRF token before the response, not in a stream")
        self.secret = urandom(_SECRET_BYTES)
        self.is_new = self.is_asked = True
        self._token = ""


def csrf_token(request: Request) -> str:
    """Return the token for the form or the script of a page: 40 letters, other ones for each request. The
    cookie goes with the response.
    """
    return _exchange_of(request).token()


def rotate_csrf(request: Request) -> None:
    """Give this client a new secret, so that no token from before is accepted: for the moment somebody logs
    in. Tokens given away in this request before are void, too.
    """
    _exchange_of(request).rotate()


def _exchange_of(request: Request) -> Exchange:
    exchange: Exchange | None = request.csrf
    if exchange is None:
        raise RuntimeError("a CSRF token needs the hook: App(hooks=[CSRF(secret)])")
    return exchange


def masked(secret: bytes) -> str:
    """Return a token: a random mask, and the secret under it."""
    mask = urandom(_SECRET_BYTES)
    hidden = int.from_bytes(mask) ^ int.from_bytes(secret)
    return b2a_base64(mask + hidden.to_bytes(_SECRET_BYTES), newline=False).translate(_TO_URL).decode()


def is_token_of(secret: bytes, token: str) -> bool:
    """Tell whether a token is the secret under some mask."""
    if len(token) != 40 or not token.isascii():
        return False
    try:
        octets = a2b_base64(token.encode().translate(_FROM_URL), strict_mode=True)
    except ValueError:
        return False
    if len(octets) != 2 * _SECRET_BYTES:
        return False
    shown = int.from_bytes(octets[:_SECRET_BYTES]) ^ int.from_bytes(octets[_SECRET_BYTES:])
    return compare_digest(shown.to_bytes(_SECRET_BYTES), secret)


def _listed(exempt: Iterable[str]) -> Callable[[Request], bool]:
    if isinstance(exempt, (str, bytes)):
        raise ApplicationError("CSRF: exempt is a list, not one text")
    templates = frozenset(exempt)
    for template in templates:
        if not isinstance(template, str) or not template.startswith("/"):
            raise ApplicationError(f"CSRF: exempt: {template!r} is no template of a route")
    return lambda request: request.route in templates


def _refusal(detail: str) -> HTTPError:
    return HTTPError(403, f"CSRF: {detail}")
