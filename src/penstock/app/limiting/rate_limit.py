"""`RateLimit`: a hook that lets each client ask so often, and refuses more with 429.

Every answer says what is left, in the fields of the IETF draft (draft-ietf-httpapi-ratelimit-headers), and a
refusal when to come again. Clients are told apart by their address, IPv6 by its /64, which is one household's
to choose from; behind a proxy, name it as trusted, or everybody is the proxy. Give several for several
rates; each counts for itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Literal

from penstock.app.limiting.algorithms import SlidingWindow, TokenBucket, Verdict
from penstock.app.limiting.rate import Rate
from penstock.app.stores.guard import guard
from penstock.app.stores.memory import MemoryStore
from penstock.errors import ApplicationError, HTTPError, StoreError
from penstock.http.response_copy import own_copy
from penstock.observe.metrics.server_metrics import rate_limit_refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.app.limiting.algorithms import Algorithm
    from penstock.app.stores.store import Store
    from penstock.http.request import Request
    from penstock.http.response import Response

_NAME = re.compile(r"[0-9A-Za-z._:/-]{1,64}")  # what needs no escape in the fields, nor in a key
_LONG_KEY: Final = 80
_LARGEST_WINDOW: Final = 10_000  # requests that are kept one by one
_PROBLEM: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_numbers = count(1)


class RateLimit:
    """Lets `rate`, such as "100/minute", through for each `key(request)`; the client's address where that is
    None, or unless given.

    `store`: where it is counted, in this process unless given; workers share a `RedisStore`. `algorithm`:
    "token-bucket" lets `burst` requests come at once, the whole quota unless given, and then one by one;
    "sliding-window" never more than the quota in any window. `exempt(request)`: who is not counted. `lost`:
    whether requests "pass" or are refused with 503, "refuse", while the store is lost. `name` says what is
    counted together: two of one name share their counts.
    """

    copies = True

    def __init__(
        self,
        rate: str,
        *,
        key: Callable[[Request], str | None] | None = None,
        store: Store | None = None,
        algorithm: Literal["token-bucket", "sliding-window"] = "token-bucket",
        burst: int | None = None,
        exempt: Callable[[Request], bool] | None = None,
        lost: Literal["pass", "refuse"] = "pass",
        name: str | None = None,
        limit_keys: int = 100_000,
        headers: bool = True,
    ) -> None:
        self.rate = Rate.parse(rate)
        number = next(_numbers)
        self.name = f"limit-{number}" if name is None else name
        if _NAME.fullmatch(self.name) is None:
            raise ApplicationError(f"RateLimit: name={name!r}; expected up to 64 of 0-9 A-Z a-z . _ : / -")
        if lost not in ("pass", "refuse"):
            raise ApplicationError(f"RateLimit: lost={lost!r}; expected 'pass' or 'refuse'")
        store = MemoryStore(limit_entries=limit_keys) if store is None else store
        if not hasattr(store, "update") and not hasattr(store, "run_script"):
            raise ApplicationError(f"RateLimit: {store!r} cannot count; use a MemoryStore or a RedisStore")
        self._algorithm = self._choose(algorithm, burst)
        self._guard = guard(store)
        self._store: Any = self._guard.store
        self._key = key
        self._exempt = exempt
        self._lost = lost
        self._headers = headers
        self._state = f"rate_limit_{number}"
        self._policy = f'"{self.name}";q={self.rate.quota};w={self.rate.window_s}'
        if not store.blocks:
            self.abefore = None  # type: ignore[method-assign,assignment]  # nothing waits

    def _choose(self, algorithm: str, burst: int | None) -> Algorithm:
        if algorithm == "token-bucket":
            if burst is not None and (not isinstance(burst, int) or burst < 1):
                raise ApplicationError(f"RateLimit: burst={burst!r}; expected a number above 0")
            return TokenBucket(self.rate, burst or self.rate.quota)
        if algorithm != "sliding-window":
            raise ApplicationError(
                f"RateLimit: algorithm={algorithm!r}; expected 'token-bucket' or 'sliding-window'"
            )
        if burst is not None:
            raise ApplicationError("RateLimit: burst is for the token bucket")
        if self.rate.quota > _LARGEST_WINDOW:
            raise ApplicationError(
                f"RateLimit: a sliding window keeps each request, {_LARGEST_WINDOW} at most; a token bucket "
                "does not"
            )
        return SlidingWindow(self.rate)

    # -- the hook

    def refusals(self, method: str) -> dict[int, str]:  # noqa: ARG002 - the same for all
        """For the OpenAPI document."""
        lost = {503: "What counts the requests cannot be reached."} if self._lost == "refuse" else {}
        return {429: "Too many requests."} | lost

    def before(self, request: Request) -> None:
        if self._exempt is None or not self._exempt(request):
            self._decide(request, self._count(self._key_of(request)))

    async def abefore(self, request: Request) -> None:
        if self._exempt is None or not self._exempt(request):
            self._decide(request, await self._acount(self._key_of(request)))

    def after(self, request: Request, response: Response) -> Response:
        verdict: Verdict | None = getattr(request.state, self._state, None)
        if verdict is None or response.status == 101 or not self._headers:
            return response
        changed = own_copy(response, request)
        changed.headers.append("RateLimit-Policy", self._policy)
        left = f'"{self.name}";r={verdict.remaining};t={_whole(verdict.full_in_s)}'
        changed.headers.append("RateLimit", left)
        return changed

    # -- for handlers and dependencies

    def check(self, key: str) -> None:
        """Count one for this key, whoever asks; HTTPError 429 when that is too many."""
        self._decide(None, self._count(self._named(key)))

    async def acheck(self, key: str) -> None:
        self._decide(None, await self._acount(self._named(key)))

    # -- counting

    def _key_of(self, request: Request) -> str:
        key = self._key(request) if self._key is not None else None
        return self._named(client_key(request) if key is None else f"key:{key}")

    def _named(self, key: str) -> str:
        if len(key) > _LONG_KEY or not key.isascii():
            key = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return f"rate:{self.name}:{self._algorithm.kind}:{key}"

    def _count(self, key: str) -> Verdict | None:
        try:
            if hasattr(self._store, "update"):
                verdict: Verdict = self._guard.use(self._store.update, key, self._algorithm.count)
                return verdict
            return self._guard.use(self._ask, key)
        except StoreError:
            return None

    async def _acount(self, key: str) -> Verdict | None:
        if hasattr(self._store, "update"):
            return self._count(key)
        try:
            return await self._guard.ause(self._aask, key)
        except StoreError:
            return None

    def _ask(self, key: str) -> Verdict:
        algorithm = self._algorithm
        return algorithm.read(self._store.run_script(algorithm.script, (key,), *algorithm.arguments))

    async def _aask(self, key: str) -> Verdict:
        algorithm = self._algorithm
        return algorithm.read(await self._store.arun_script(algorithm.script, (key,), *algorithm.arguments))

    def _decide(self, request: Request | None, verdict: Verdict | None) -> None:
        if verdict is None:
            if self._lost == "refuse":
                raise HTTPError(503, "requests cannot be counted at the moment", headers={"Retry-After": "5"})
            return
        if request is not None:
            setattr(request.state, self._state, verdict)
        if not verdict.is_allowed:
            rate_limit_refusals.inc(limit=self.name)
            retry_in_s = max(1, _whole(verdict.retry_in_s))
            raise HTTPError(
                429,
                f"more than {self.rate.quota} requests in {self.rate.window_s} s; again in {retry_in_s} s",
                type=_PROBLEM,
                title="Quota Exceeded",
                headers={"Retry-After": str(retry_in_s)},
                **{"violated-policies": [self.name]},
            )


def _whole(seconds: float) -> int:
    return ceil(seconds - 1e-4)  # what rounding has added is no second


def client_key(request: Request) -> str:
    """Return who a request is from, by address: all of an IPv6 /64 are one.

    A client without an address, over a Unix socket, is one with all others like it.
    """
    client = request.client
    if client is None:
        return "client:none"
    address = client[0]
    return f"client:{_network(address) if ':' in address else address}"


@lru_cache(4096)
def _network(address: str) -> str:
    from ipaddress import IPv6Address

    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
