"""`cached=60`: what a route replied, kept in this process as the octets that are sent.

A reply is found by path, query and those header fields and cookies the handler and what it depends on
declare, by scheme and host too where the handler can know them; on the loop, before anything is bound, so
that one that is kept costs what a constant does. Whatever else a handler could look at is refused at
start-up. Of those who want the same reply at once, one has it made. Hooks stay outside: they see each
request. What an exception handler answers is kept for nobody: it has seen the whole request.

PERF: 0.3 us for a look-up; a kept reply of a route with parameters takes 1.1x the CPU of a plain-text hello
(benchmarks/cache.py).
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from penstock.app.caching.cache_control import read_cache_control
from penstock.app.caching.flight import LoopFlights, ThreadFlights
from penstock.app.caching.personal import is_personal
from penstock.app.hooks import read_hook
from penstock.app.injection.tree import walk
from penstock.app.layers import Laid
from penstock.errors import ApplicationError
from penstock.http.handler import INLINE, THREAD
from penstock.http.kept_response import KeptResponse
from penstock.http.partial import narrow
from penstock.http.response import Response
from penstock.observe.metrics.server_metrics import cache_lookups

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable, Iterable

    from penstock.app.binding.signature import Signature
    from penstock.app.failures import Failures
    from penstock.app.routing.router import Placed
    from penstock.http.handler import Answer
    from penstock.http.request import Request

_HIT, _MISS = (cache_lookups.labels(cache="replies", outcome=outcome) for outcome in ("hit", "miss"))
_ENTRIES: Final = 1_024  # of one route; nginx open_file_cache examples have 1,000
_BYTES: Final = 16 * 1024 * 1024
_STATUSES: Final = frozenset({200, 201, 202, 203, 204, 300, 301, 308})
_FREE: Final = frozenset({"path", "query", "header", "cookie", "dependency"})
_CONDITIONS: Final = ("if-none-match", "if-modified-since", "range", "if-match", "if-unmodified-since")


class _Entry:
    """A reply that is kept."""

    __slots__ = ("expires", "is_used", "reply", "size", "validates")

    def __init__(self, response: Response, expires: float, size: int) -> None:
        self.reply = KeptResponse(response, may_be_coded=True)
        self.expires = expires
        self.size = size
        self.is_used = False
        """Since somebody last looked for room."""
        own = response.own_headers
        self.validates = own is not None and ("etag" in own or "last-modified" in own)
        """It has what conditions of a request ask for."""


def keep_replies(
    placed: Placed, signature: Signature, laid: Laid, failures: Failures, hooks: Iterable[Any]
) -> Laid:
    """Return a call that keeps what another replies. It is on the loop, unless `hooks` will be round it that
    may block there.
    """
    options, label = placed.route.options, placed.label
    ttl_s = options.get("cached")
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, (int, float)) or not 0 < ttl_s < float("inf"):
        raise ApplicationError(f"{label}: cached={ttl_s!r}; expected seconds above 0")
    if not set(placed.route.methods) <= {"GET", "HEAD"}:
        raise ApplicationError(f"{label}: cached= is for GET and HEAD")
    vary = options.get("cached_vary")
    names, cookies = _declared(signature, vary, label)
    replies = KeptReplies(
        laid,
        failures,
        ttl_s,
        names,
        cookies,
        knows_method=vary is not None,
        knows_site=vary is not None or "{" in placed.host,
    )
    if laid.run == THREAD and any(map(_may_block, hooks)):
        return Laid(replies.call_in_thread, THREAD)
    return Laid(replies.call, INLINE, may_wait=laid.run != INLINE or laid.may_wait)


def _declared(
    signature: Signature, vary: Iterable[str] | None, label: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the header fields and cookies a handler and what it depends on may look at."""
    names = {name.lower() for name in ([vary] if isinstance(vary, str) else vary or ())}
    cookies = set()
    nodes = tuple(walk(signature))
    for scheme in (getattr(node.function, "security_scheme", None) for node in nodes):
        if scheme is None or scheme.get("in") == "query":  # which is in every key
            continue
        if scheme.get("in") == "cookie":
            cookies.add(scheme["name"])
        else:
            names.add(scheme.get("name", "authorization").lower())
    for each in (signature, *(node.signature for node in nodes)):
        for argument in each.arguments:
            if argument.source == "header":
                names.add(argument.key.lower())
            elif argument.source == "cookie":
                cookies.add(argument.key)
            elif argument.source == "request" and vary is not None:
                continue
            elif argument.source not in _FREE:
                raise ApplicationError(
                    f"{label}: parameter {argument.name!r}: what is made of it cannot be kept for others "
                    "(cached=); declare the header fields it looks at, or name them: cached_vary=['accept']"
                )
    return tuple(sorted(names)), tuple(sorted(cookies))


