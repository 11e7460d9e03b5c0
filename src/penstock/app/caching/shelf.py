"""What is kept of responses, and what may be sent of it: keys, what there is, what is put there.

Whatever needs the store is a generator that yields operations, `("get", key)`, and is sent their results, or
thrown the StoreError: there is one of it for threads and for the loop, and it can be read from top to bottom.
"""

from __future__ import annotations

from hashlib import sha256
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_plus

from penstock.app.caching.cache_control import NONE, read_cache_control
from penstock.app.caching.personal import is_personal
from penstock.app.caching.stored import (
    Rules,
    Stored,
    Variants,
    measure,
    read,
    variant_key,
    vary_names,
    write,
)
from penstock.app.caching.tags import KEPT_S, new_state, state_key
from penstock.errors import StoreError
from penstock.http.partial import narrow
from penstock.http.problem import problem
from penstock.http.response_copy import own_copy
from penstock.http.session import touched_session
from penstock.observe.metrics.server_metrics import cache_lookups

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from penstock.http.request import Request
    from penstock.http.response import Response

    Steps = Generator[tuple[Any, ...], Any, Any]

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CONDITIONS: Final = (
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
)
_CONCERNED: Final = frozenset({"upgrade", "cache-control", "pragma", "authorization", "cookie", *CONDITIONS})
_ERRORS: Final = frozenset({500, 502, 503, 504})  # RFC 5861 §4
_LONG_KEY: Final = 200
_HIT, _STALE, _MISS = (
    cache_lookups.labels(cache="responses", outcome=outcome) for outcome in ("hit", "stale", "miss")
)
_REMEMBERED: Final = 256
_NOT_KEPT_S: Final = 5.0  # how long a target whose responses are not kept is not waited for by others


class Asked(NamedTuple):
    """What a request wants of the cache."""

    key: str
    personal: frozenset[str]
    """The fields by which it shows who it is from."""
    said: Mapping[str, int | None]
    is_alone: bool
    """What answers it is no answer for others: it asks for a part, or on conditions, or for no content."""


class Outcome(NamedTuple):
    """What became of a making."""

    stored: Stored | None
    key: str
    variants: Variants | None = None
    is_error: bool = False


