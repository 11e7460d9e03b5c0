"""What both kinds of session share: the cookie, the lifetime, and a response marked as one client's own.

A session is over `max_age_s` after it began, and `idle_s` after it was last used. Use is not noted to the
second: a session is renewed when a tenth of `idle_s` has passed, so that most requests write nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from penstock.errors import ApplicationError, LocalProtocolError
from penstock.http.cookies import render_set_cookie
from penstock.http.response_copy import add_vary, own_copy

if TYPE_CHECKING:
    from penstock.http.headers import MutableHeaders
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.http.session import Kept, Session, SessionOpener

SameSite = Literal["lax", "strict", "none"]
MAX_AGE_S = 1_209_600  # two weeks: Django, Starlette
COOKIE_BYTES = 4093  # of a whole Set-Cookie value: the least of what browsers were found to keep
_MARKS = [("Vary", "Cookie"), ("Cache-Control", "private")]
_SKEW_S = 60  # one host's clock may be behind another's by this much


class Lifetime(NamedTuple):
    """When a session is over."""

    max_age_s: int
    idle_s: int | None

    def left_s(self, kept: Kept, now: float) -> int:
        """Return for how many seconds it may still be used; 0 when it is over."""
        if kept.begun_s > now + _SKEW_S:
            return 0
        end = kept.begun_s + self.max_age_s
        if self.idle_s is not None:
            end = min(end, kept.renewed_s + self.idle_s)
        return max(0, int(end - now))

    def is_due(self, kept: Kept) -> bool:
        """Tell whether its last use is to be noted."""
        return self.idle_s is not None and time.time() - kept.renewed_s >= self.idle_s / 10

    @classmethod
    def checked(cls, where: str, max_age_s: object, idle_s: object) -> Lifetime:
        for name, value in (("max_age_s", max_age_s), ("idle_s", 1 if idle_s is None else idle_s)):
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise ApplicationError(f"{where}: {name}={value!r}; expected whole seconds above 0")
        return cls(max_age_s, idle_s)  # type: ignore[arg-type]  # as just checked


class Carrier:
    """The cookie. `secure` None: over HTTPS only; the prefix `__Host-` always is."""

    def __init__(
        self,
        where: str,
        name: str,
        *,
        path: str,
        domain: str | None,
        secure: bool | None,
        same_site: SameSite,
        host_prefix: bool,
        persistent: bool,
    ) -> None:
        self.name = f"__Host-{name}" if host_prefix else name
        self._secure = True if host_prefix else secure
        self._persistent = persistent
        self._rest: dict[str, Any] = {"path": path, "domain": domain, "same_site": same_site}
        self._rest["http_only"] = True
        try:
            render_set_cookie(self.name, "x", secure=bool(self._secure), **self._rest)
        except LocalProtocolError as error:
            raise ApplicationError(f"{where}: {error.detail}") from None

    def value(self, request: Request) -> str | None:
        return request.cookies.get(self.name)

    def put(self, request: Request, response: Response, value: str, age_s: int) -> bool:
        """Set the cookie; False when it is longer than what browsers keep."""
        if len(self.name) + len(value) > COOKIE_BYTES:
            return False
        cookie = self._rendered(request, value, age_s if self._persistent else None, None)
        if len(cookie) > COOKIE_BYTES:
            return False
        response.headers.append("Set-Cookie", cookie)
        return True

    def remove(self, request: Request, response: Response) -> None:
        """Have the client forget the cookie, if it sent one."""
        if self.name in request.cookies:
            response.headers.append("Set-Cookie", self._rendered(request, "", 0, 0))

    def _rendered(self, request: Request, value: str, max_age: int | None, expires: int | None) -> str:
        secure = request.scheme == "https" if self._secure is None else self._secure
        return render_set_cookie(
            self.name, value, max_age=max_age, expires=expires, secure=secure, **self._rest
        )


class Late:
    """Opens sessions when the response is on its way: they can be read, and change no more."""

    def __init__(self, opener: SessionOpener) -> None:
        self._opener = opener

    def open_session(self, request: Request) -> Session:
        session = self._opener.open_session(request)
        session.seal()
        return session


def sealed_session(owner: object, late: Late, request: Request) -> Session | None:
    """Return the session this hook opened, if anybody asked it for a value; it changes no more."""
    session = request.opened_session
    if session is None:
        request.open_session_with(late)
        return None
    if session.owner is not owner:
        return None
    session.seal()
    return session if session.is_touched else None


def octets_to_write(session: Session, lifetime: Lifetime) -> bytes | None:
    """Return the values to write: those that changed, or the same when use is to be noted; else None."""
    octets = session.changed()
    if octets is None and session.kept is not None and lifetime.is_due(session.kept):
        return session.kept.octets
    return octets


def begun_s(session: Session, now: int) -> int:
    """Return when the session that is written now began."""
    return now if session.kept is None or session.is_rotated else session.kept.begun_s


def marked(response: Response, request: Request) -> Response:
    """Return a copy that no shared cache keeps (RFC 9111 §5.2.2.7), and none for another cookie."""
    # The answer to a handshake is one connection's already, and has no copy.
    changed = response if response.status == 101 else own_copy(response, request)
    fields = changed.headers
    lines = fields.lines()
    if not lines:  # PERF: 1.5 us less, for most
        lines.extend(_MARKS)
        return changed
    add_vary(fields, "Cookie")
    _make_private(fields)
    return changed


def _make_private(fields: MutableHeaders) -> None:
    stated = fields.get("cache-control")
    if stated is None:
        fields.append("Cache-Control", "private")
        return
    directives = [one.strip() for one in stated.split(",")]
    names = [one.partition("=")[0].lower() for one in directives]
    if "no-store" in names or "private" in directives:
        return
    kept = [one for one, name in zip(directives, names, strict=True) if name not in ("public", "s-maxage")]
    fields.set("Cache-Control", ", ".join([*kept, "private"]))
