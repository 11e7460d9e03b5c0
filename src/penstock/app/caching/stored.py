"""Responses as a store keeps them: octets and back, with what decides about their use (RFC 9111 §3, §4.2).

`measure` says whether and for how long a response may be kept. Octets that are no stored response are none:
None, never an exception.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from struct import Struct
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.app.caching.cache_control import read_cache_control
from penstock.http.dates import format_date, parse_date
from penstock.http.headers import MutableHeaders
from penstock.http.json import dumps, loads
from penstock.http.response import Response

if TYPE_CHECKING:
    from penstock.http.request import Request

_LENGTH: Final = Struct(">I")
_LONG: Final = 100  # octets of what a request says; beyond that their digest does
_RESPONSE: Final = b"R1"
_VARIANTS: Final = b"V1"
# RFC 9110 §15.1 calls them cacheable without being told; 404 and 410 are left to those who say so.
_BY_DEFAULT: Final = frozenset({200, 203, 300, 301, 308})
# RFC 9111 §3.1 and RFC 9110 §7.6.1: of one connection, or made anew for each reply.
_NOT_KEPT: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "upgrade", "content-length", "age", "date"}
)


class Stored(NamedTuple):
    """A response that is kept. Times are of the wall clock, which processes share."""

    status: int
    media_type: str | None
    lines: list[tuple[str, str]]
    body: bytes
    made_at: float
    """When its age was 0."""
    fresh_until: float
    stale_until: float
    """Until then it may be sent while it is made anew."""
    error_until: float
    """Until then it may be sent instead of a failure."""
    is_shared: bool
    """It says itself that it is for everybody, also for who shows who he is."""
    tags: dict[str, str]

    @property
    def kept_until(self) -> float:
        return max(self.fresh_until, self.stale_until, self.error_until)

    def to_response(self, now: float, x_cache: str) -> Response:
        """Return what is sent: the Date it was made at, and the age it has (RFC 9111 §4)."""
        response = Response.__new__(Response)
        response.body, response.status, response.media_type = self.body, self.status, self.media_type
        # PERF: these lines are right already; checking each again takes as long as all the rest
        own = response.own_headers = MutableHeaders()
        own.lines().extend(self.lines)
        own.lines().append(("Date", _date(int(self.made_at))))
        own.lines().append(("Age", str(max(0, int(now - self.made_at)))))
        own.lines().append(("X-Cache", x_cache))
        return response


_date = lru_cache(1024)(format_date)


class Variants(NamedTuple):
    """Kept under the key of a target whose responses vary (RFC 9111 §4.1): by what, and a word that is part
    of the keys of all of them, so that forgetting this forgets them.
    """

    names: tuple[str, ...]
    word: str


class Rules(NamedTuple):
    """What a cache adds to what responses say themselves."""

    ttl_s: float
    """Freshness of a response that says nothing of it; 0: is not kept then."""
    stale_s: float
    error_s: float
    statuses: frozenset[int]
    limit_bytes: int
    allow: frozenset[str]
    """What makes a response nobody else's, and is kept all the same: "set-cookie", "private"."""


def default_statuses() -> frozenset[int]:
    """Return those that are kept although they say nothing of caches."""
    return _BY_DEFAULT