class KeptReplies:
    """What one route replied."""

    def __init__(
        self,
        laid: Laid,
        failures: Failures,
        ttl_s: float,
        names: tuple[str, ...] = (),
        cookies: tuple[str, ...] = (),
        *,
        knows_method: bool = False,
        knows_site: bool = False,
    ) -> None:
        self._laid = laid
        self._failures = failures
        self._ttl_s = ttl_s
        self._names = names
        self._cookies = cookies
        self._knows_method = knows_method
        self._knows_site = knows_site
        self._varies = bool(names or cookies or knows_method or knows_site)
        self._entries: dict[Hashable, _Entry] = {}
        """Oldest first; those in use are passed over once when room is needed."""
        self._bytes = 0
        self._flights = ThreadFlights()
        self._loop_flights = LoopFlights()

    def call(self, request: Request) -> Answer:
        """Return the kept reply, else have one made: at once where the handler runs inline."""
        # PERF: octets are their own key; a tuple and what it varies by only where there is a need
        query = request.raw_query
        key: Hashable = (request.raw_path, query) if query else request.raw_path
        if self._varies:
            key = self._varied(key, request)
        entry = self._entries.get(key)
        if entry is not None and monotonic() < entry.expires:
            entry.is_used = True
            _HIT.inc()
            return narrowed(request, entry) if entry.validates else entry.reply
        _MISS.inc()
        if self._laid.run != INLINE:
            return self._make_later(request, key)
        answer = self._laid.call(request)
        if isinstance(answer, Response):
            self._keep(request, key, answer)
            return answer
        return self._keep_later(request, key, answer)

    def call_in_thread(self, request: Request) -> Answer:
        """The same for one who waits in a thread."""
        key = self._varied((request.raw_path, request.raw_query), request)
        entry = self._entries.get(key)
        if entry is not None and monotonic() < entry.expires:
            entry.is_used = True
            _HIT.inc()
            return narrowed(request, entry)
        _MISS.inc()
        made: list[Answer] = []

        def make() -> _Entry | None:
            made.append(self._laid.call(request))
            return self._keep(request, key, made[0]) if isinstance(made[0], Response) else None

        entry = self._flights.run(key, make)
        if made:
            return made[0]
        return self._laid.call(request) if entry is None else narrowed(request, entry)

    def _varied(self, key: Hashable, request: Request) -> Hashable:
        get_all, cookies = request.headers.get_all, request.cookies if self._cookies else {}
        fields = tuple([tuple(get_all(name)) for name in self._names])
        method = request.method if self._knows_method else ""
        site = (request.scheme, request.host.lower(), request.prefix) if self._knows_site else ()
        return key, fields, tuple([cookies.get(name) for name in self._cookies]), method, site

    async def _make_later(self, request: Request, key: Hashable) -> Response:
        made: list[Response] = []

        async def make() -> _Entry | None:
            made.append(await self._make(request))
            return self._keep(request, key, made[0])

        entry = await self._loop_flights.run(key, make)
        if made:
            return made[0]
        return await self._make(request) if entry is None else narrowed(request, entry)

    async def _make(self, request: Request) -> Response:
        """Call the handler where it belongs."""
        server = request.server
        try:
            if self._laid.run == THREAD and server is not None:
                answer: Answer = await server.run_in_thread(self._laid.call, request)
            else:
                answer = self._laid.call(request)
        except BaseException as error:  # no thread is free
            return await self._failures.answer_async(request, error)
        return answer if isinstance(answer, Response) else await answer

    async def _keep_later(self, request: Request, key: Hashable, answer: Awaitable[Response]) -> Response:
        response = await answer
        self._keep(request, key, response)
        return response

    def _keep(self, request: Request, key: Hashable, response: Response) -> _Entry | None:
        """Keep a reply; None when it is not for others, or not for later."""
        size = len(response.body) + 1_000
        if response.is_stream or response.status not in _STATUSES or size > _BYTES // 8:
            return None
        if is_personal(request, response) or request.has_failed:
            return None
        own = response.own_headers
        if own is not None:
            if "set-cookie" in own or "connection" in own or "*" in own.get("vary", ""):
                return None
            if not read_cache_control(own).keys().isdisjoint(("no-store", "private", "no-cache")):
                return None
            response = Response(response.body, response.status, own.lines(), response.media_type)
        entry = _Entry(response, monotonic() + self._ttl_s, size)
        old = self._entries.pop(key, None)
        self._bytes += size - (0 if old is None else old.size)
        self._entries[key] = entry
        if len(self._entries) > _ENTRIES or self._bytes > _BYTES:
            self._make_room()
        return entry

    def _make_room(self) -> None:
        """Let go of replies, the oldest first; one that was used is given another round."""
        entries, now = self._entries, monotonic()
        for key in list(entries):
            if len(entries) <= _ENTRIES and self._bytes <= _BYTES:
                return
            entry = entries.pop(key, None)
            if entry is None:
                continue
            if entry.is_used and now < entry.expires:
                entry.is_used = False
                entries[key] = entry
            else:
                self._bytes -= entry.size
        while len(entries) > _ENTRIES or self._bytes > _BYTES:  # all of them were used
            self._bytes -= entries.pop(next(iter(entries))).size


def narrowed(request: Request, entry: _Entry) -> Response:
    """Return the reply, or what the conditions of a request make of it."""
    reply, headers = entry.reply, request.headers
    if entry.validates and any(name in headers for name in _CONDITIONS):
        answer = narrow(request, reply.original)
        return reply if answer is reply.original else answer
    return reply


def _may_block(hook: Any) -> bool:
    """Tell whether a hook, being plain, may have been written for the threads of `def` handlers."""
    if type(hook).__module__.startswith("penstock.") and not hasattr(hook, "function"):
        return False
    read = read_hook(hook)
    return any(form is not None and form.waits is None for form in (read.before, read.after, read.around))
