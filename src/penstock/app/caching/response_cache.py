"""`ResponseCache`: a hook that keeps whole responses in a store, as the shared cache of RFC 9111.

A response is found by method, scheme, host, path, query and what it varies by. What clients and handlers
say in Cache-Control counts. Nothing is kept that sets a cookie, is private, or answers who shows who he is,
unless the response itself says that it is for everybody, or one was told so. Of those who want the same
response at once, one has it made, in each process.

What is to be decided is in `shelf.py`; here it is done, in a thread or on the loop. Absent on purpose:
partial responses are not kept, and no handler is asked whether a stale response still holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import copy_context
from threading import BoundedSemaphore, Event, Thread
from typing import TYPE_CHECKING, Any, Final

from penstock.app.caching.flight import LoopFlights, ThreadFlights
from penstock.app.caching.shelf import CONDITIONS, SAFE, Outcome, Shelf, marked
from penstock.app.caching.stored import Rules, default_statuses
from penstock.app.caching.tags import ainvalidate_tags, invalidate_tags
from penstock.app.stores.guard import guard
from penstock.errors import ApplicationError, StoreError
from penstock.http.endings import close_endings
from penstock.http.framing import Framing
from penstock.http.handler import TASK
from penstock.http.headers import Headers
from penstock.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from penstock.app.caching.shelf import Asked, Steps
    from penstock.app.stores.store import Store
    from penstock.http.response import Response

_log = logging.getLogger("penstock.store")

_ALLOWED: Final = frozenset({"authorization", "cookie", "set-cookie", "private"})
_REFRESHERS: Final = 8


class ResponseCache:
    """Keeps responses in `store`, for `ttl_s` unless they say how long themselves.

    `stale_s`: for so much longer an old response is sent while a new one is made; `error_s`: or when making
    one fails. `tags`: names by which `invalidate` forgets, for all or by `tags(request)`. `ignore_query`:
    names in the query that make no difference. `allow`: what is kept although it is somebody's own, of
    "authorization", "cookie" (requests with that field), "set-cookie", "private" (responses).
    """

    copies = True
    replaces_outer = True

    def __init__(
        self,
        store: Store,
        *,
        ttl_s: float = 0.0,
        stale_s: float = 0.0,
        error_s: float = 0.0,
        tags: Iterable[str] | Callable[[Request], Iterable[str]] = (),
        ignore_query: Iterable[str] = (),
        allow: Iterable[str] = (),
        statuses: Iterable[int] | None = None,
        limit_bytes: int = 1024 * 1024,
        obey_client: bool = True,
        invalidate_unsafe: bool = True,
        prefix: str = "response:",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not hasattr(store, "aget"):
            raise ApplicationError(f"ResponseCache({store!r}): expected a store such as MemoryStore()")
        for name, value in (("ttl_s", ttl_s), ("stale_s", stale_s), ("error_s", error_s)):
            if not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise ApplicationError(f"ResponseCache: {name}={value!r}; expected seconds")
        if isinstance(allow, str) or not _ALLOWED.issuperset(allow := tuple(allow)):
            raise ApplicationError(f"ResponseCache: allow={allow!r}; there are {', '.join(sorted(_ALLOWED))}")
        kept = default_statuses() if statuses is None else frozenset(statuses)
        self._guard = guard(store)
        self._prefix = prefix
        self._shelf = Shelf(
            Rules(ttl_s, stale_s, error_s, kept, limit_bytes, frozenset(allow)),
            personal=tuple(name for name in ("authorization", "cookie") if name not in allow),
            tags=tags if callable(tags) else (tags,) if isinstance(tags, str) else tuple(tags),
            ignored=frozenset([ignore_query] if isinstance(ignore_query, str) else ignore_query),
            obey_client=obey_client,
            invalidate_unsafe=invalidate_unsafe,
            prefix=prefix,
            clock=clock,
            remembers=not store.blocks,
        )
        self._flights = ThreadFlights()
        self._loop_flights = LoopFlights()
        self._places = BoundedSemaphore(_REFRESHERS)
        self._refreshing: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Any]] = {}

    # -- for applications

    def invalidate(self, *tags: str) -> bool:
        """Forget the responses with one of these tags; False when the store could not be told."""
        return invalidate_tags(self._guard, self._prefix, tags)

    async def ainvalidate(self, *tags: str) -> bool:
        return await ainvalidate_tags(self._guard, self._prefix, tags)

    # -- the hook

    def around(self, request: Request, call_next: Callable[[Request], Response]) -> Response:
        asked = self._shelf.ask(request)
        if asked is None:
            return marked(request, call_next(request), "BYPASS")
        if request.method not in SAFE:
            response = call_next(request)
            self._in_thread(self._shelf.forget(request, asked, response))
            return response
        stored, key = self._in_thread(self._shelf.find(asked, request))
        answer, is_stale = self._shelf.from_kept(request, asked, stored)
        if is_stale:
            self._refresh(request, asked, key, call_next)
        if answer is not None:
            return answer
        made: list[Response] = []

        def make() -> Outcome:
            states = self._in_thread(self._shelf.states(request))
            made.append(call_next(request))
            return self._in_thread(self._shelf.keep(request, asked, made[0], states))  # type: ignore[no-any-return]

        if asked.is_alone or self._shelf.is_never_kept(key):
            outcome = make()
        else:
            outcome = self._flights.run(key, make)
            other = self._shelf.key_for(request, asked, outcome)
            if not made and other != outcome.key:  # it varies, and the one that was made is another
                outcome = self._flights.run(other, make)
        answer = self._shelf.from_made(request, asked, stored, outcome, made)
        return marked(request, call_next(request), "MISS") if answer is None else answer

    async def aaround(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        asked = self._shelf.ask(request)
        if asked is None:
            return marked(request, await call_next(request), "BYPASS")
        if request.method not in SAFE:
            response = await call_next(request)
            await self._on_loop(self._shelf.forget(request, asked, response))
            return response
        stored, key = await self._on_loop(self._shelf.find(asked, request))
        answer, is_stale = self._shelf.from_kept(request, asked, stored)
        if is_stale:
            self._arefresh(request, asked, key, call_next)
        if answer is not None:
            return answer
        made: list[Response] = []

        async def make() -> Outcome:
            states = await self._on_loop(self._shelf.states(request))
            made.append(await call_next(request))
            return await self._on_loop(self._shelf.keep(request, asked, made[0], states))  # type: ignore[no-any-return]

        if asked.is_alone or self._shelf.is_never_kept(key):
            outcome = await make()
        else:
            outcome = await self._loop_flights.run(key, make)
            other = self._shelf.key_for(request, asked, outcome)
            if not made and other != outcome.key:
                outcome = await self._loop_flights.run(other, make)
        answer = self._shelf.from_made(request, asked, stored, outcome, made)
        return marked(request, await call_next(request), "MISS") if answer is None else answer

    # -- making anew what is stale

    def _refresh(
        self, request: Request, asked: Asked, key: str, call_next: Callable[[Request], Response]
    ) -> None:
        if not self._places.acquire(blocking=False):
            return
        begun = self._flights.begin(key)
        if begun is None:
            self._places.release()
            return
        other = _unconditional(request)
        ending = _Refreshed(other)
        request.linger(ending)  # heard where there can be something to end

        def make() -> Outcome:
            states = self._in_thread(self._shelf.states(other))
            return self._in_thread(self._shelf.keep(other, asked, call_next(other), states))  # type: ignore[no-any-return]

        def refresh() -> None:
            try:
                begun(make)
            except Exception:
                _log.exception("%s could not be made anew; the stale response stays", request.raw_path)
            finally:
                self._places.release()
                ending.is_made.set()

        Thread(target=copy_context().run, args=(refresh,), daemon=True, name="penstock-cache").start()

    def _arefresh(
        self, request: Request, asked: Asked, key: str, call_next: Callable[[Request], Awaitable[Response]]
    ) -> None:
        loop = asyncio.get_running_loop()
        if (loop, key) in self._refreshing or self._loop_flights.is_flying(key):
            return
        other = _unconditional(request)

        async def make() -> Outcome:
            states = await self._on_loop(self._shelf.states(other))
            return await self._on_loop(self._shelf.keep(other, asked, await call_next(other), states))  # type: ignore[no-any-return]

        async def refresh() -> None:
            try:
                await self._loop_flights.run(key, make)
            except Exception:
                _log.exception("%s could not be made anew; the stale response stays", request.raw_path)
            finally:
                await close_endings(other)

        task = self._refreshing[loop, key] = loop.create_task(refresh())
        task.add_done_callback(lambda _: self._refreshing.pop((loop, key)))
        if request.server is not None:
            request.server.keep(task)

    # -- doing what steps ask of the store

    def _in_thread(self, steps: Steps) -> Any:
        try:
            step = next(steps)
            while True:
                try:
                    result = getattr(self._guard, step[0])(*step[1:])
                except StoreError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as done:
            return done.value

    async def _on_loop(self, steps: Steps) -> Any:
        try:
            step = next(steps)
            while True:
                try:
                    result = await getattr(self._guard, f"a{step[0]}")(*step[1:])
                except StoreError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as done:
            return done.value


class _Refreshed:
    """The end of what was made anew in a thread: some of it can only end on the loop, which is there once the
    stale reply is out.
    """

    __slots__ = ("_request", "is_made")

    run: Final = TASK

    def __init__(self, request: Request) -> None:
        self._request = request
        self.is_made = Event()

    def close(self, error: BaseException | None) -> None:
        """Not asked for."""
        raise NotImplementedError

    async def aclose(self, error: BaseException | None) -> None:  # noqa: ARG002 - of the stale reply
        """Wait until it is made, and run its endings."""
        server = self._request.server
        if server is not None:
            await server.continue_in_thread(self.is_made.wait)
        else:
            await asyncio.get_running_loop().run_in_executor(None, self.is_made.wait)
        await close_endings(self._request)


def _unconditional(request: Request) -> Request:
    """Return a request for the whole, to be answered when the client has long had its reply."""
    lines = [line for line in request.headers.items() if line[0].lower() not in CONDITIONS]
    other = Request(
        "GET", request.raw_path, request.raw_query, request.version, Headers.from_pairs(lines), Framing()
    )
    other.connection, other.route, other.path_params = request.connection, request.route, request.path_params
    if request.authority is not None:
        other.authority = request.authority
    if request.prefix:
        other.prefix = request.prefix
    return other
