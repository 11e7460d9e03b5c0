"""What a store that fails means for those who use it: one place for all of them.

A `Guard` is the store, failing fast. After a failure nobody asks the store for a short time, which grows from
failure to failure; then one use tries it, and when that goes well all do. So a request waits for a lost store
once in a while at most, and never longer than the store's own limit. One line is logged when it is lost, one
when it is back. What is refused (`StoreRefused`: full) is counted and told of, too, but the store stays in
use: what it holds can still be had.

Every method raises StoreError, at once while the store is lost. The user of a guard catches it and goes on
without the store; what that means, only the user knows.
"""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakValueDictionary

from penstock.errors import ApplicationError, StoreError, StoreRefused
from penstock.observe.stores import watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.app.stores.store import Store

T = TypeVar("T")

_log = logging.getLogger("penstock.store")

_SHORTEST_S: Final = 0.25
_LONGEST_S: Final = 5.0  # after which time at the latest a store that is back is found to be
_SETTLED_S: Final = 30.0  # a store that was well for so long is trusted anew
_QUIET_S: Final = 60.0  # between two lines about refusals
_PROBE: Final = -1


class Guard:
    """A store that is left alone for a while when it has failed."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        if not hasattr(store, "blocks"):
            raise ApplicationError(f"{store!r} is no store; give a MemoryStore() or a RedisStore(url)")
        self.store = store
        self.blocks = store.blocks
        self.failures = 0
        """Uses that failed."""
        self.skipped = 0
        """Uses that were refused here because the store was lost."""
        self.refusals = 0
        """Values the store did not take."""
        self.outages = 0
        """Times it was lost."""
        self.is_lost = False
        self._clock = clock
        self._lock = Lock()
        self._pause_s = _SHORTEST_S
        self._next_try = 0.0
        self._lost_at = 0.0
        self._back_at = float("-inf")
        self._is_refusing = False
        self._refused_at = float("-inf")

    # -- the plain forms

    def get(self, key: str, /) -> bytes | None:
        return self.use(self.store.get, key)

    def set(self, key: str, value: bytes, /, ttl_s: float | None = None) -> None:
        self.use(self.store.set, key, value, ttl_s)
        self._took()

    def add(self, key: str, value: bytes, /, ttl_s: float | None = None) -> bool:
        added = self.use(self.store.add, key, value, ttl_s)
        self._took()
        return added

    def delete(self, *keys: str) -> int:
        return self.use(self.store.delete, *keys)

    def touch(self, key: str, /, ttl_s: float) -> bool:
        return self.use(self.store.touch, key, ttl_s)

    def clear(self) -> None:
        self.use(self.store.clear)

    def close(self) -> None:
        self.store.close()

    def use(self, function: Callable[..., T], /, *args: Any) -> T:
        """Call something of the store: its result, or StoreError."""
        turn = self._begin() if self.is_lost else self.outages
        try:
            result = function(*args)
        except StoreError as error:
            self._failed(turn, error)
            raise
        if turn == _PROBE:
            self._recovered()
        return result

    # -- the forms for the loop

    async def aget(self, key: str, /) -> bytes | None:
        return await self.ause(self.store.aget, key)

    async def aset(self, key: str, value: bytes, /, ttl_s: float | None = None) -> None:
        await self.ause(self.store.aset, key, value, ttl_s)
        self._took()

    async def aadd(self, key: str, value: bytes, /, ttl_s: float | None = None) -> bool:
        added = await self.ause(self.store.aadd, key, value, ttl_s)
        self._took()
        return added

    async def adelete(self, *keys: str) -> int:
        return await self.ause(self.store.adelete, *keys)

    async def atouch(self, key: str, /, ttl_s: float) -> bool:
        return await self.ause(self.store.atouch, key, ttl_s)

    async def aclear(self) -> None:
        await self.ause(self.store.aclear)

    async def aclose(self) -> None:
        await self.store.aclose()

    async def ause(self, function: Callable[..., Awaitable[T]], /, *args: Any) -> T:
        """Call something of the store: its result, or StoreError."""
        turn = self._begin() if self.is_lost else self.outages
        try:
            result = await function(*args)
        except StoreError as error:
            self._failed(turn, error)
            raise
        if turn == _PROBE:
            self._recovered()
        return result

    # -- what becomes of it

    def _begin(self) -> int:
        """Return whose turn a use is: StoreError unless the store is well, or to be tried again."""
        with self._lock:
            if not self.is_lost:
                return self.outages
            now = self._clock()
            if now < self._next_try:
                self.skipped += 1
                raise StoreError(f"{self.store!r} is lost; it is tried again in {self._next_try - now:.1f} s")
            # Whoever comes while this one tries is refused; should it never end, the next one tries.
            self._pause_s = min(self._pause_s * 2, _LONGEST_S)
            self._next_try = now + self._pause_s
            return _PROBE

    def _failed(self, turn: int, error: StoreError) -> None:
        if isinstance(error, StoreRefused):
            self._refused(turn, error)
            return
        with self._lock:
            self.failures += 1
            now = self._clock()
            if turn == _PROBE:
                self._next_try = now + self._pause_s
            if self.is_lost or turn != self.outages:  # begun before it was lost: that is known already
                return
            if now - self._back_at > _SETTLED_S:
                self._pause_s = _SHORTEST_S
            self.is_lost = True
            self.outages += 1
            self._lost_at, self._next_try = now, now + self._pause_s
        _log.error("%r is lost, requests go on without it: %s", self.store, str(error))

    def _recovered(self) -> None:
        with self._lock:
            if not self.is_lost:
                return
            self.is_lost = False
            self._back_at = self._clock()
            lost_s = self._back_at - self._lost_at
            counts = self.skipped, self.failures
        _log.warning(
            "%r is back after %.1f s; so far %d uses were skipped, %d failed", self.store, lost_s, *counts
        )

    def _refused(self, turn: int, error: StoreRefused) -> None:
        if turn == _PROBE:
            self._recovered()  # it answers
        with self._lock:
            self.refusals += 1
            now = self._clock()
            is_news = not self._is_refusing and now - self._refused_at > _QUIET_S
            if is_news:
                self._is_refusing, self._refused_at = True, now
        if is_news:
            _log.error("%r refuses what it is to keep, requests go on without it: %s", self.store, str(error))

    def _took(self) -> None:
        if self._is_refusing:
            with self._lock:
                is_news, self._is_refusing = self._is_refusing, False
                refusals = self.refusals
            if is_news:
                _log.warning("%r takes values again; so far it refused %d", self.store, refusals)


_guards: WeakValueDictionary[int, Guard] = WeakValueDictionary()
"""By the id of the store, which lives as long as its guard."""
_guards_lock = Lock()


def guard(store: Store) -> Guard:
    """Return the guard of a store, one for all its users: what one of them finds out, all know."""
    if isinstance(store, Guard):
        return store
    with _guards_lock:
        found = _guards.get(id(store))
        if found is None:
            found = _guards[id(store)] = Guard(store)
            watch(found)
        return found