def measure(
    response: Response, rules: Rules, now: float, tags: dict[str, str], *, is_personal: bool
) -> Stored | None:
    """Return what is kept of the response to a GET; None when it may not be."""
    if response.is_stream or len(response.body) > rules.limit_bytes or response.status in (206, 304):
        return None
    own = response.own_headers
    fields = own if own is not None else MutableHeaders()
    said = read_cache_control(fields)
    if "no-store" in said or "no-cache" in said or ("private" in said and "private" not in rules.allow):
        return None
    if "set-cookie" in fields and "set-cookie" not in rules.allow:
        return None
    is_shared = "public" in said or "s-maxage" in said  # RFC 9111 §3.5
    if is_personal and not is_shared:
        return None
    fresh_s = _freshness_s(response, fields, said, rules, now)
    if fresh_s is None:
        return None
    age_s = _age_s(fields)
    is_strict = not said.keys().isdisjoint(("must-revalidate", "proxy-revalidate", "s-maxage"))
    stale_s = 0.0 if is_strict else _told_s(said, "stale-while-revalidate", rules.stale_s)
    error_s = 0.0 if is_strict else _told_s(said, "stale-if-error", rules.error_s)
    fresh_until = now + fresh_s - age_s
    stored = Stored(
        response.status,
        response.media_type,
        [line for line in fields.lines() if line[0].lower() not in _NOT_KEPT],
        response.body,
        now - age_s,
        fresh_until,
        fresh_until + stale_s,
        fresh_until + error_s,
        is_shared,
        tags,
    )
    return stored if stored.kept_until > now else None


def _freshness_s(
    response: Response, fields: MutableHeaders, said: Any, rules: Rules, now: float
) -> float | None:
    """RFC 9111 §4.2.1, as a shared cache; None: it is not kept."""
    for name in ("s-maxage", "max-age"):
        told: int | None = said.get(name)
        if told is not None:
            return told
    expires = fields.get("expires")
    if expires is not None:
        until = parse_date(expires)
        return 0.0 if until is None else until - now  # what is no date has passed (§5.3)
    return rules.ttl_s if response.status in rules.statuses and rules.ttl_s else None


def _age_s(fields: MutableHeaders) -> int:
    text = fields.get("age", "")
    return int(text[:11]) if text.isascii() and text.isdigit() else 0


def _told_s(said: Any, name: str, otherwise: float) -> float:
    told: int | None = said.get(name)
    return otherwise if told is None else told


def vary_names(response: Response) -> tuple[str, ...] | None:
    """Return the request fields a response varies by, in lower case and order; None for `*`."""
    own = response.own_headers
    if own is None:
        return ()
    names = {name.strip(" \t").lower() for line in own.get_all("vary") for name in line.split(",")} - {""}
    return None if "*" in names else tuple(sorted(names))


def variant_key(key: str, variants: Variants, request: Request) -> str:
    """Return the key of the variant for a request: what it says in those fields, spaces aside."""
    get_all = request.headers.get_all
    said = dumps([[name, [" ".join(value.split()) for value in get_all(name)]] for name in variants.names])
    shown = said.decode() if len(said) <= _LONG else sha256(said).hexdigest()
    return f"{key} {variants.word} {shown}"


def write(kept: Stored | Variants) -> bytes:
    """Return the octets that are kept."""
    if isinstance(kept, Variants):
        return _VARIANTS + dumps(list(kept))
    head = dumps([*kept[:3], *kept[4:]])
    return b"%b%b%b%b" % (_RESPONSE, _LENGTH.pack(len(head)), head, kept.body)


def read(octets: bytes | None) -> Stored | Variants | None:
    """Return what octets say; None for what is no such thing."""
    if octets is None:
        return None
    try:
        if octets.startswith(_VARIANTS):
            value: Any = loads(octets[2:])
            names, word = value
            return Variants(tuple(map(str, names)), str(word))
        if not octets.startswith(_RESPONSE):
            return None
        at = 2 + _LENGTH.size
        end = at + _LENGTH.unpack_from(octets, 2)[0]
        value = loads(octets[at:end])
        status, media_type, lines, made_at, fresh_until, stale_until, error_until, is_shared, tags = value
        if not isinstance(tags, dict) or not isinstance(media_type, str | None):
            return None
        return Stored(
            int(status),
            media_type,
            [(str(name), str(value)) for name, value in lines],
            octets[end:],
            float(made_at),
            float(fresh_until),
            float(stale_until),
            float(error_until),
            bool(is_shared),
            tags,
        )
    except (ValueError, TypeError, ArithmeticError, struct_error):
        return None