class Shelf:
    """The decisions of a `ResponseCache`, which says what the parameters are."""

    def __init__(
        self,
        rules: Rules,
        *,
        personal: tuple[str, ...],
        tags: tuple[str, ...] | Callable[[Request], Iterable[str]],
        ignored: frozenset[str],
        obey_client: bool,
        invalidate_unsafe: bool,
        prefix: str,
        clock: Callable[[], float],
        remembers: bool,
    ) -> None:
        self._rules = rules
        self._personal = personal
        self._tags = tags
        self._ignored = ignored
        self._obey_client = obey_client
        self._invalidate_unsafe = invalidate_unsafe
        self._prefix = prefix
        self._clock = clock
        self._remembers = remembers
        """The store gives the very same octets again."""
        self._read: dict[str, tuple[bytes, Stored | Variants | None]] = {}
        """What octets of the store said, while they are the very same."""
        self._not_kept: dict[str, float] = {}
        """Targets whose responses were not kept lately, and until when that is believed."""

    # -- what a request wants

    def ask(self, request: Request) -> Asked | None:
        """Return what a request wants; None: the cache has nothing to do with it."""
        method, headers = request.method, request.headers
        if method not in SAFE:
            if not self._invalidate_unsafe:
                return None
            return Asked(self._key(request), frozenset(), NONE, is_alone=True)
        if method not in ("GET", "HEAD") or request.body:
            return None
        # PERF: most requests have none of the fields that matter, which one look at the names tells
        names = _CONCERNED.intersection(headers.keys())
        if not names:
            return Asked(self._key(request), names, NONE, is_alone=method != "GET")
        if "upgrade" in names:
            return None
        said = read_cache_control(headers) if self._obey_client else NONE
        if "no-store" in said:
            return None
        if not said and self._obey_client and "no-cache" in headers.get("pragma", ""):  # RFC 9111 §5.4
            said = {"no-cache": None}
        personal = names.intersection(self._personal)
        is_alone = bool(personal) or method != "GET" or not names.isdisjoint(CONDITIONS)
        return Asked(self._key(request), personal, said, is_alone)

    def _key(self, request: Request, target: str | None = None) -> str:
        if target is None:
            target = request.raw_path.decode("ascii")
            query = self._query(request)
            target = f"{request.prefix}{target}?{query}" if query else request.prefix + target
        key = f"{self._prefix}{request.scheme}://{request.host.lower()}{target}"
        if len(key) <= _LONG_KEY:
            return key
        return f"{self._prefix}#{sha256(key.encode()).hexdigest()}"

    def _query(self, request: Request) -> str:
        query = request.raw_query.decode("latin-1")
        if not self._ignored or not query:
            return query
        parts = query.split("&")
        return "&".join(one for one in parts if unquote_plus(one.partition("=")[0]) not in self._ignored)

    # -- what there is

    def find(self, asked: Asked, request: Request) -> Steps:
        """Return what is kept for a request, fresh or not, and under which key it would be."""
        key, names = asked.key, frozenset[str]()
        try:
            kept = self._said(key, (yield "get", key))
            if isinstance(kept, Variants):
                names = frozenset(kept.names)
                key = variant_key(key, kept, request)
                kept = self._said(key, (yield "get", key))
            if not isinstance(kept, Stored) or (asked.personal - names and not kept.is_shared):
                return None, key
            for tag, state in kept.tags.items():
                found = yield "get", state_key(self._prefix, tag)
                if found is None or found.decode("latin-1") != state:
                    return None, key
        except StoreError:
            return None, key
        return kept, key

    def _said(self, key: str, octets: bytes | None) -> Stored | Variants | None:
        """Return what octets say. PERF: those a memory store gives again are not read again."""
        if octets is None or not self._remembers:
            return read(octets)
        known = self._read.get(key)
        if known is not None and known[0] is octets:
            return known[1]
        kept = read(octets)
        if len(self._read) >= _REMEMBERED:
            self._read = {}
        self._read[key] = (octets, kept)
        return kept

    def from_kept(
        self, request: Request, asked: Asked, stored: Stored | None
    ) -> tuple[Response | None, bool]:
        """Return the answer that can be given of what is kept, and whether a new one is wanted."""
        said, now = asked.said, self._clock()
        if stored is not None and "no-cache" not in said:
            if now < stored.fresh_until and _is_young(stored, said, now):
                _HIT.inc()
                return _answer(request, asked, stored, now, "HIT"), False
            if _may_be_stale(stored, said, now):
                _STALE.inc()
                return _answer(request, asked, stored, now, "STALE"), now < stored.stale_until
        _MISS.inc()
        if "only-if-cached" in said:  # RFC 9111 §5.2.1.7
            return problem(504, detail="not in the cache", headers={"X-Cache": "MISS"}), False
        return None, False

    # -- what is made

    def states(self, request: Request) -> Steps:
        """Return the states of the tags the response will have, as they are before it is made; None when they
        cannot be known.
        """
        tags = self._tags(request) if callable(self._tags) else self._tags
        states: dict[str, str] = {}
        try:
            for tag in [tags] if isinstance(tags, str) else tags:
                key, fresh = state_key(self._prefix, tag), new_state()
                if (yield "add", key, fresh, KEPT_S):
                    states[tag] = fresh.decode()
                    continue
                found = yield "get", key
                states[tag] = (found or b"").decode("latin-1")
                yield "touch", key, KEPT_S
        except StoreError:
            return None
        return states

    def keep(
        self, request: Request, asked: Asked, response: Response, states: dict[str, str] | None
    ) -> Steps:
        """Keep a response, if it may be kept."""
        key, now = asked.key, self._clock()
        is_error = response.status in _ERRORS
        if request.method != "GET" or is_personal(request, response):
            return Outcome(None, key, is_error=is_error)
        names = vary_names(response)
        stored = None
        # The hooks of sessions and tokens may stand further out, and mark the response only after this.
        is_own = touched_session(request) is not None and "private" not in self._rules.allow
        is_own = is_own or request.is_personal
        if names is not None and not is_own:
            is_own = not (asked.personal | request.identified_by).issubset(names)
            stored = measure(response, self._rules, now, states or {}, is_personal=is_own)
        if stored is None or names is None:
            if not asked.is_alone and not is_error:
                self._note_never_kept(key)
            return Outcome(None, key, is_error=is_error)
        ttl_s, variants = stored.kept_until - now, None
        if states is None:  # the store is lost: it is only for those who wait
            return Outcome(stored if not names else None, key)
        try:
            if names:
                kept = self._said(key, (yield "get", key))
                variants = kept if isinstance(kept, Variants) else None
                if variants is None or not set(names) <= set(variants.names):
                    known = variants.names if variants is not None else ()
                    variants = Variants(tuple(sorted({*names, *known})), f"{getrandbits(64):x}")
                    yield "set", key, write(variants), max(ttl_s, KEPT_S)
                key = variant_key(key, variants, request)
            yield "set", key, write(stored), ttl_s
        except StoreError:  # those who wait may have it all the same
            pass
        return Outcome(stored, key, variants)

    def key_for(self, request: Request, asked: Asked, outcome: Outcome) -> str:
        """Return the key of what this request wants, now that it is known what responses vary by."""
        if outcome.stored is None or outcome.variants is None:
            return outcome.key
        return variant_key(asked.key, outcome.variants, request)

    def from_made(
        self,
        request: Request,
        asked: Asked,
        stored: Stored | None,
        outcome: Outcome,
        made: list[Response],
    ) -> Response | None:
        """Return the answer after a making, one's own or somebody else's; None: make it oneself."""
        now = self._clock()
        if stored is not None and outcome.is_error and now < stored.error_until:
            return _answer(request, asked, stored, now, "STALE")
        if made:
            mark = "MISS" if outcome.stored is not None or not asked.personal else "BYPASS"
            return marked(request, made[0], mark)
        if outcome.stored is not None and self.key_for(request, asked, outcome) == outcome.key:
            return _answer(request, asked, outcome.stored, now, "HIT")
        return None

    def is_never_kept(self, key: str) -> bool:
        until = self._not_kept.get(key)
        return until is not None and self._clock() < until

    def _note_never_kept(self, key: str) -> None:
        """Let nobody wait for a response that only one can have."""
        if len(self._not_kept) >= _REMEMBERED:
            self._not_kept = {}
        self._not_kept[key] = self._clock() + _NOT_KEPT_S

    def forget(self, request: Request, asked: Asked, response: Response) -> Steps:
        """RFC 9111 §4.4: what an unsafe method has changed is not what is kept."""
        if response.status >= 400:
            return
        keys = [asked.key]
        for name in ("location", "content-location"):
            target = response.own_headers.get(name, "") if response.own_headers is not None else ""
            if target.startswith("/") and not target.startswith("//"):
                keys.append(self._key(request, target))
        try:
            yield "delete", *keys
        except StoreError:
            pass


