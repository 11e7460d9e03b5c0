"""`ServerSessions`: a random name in the cookie, the session itself in a store.

The name has 256 random bits and is made here, never taken from a client: one that is not in the store is
nobody's. The store has a hash of it, so that who reads the store cannot act as its clients. Of two requests
at once each writes the keys it changed, upon what the store has by then; a session that has ended meanwhile
is not written again. A store that is lost makes empty sessions that are not kept (`Session.is_lost`).

What has to be asked of the store is said by generators, which both forms of the hook drive: one logic, on the
loop and in threads.
"""

from __future__ import annotations

import re
import time
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from penstock.app.sessions.carrier import (
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
from penstock.app.stores.guard import guard
from penstock.errors import StoreError
from penstock.http.session import Kept, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from penstock.app.stores.store import Store
    from penstock.http.request import Request
    from penstock.http.response import Response

    Step = tuple[str, tuple[Any, ...]]
    """An operation of a store by name, and its arguments."""
    Steps = Generator[Step, Any, None]

_ID = re.compile(r"[0-9A-Za-z_-]{43}")
_ID_BYTES = 32


class ServerSessions:
    """Opens `request.session`, kept in `store` (`MemoryStore()`, `RedisStore(url)`) under a random name, the
    cookie. The options are those of `CookieSessions`.

    With a store that waits for I/O the session is fetched before an `async def` handler runs, where a client
    sends the cookie; a `def` handler fetches it when it asks.
    """

    replaces_outer = True
    copies = True

    def __init__(
        self,
        store: Store,
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
        self._lifetime = Lifetime.checked("ServerSessions", max_age_s, idle_s)
        self._carrier = Carrier(
            "ServerSessions",
            name,
            path=path,
            domain=domain,
            secure=secure,
            same_site=same_site,
            host_prefix=host_prefix,
            persistent=persistent,
        )
        self._store = guard(store)
        self._late = Late(self)
        waits = self._store.blocks
        self.abefore: Callable[[Request], Coroutine[Any, Any, None]] | None = self._fetch if waits else None
        self.aafter: Callable[[Request, Response], Coroutine[Any, Any, Response]] | None = (
            self._after_waiting if waits else None
        )

    def before(self, request: Request) -> None:
        request.open_session_with(self)

    def open_session(self, request: Request) -> Session:
        """Return the session of a request, unread."""

        def read(session: Session) -> Kept | None:
            name = self._sent_name(request)
            try:
                return None if name is None else self._valid(self._store.get(self._key(name)))
            except StoreError:
                session.is_lost = True
                return None

        return Session(read, self)

    def after(self, request: Request, response: Response) -> Response:
        """Write the session if it changed, and not for a failure of the server (5xx)."""
        session = sealed_session(self, self._late, request)
        if session is None:
            return response
        answer = marked(response, request)
        if answer.status < 500:
            steps = self._writing(session, request, answer)
            try:
                name, args = next(steps)
                while True:
                    name, args = steps.send(getattr(self._store, name)(*args))
            except (StopIteration, StoreError):  # the guard has told of it
                pass
        return answer

    async def _fetch(self, request: Request) -> None:
        """Open the session, read where there is anything to read."""
        name = self._sent_name(request)
        if name is None:
            request.open_session_with(self)
            return
        kept, is_lost = None, False
        try:
            kept = self._valid(await self._store.aget(self._key(name)))
        except StoreError:
            is_lost = True
        request.session = session = Session(lambda _: kept, self)
        session.is_lost = is_lost

    async def _after_waiting(self, request: Request, response: Response) -> Response:
        session = sealed_session(self, self._late, request)
        if session is None:
            return response
        answer = marked(response, request)
        if answer.status < 500:
            steps = self._writing(session, request, answer)
            try:
                name, args = next(steps)
                while True:
                    name, args = steps.send(await getattr(self._store, "a" + name)(*args))
            except (StopIteration, StoreError):
                pass
        return answer

    def _writing(self, session: Session, request: Request, response: Response) -> Steps:
        """Yield what is to be asked of the store, and set the cookie by what it answers."""
        name = self._sent_name(request)
        if not session:
            if session.is_lost and not session.is_rotated:
                return  # what the store cannot tell now may be there later
            self._carrier.remove(request, response)
            if name is not None and session.is_rotated:
                yield "delete", (self._key(name),)
            return
        octets = octets_to_write(session, self._lifetime)
        if octets is None or session.is_lost:
            return
        now = int(time.time())
        kept = Kept(begun_s(session, now), now, octets)
        if name is None or session.kept is None or session.is_rotated:
            if name is not None and session.kept is not None:
                # First: should the store be lost in between, nobody keeps the rights of the old session.
                yield "delete", (self._key(name),)
            name = token_urlsafe(_ID_BYTES)
        else:
            there = self._valid((yield "get", (self._key(name),)))
            if there is None:  # ended by another request, and not begun again by this one
                self._carrier.remove(request, response)
                return
            kept = kept._replace(octets=session.upon(there.octets, octets))
        left_s = self._lifetime.left_s(kept, now)
        yield "set", (self._key(name), kept.packed(), left_s)
        self._carrier.put(request, response, name, left_s)

    def _sent_name(self, request: Request) -> str | None:
        name = self._carrier.value(request)
        return name if name is not None and _ID.fullmatch(name) else None

    def _key(self, name: str) -> str:
        return "session:" + sha256(f"{self._carrier.name} {name}".encode()).hexdigest()

    def _valid(self, packed: bytes | None) -> Kept | None:
        if packed is None:
            return None
        kept = Kept.unpacked(packed)
        return kept if self._lifetime.left_s(kept, time.time()) else None
