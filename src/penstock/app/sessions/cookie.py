"""`CookieSessions`: the whole session in a signed cookie. No store, any number of servers.

Signed, not encrypted: the client can read it and cannot change it. What was once sent stays valid until it
expires: a client that kept an old cookie can go back to it, also after `clear`. Where that matters (logging
out everywhere, a counter of attempts), the session belongs on the server. Of two requests at once, the last
answer the browser gets is the session.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from penstock.app.security.signing import Signer
from penstock.app.sessions.carrier import (
    COOKIE_BYTES,
    MAX_AGE_S,
    Carrier,
    Late,
    Lifetime,
    SameSite,
    begun_s,
    marked,
    octets_to_write,
    sealed_session,
)
from penstock.errors import LocalProtocolError
from penstock.http.session import Kept, Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.request import Request
    from penstock.http.response import Response

_SEEN = 256  # cookies of at most 4 KB: 1 MB together


class CookieSessions:
    """Opens `request.session`, kept in a signed cookie.

    `secret`: 32 octets or more, or several, of which the first signs and all are accepted. A session is over
    `max_age_s` after it began and `idle_s` after its last use. `secure` None: the cookie is Secure over
    HTTPS. `host_prefix`: the cookie is `__Host-<name>`, which no other host of the site can set; it needs
    HTTPS. `persistent=False`: the browser forgets it when it is closed.
    """

    replaces_outer = True
    copies = True

    def __init__(
        self,
        secret: str | bytes | Iterable[str | bytes],
        *,
        name: str = "session",
        max_age_s: int = MAX_AGE_S,
        idle_s: int | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        same_site: SameSite = "lax",
        host_prefix: bool = False,
        persistent: bool = True,
    ) -> None:
        self._lifetime = Lifetime.checked("CookieSessions", max_age_s, idle_s)
        self._carrier = Carrier(
            "CookieSessions",
            name,
            path=path,
            domain=domain,
            secure=secure,
            same_site=same_site,
            host_prefix=host_prefix,
            persistent=persistent,
        )
        self._signer = Signer(secret, f"session {self._carrier.name}")
        self._seen: dict[str, Kept] = {}
        """By the text of the cookie, once verified. PERF: 1.8 us less for a client that comes again."""
        self._late = Late(self)

    def before(self, request: Request) -> None:
        request.open_session_with(self)

    def after(self, request: Request, response: Response) -> Response:
        """Write the session if it changed, and not for a failure of the server (5xx)."""
        session = sealed_session(self, self._late, request)
        if session is None:
            return response
        answer = marked(response, request)
        if answer.status < 500:
            self._write(session, request, answer)
        return answer

    def open_session(self, request: Request) -> Session:
        """Return the session of a request, unread."""
        return Session(partial(self._read, request), self)

    def _read(self, request: Request, _: Session) -> Kept | None:
        text = self._carrier.value(request)
        if not text:
            return None
        kept = self._seen.get(text)
        if kept is None:
            packed = self._signer.verify(text, None)
            if packed is None:
                return None
            kept = Kept.unpacked(packed)
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen[text] = kept
        return kept if self._lifetime.left_s(kept, time.time()) else None

    def _write(self, session: Session, request: Request, response: Response) -> None:
        if not session:
            self._carrier.remove(request, response)
            return
        octets = octets_to_write(session, self._lifetime)
        if octets is None:
            return
        now = int(time.time())
        kept = Kept(begun_s(session, now), now, octets)
        if len(octets) < COOKIE_BYTES:
            text = self._signer.sign(kept.packed())
            if self._carrier.put(request, response, text, self._lifetime.left_s(kept, now)):
                return
        raise LocalProtocolError(
            detail=f"the session has {len(octets)} octets of JSON, which do not fit into a cookie of "
            f"{COOKIE_BYTES}; put less into it, or keep it on the server: ServerSessions(store)"
        )
