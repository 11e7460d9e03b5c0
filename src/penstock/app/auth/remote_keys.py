"""Keys an issuer publishes, kept here and fetched anew in a thread when they are old or do not suffice.

No request waits for keys it does not need: old ones stay in use while new ones are fetched. One fetch runs at
a time, whoever wants it. A token decides nothing about the address, and how often it may cause a fetch is
bounded.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from penstock.app.auth.jws import read_key_set
from penstock.errors import ApplicationError, HTTPError
from penstock.http.json import loads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.request import OpenerDirector

    from penstock.app.auth.jws import Key, KeySet, Token

_log = logging.getLogger("penstock.auth")

_LIMIT_BYTES = 1 << 19
_PIECE_BYTES = 1 << 16
_PAUSE_S = 30.0  # between two fetches that tokens cause
_SHORT_PAUSE_S = 2.0  # as long as there are no keys at all
_LOCAL = ("localhost", "127.0.0.1", "::1")


class RemoteKeys:
    """The keys at one address."""

    def __init__(self, url: str, algorithms: Sequence[str], *, max_age_s: float, timeout_s: float) -> None:
        parts = urlsplit(url) if isinstance(url, str) else None
        is_safe = parts is not None and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
        )
        if parts is None or not is_safe or not parts.hostname:
            raise ApplicationError(f"jwks_url={url!r}: expected a URL of https, or of http on this machine")
        if not max_age_s > 0 or not timeout_s > 0:
            raise ApplicationError(
                f"max_age_s={max_age_s!r}, timeout_s={timeout_s!r}; expected seconds above 0"
            )
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._url = url
        self._algorithms = algorithms
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched = 0.0
        """When the keys came; when the last fetch began."""
        self._tried = float("-inf")
        self._fetch: Future[None] | None = None
        self._is_failing = False

    async def candidates(self, token: Token) -> list[Key]:
        """Return the keys that may have signed a token. HTTPError 503 when there are none of any kind."""
        keys = self._keys
        found = keys.candidates(token) if keys is not None else []
        if found:
            if time.monotonic() - self._fetched > self._max_age_s:
                self._begin()
            return found
        fetch = self._begin()
        if fetch is not None:
            # Shielded: who goes away does not end it for the others.
            await asyncio.shield(asyncio.wrap_future(fetch))
        if self._keys is None:
            seconds = str(int(_SHORT_PAUSE_S))
            raise HTTPError(503, "the keys of the issuer cannot be had", headers={"Retry-After": seconds})
        return self._keys.candidates(token)

    def _begin(self) -> Future[None] | None:
        """Return the fetch that runs, or one begun now; None when the last is too short ago."""
        with self._lock:
            if self._fetch is not None:
                return self._fetch
            pause_s = _SHORT_PAUSE_S if self._keys is None else _PAUSE_S
            now = time.monotonic()
            if now - self._tried < pause_s:
                return None
            self._tried = now
            fetch = self._fetch = Future()
        threading.Thread(target=self._run, args=(fetch,), name="penstock-jwks", daemon=True).start()
        return fetch

    def _run(self, fetch: Future[None]) -> None:
        failure, keys = None, None
        try:
            received = read_key_set(loads(self._received()), self._algorithms)
            if not len(received):
                raise ValueError(f"no key for {', '.join(self._algorithms)}")
            keys = received
        except Exception as error:  # whatever a network and its libraries come up with
            failure = error
        with self._lock:
            if keys is not None:
                self._keys, self._fetched = keys, time.monotonic()
            self._fetch = None
            is_news, self._is_failing = self._is_failing != (failure is not None), failure is not None
        if is_news and failure is not None:
            kept = "tokens cannot be verified" if self._keys is None else "those known stay in use"
            _log.error("the keys at %s cannot be had, %s: %s", self.shown, kept, _told(failure))
        elif is_news:
            _log.warning("the keys at %s can be had again", self.shown)
        fetch.set_result(None)

    def _received(self) -> bytes:
        """Return what is at the address, within the limits of time and size."""
        from urllib.error import HTTPError as Refused
        from urllib.request import Request

        end = time.monotonic() + self._timeout_s
        request = Request(self._url, headers={"Accept": "application/json"})  # noqa: S310 - the scheme is checked
        try:
            opened = _opener().open(request, timeout=self._timeout_s)
        except Refused as error:
            with error:  # which holds the connection
                raise ValueError(f"status {error.code}") from None
        with opened as reply:
            octets = b""
            while piece := reply.read1(_PIECE_BYTES):
                octets += piece
                if len(octets) > _LIMIT_BYTES:
                    raise ValueError(f"more than {_LIMIT_BYTES} octets")
                if time.monotonic() > end:
                    raise TimeoutError(f"not whole within {self._timeout_s:g} s")
        return octets


@cache
def _opener() -> OpenerDirector:
    """Return what opens addresses. It reads the certificates of all authorities, which takes 0.2 s."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        """Goes nowhere else: who answers for the address decides about keys, nobody further."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    return build_opener(Stay)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