def _is_young(stored: Stored, said: Mapping[str, int | None], now: float) -> bool:
    """RFC 9111 §5.2.1.1 and §5.2.1.3."""
    most, left = said.get("max-age"), said.get("min-fresh")
    return (most is None or now - stored.made_at <= most) and (
        left is None or stored.fresh_until - now >= left
    )


def _may_be_stale(stored: Stored, said: Mapping[str, int | None], now: float) -> bool:
    if "max-stale" in said:  # RFC 9111 §5.2.1.2
        most = said["max-stale"]
        return now < stored.kept_until and (most is None or now - stored.fresh_until <= most)
    return stored.fresh_until <= now < stored.stale_until and said.keys().isdisjoint(("max-age", "min-fresh"))


def _answer(request: Request, asked: Asked, stored: Stored, now: float, x_cache: str) -> Response:
    """Return what is kept as the answer to a request: whole, a part of it, or a 304."""
    whole = stored.to_response(now, x_cache)
    if not asked.is_alone:
        return whole
    response = narrow(request, whole)
    if response is not whole:
        for name in ("Date", "Age", "X-Cache"):
            response.headers.set(name, whole.headers[name])
    return response


def marked(request: Request, response: Response, x_cache: str) -> Response:
    """Return the response with a field that says what the cache had to do with it."""
    if response.status == 101 or request.method not in ("GET", "HEAD"):
        return response
    changed = own_copy(response, request)
    changed.headers.set("X-Cache", x_cache)
    return changed
