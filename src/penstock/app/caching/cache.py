"""`Cache`: values by key in a store, made when they are wanted and not there.

`remember` is the way to use it: one process, thread or task makes a value and the others wait for it, over
processes too when the store is shared; past its time a value may be shown for `stale_s` more while it is
made anew. Each operation has a plain form for threads and one with `a` for the loop. A store that fails
makes every value a missing one (`penstock.app.stores.guard`); what `make` raises goes to whoever asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import copy_context
from functools import wraps
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from penstock.app.caching.entry import Entry, read_entry, write_entry
from penstock.app.caching.flight import LoopFlights, ThreadFlights
from penstock.app.caching.tags import (
    aare_current,
    ainvalidate_tags,
    are_current,
    aread_states,
    invalidate_tags,
    read_states,
)
from penstock.app.stores.guard import guard
from penstock.app.stores.store import check_ttl
from penstock.errors import ApplicationError, StoreError
from penstock.http.json import dumps
from penstock.observe.metrics.server_metrics import cache_lookups

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from penstock.app.stores.store import Store

F = TypeVar("F", bound="Callable[..., Any]")

_log = logging.getLogger("penstock.store")
_HIT, _STALE, _MISS = (
    cache_lookups.labels(cache="values", outcome=outcome) for outcome in ("hit", "stale", "miss")
)

_FOREVER: Final = float("inf")
_FIRST_LOOK_S: Final = 0.005
_LONGEST_LOOK_S: Final = 0.1
_REFRESHERS: Final = 8  # threads that make stale values anew; beyond that they stay stale a little longer


class Cache:
    """Values in a `store`, under keys that begin with `prefix`. `lock_s`: how long a value may be in the
    making elsewhere before one stops waiting for it.

    `type` makes values of what JSON says, as bodies of requests are made: a dataclass comes back as one.
    """

    def __init__(self, store: Store, *, prefix: str = "cache:", lock_s: float = 10.0) -> None:
        if not hasattr(store, "aget"):
            raise ApplicationError(f"Cache({store!r}): expected a store such as MemoryStore()")
        check_ttl(lock_s)
        self._guard = guard(store)
        self._prefix = prefix
        self._lock_s = lock_s
        self._flights = ThreadFlights()
        self._loop_flights = LoopFlights()
        self._refreshing: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Any]] = {}
        self._places = BoundedSemaphore(_REFRESHERS)
        self._converters: dict[Any, Callable[[Any], Any]] = {}

    # -- the plain forms

    def get(self, key: str, default: Any = None, *, type: Any = None) -> Any:
        """Return the value, `default` when there is none that is fresh."""
        entry = self._find(self._wanted(key, type))
        is_stale = _count(entry)
        return default if entry is None or is_stale else entry.value

    def set(self, key: str, value: Any, ttl_s: float | None = None, *, tags: Iterable[str] = ()) -> bool:
        """Keep a value; False when the store did not take it. TypeError when it has no JSON form."""
        wanted = self._wanted(key, None, ttl_s, tags=tags)
        try:
            states = read_states(self._guard, self._prefix, wanted.tags, ttl_s)
            self._guard.set(wanted.key, wanted.write(value, states), ttl_s)
        except StoreError:
            return False
        return True

    def delete(self, *keys: str) -> bool:
        """Forget values; False when the store could not be told."""
        try:
            self._guard.delete(*(self._key(key) for key in keys))
        except StoreError:
            return False
        return True

    def invalidate(self, *tags: str) -> bool:
        """Forget every value with one of these tags, those in the making included; False when the store could
        not be told.
        """
        return invalidate_tags(self._guard, self._prefix, tags)

    def remember(
        self,
        key: str,
        ttl_s: float,
        make: Callable[[], Any],
        *,
        stale_s: float = 0.0,
        tags: Iterable[str] = (),
        type: Any = None,
    ) -> Any:
        """Return the value, or what `make()` returns, which is then kept for `ttl_s`.

        For `stale_s` more the old value is returned at once and made anew meanwhile, in a thread.
        """
        wanted = self._wanted(key, type, ttl_s, stale_s, tags)
        entry = self._find(wanted)
        is_stale = _count(entry)
        if entry is not None:
            if is_stale:
                self._refresh(wanted, make)
            return entry.value
        return self._flights.run(wanted.key, lambda: self._make(wanted, make))

    # -- the forms for the loop

    async def aget(self, key: str, default: Any = None, *, type: Any = None) -> Any:
        entry = await self._afind(self._wanted(key, type))
        is_stale = _count(entry)
        return default if entry is None or is_stale else entry.value

    async def aset(
        self, key: str, value: Any, ttl_s: float | None = None, *, tags: Iterable[str] = ()
    ) -> bool:
        wanted = self._wanted(key, None, ttl_s, tags=tags)
        try:
            states = await aread_states(self._guard, self._prefix, wanted.tags, ttl_s)
            await self._guard.aset(wanted.key, wanted.write(value, states), ttl_s)
        except StoreError:
            return False
        return True

    async def adelete(self, *keys: str) -> bool:
        try:
            await self._guard.adelete(*(self._key(key) for key in keys))
        except StoreError:
            return False
        return True

    async def ainvalidate(self, *tags: str) -> bool:
        return await ainvalidate_tags(self._guard, self._prefix, tags)

    async def aremember(
        self,
        key: str,
        ttl_s: float,
        make: Callable[[], Awaitable[Any]],
        *,
        stale_s: float = 0.0,
        tags: Iterable[str] = (),
        type: Any = None,
    ) -> Any:
        """The same with an `async def make()`; a stale value is made anew in a Task."""
        wanted = self._wanted(key, type, ttl_s, stale_s, tags)
        entry = await self._afind(wanted)
        is_stale = _count(entry)
        if entry is not None:
            if is_stale:
                self._arefresh(wanted, make)
            return entry.value
        return await self._loop_flights.run(wanted.key, lambda: self._amake(wanted, make))

    # -- the decorator

    def remembered(
        self,
        ttl_s: float,
        *,
        key: Callable[..., str] | None = None,
        stale_s: float = 0.0,
        tags: Iterable[str] = (),
        type: Any = None,
    ) -> Callable[[F], F]:
        """Remember what a function returns, `def` or `async def`, by its arguments: `key(*args, **kwargs)`
        names them, else their JSON does, so they must have a form in it.
        """
        check_ttl(ttl_s)

        def decorate(function: F) -> F:
            options: dict[str, Any] = {"stale_s": stale_s, "tags": _listed(tags), "type": type}
            name = f"{function.__module__}:{function.__qualname__}:"

            def key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
                return name + (key(*args, **kwargs) if key is not None else _name_of(args, kwargs))

            if asyncio.iscoroutinefunction(function):

                @wraps(function)
                async def aremembered(*args: Any, **kwargs: Any) -> Any:
                    return await self.aremember(
                        key_of(args, kwargs), ttl_s, lambda: function(*args, **kwargs), **options
                    )

                return cast("F", aremembered)

            @wraps(function)
            def remembered(*args: Any, **kwargs: Any) -> Any:
                return self.remember(
                    key_of(args, kwargs), ttl_s, lambda: function(*args, **kwargs), **options
                )

            return cast("F", remembered)

        return decorate

    # -- finding

    def _key(self, key: str) -> str:
        return f"{self._prefix}value:{key}"

    def _find(self, wanted: Wanted) -> Entry | None:
        try:
            entry = read_entry(self._guard.get(wanted.key), wanted.convert)
            if entry is None or (entry.tags and not are_current(self._guard, self._prefix, entry.tags)):
                return None
        except StoreError:
            return None
        return entry

    async def _afind(self, wanted: Wanted) -> Entry | None:
        try:
            entry = read_entry(await self._guard.aget(wanted.key), wanted.convert)
            if entry is None:
                return None
            if entry.tags and not await aare_current(self._guard, self._prefix, entry.tags):
                return None
        except StoreError:
            return None
        return entry

    def _wanted(
        self,
        key: str,
        type: Any,
        ttl_s: float | None = None,
        stale_s: float = 0.0,
        tags: Iterable[str] = (),
    ) -> Wanted:
        if ttl_s is not None:
            check_ttl(ttl_s)
        if not 0 <= stale_s < _FOREVER:
            raise ValueError(f"stale_s={stale_s!r}: expected seconds")
        return Wanted(self._key(key), self._converter(type), ttl_s, stale_s, _listed(tags))

    def _converter(self, type: Any) -> Callable[[Any], Any] | None:
        if type is None:
            return None
        converter = self._converters.get(type)
        if converter is None:
            from penstock.app.schema.validator import compile_validator

            converter = self._converters[type] = compile_validator(type).convert
        return converter

    # -- making, in a thread

    def _make(self, wanted: Wanted, make: Callable[[], Any]) -> Any:
        """Make a value, unless another process makes it: then wait for that."""
        if not self._guard.blocks:
            return self._make_and_keep(wanted, make)
        lock = _Lock(self._prefix, wanted.key, self._lock_s)
        while True:
            try:
                is_mine = self._guard.add(lock.key, b"1", self._lock_s)
            except StoreError:
                return wanted.read(wanted.write(make(), {})).value
            entry = self._find(wanted)
            if entry is not None and not _is_stale(entry):
                return self._unlock(lock, entry.value) if is_mine else entry.value
            if is_mine:
                try:
                    return self._make_and_keep(wanted, make)
                finally:
                    self._unlock(lock)
            if lock.is_overdue():
                return self._make_and_keep(wanted, make)
            time.sleep(lock.next_look_s())

    def _make_and_keep(self, wanted: Wanted, make: Callable[[], Any]) -> Any:
        try:
            states = read_states(self._guard, self._prefix, wanted.tags, wanted.kept_s)
        except StoreError:
            return wanted.read(wanted.write(make(), {})).value
        octets = wanted.write(make(), states)
        try:
            self._guard.set(wanted.key, octets, wanted.kept_s)
        except StoreError:
            pass
        return wanted.read(octets).value

    def _unlock(self, lock: _Lock, value: Any = None) -> Any:
        """What took longer than the lock was kept deletes somebody else's: one making more."""
        try:
            self._guard.delete(lock.key)
        except StoreError:
            pass
        return value

    def _refresh(self, wanted: Wanted, make: Callable[[], Any]) -> None:
        """Make a stale value anew, in a thread, unless somebody does."""
        if not self._places.acquire(blocking=False):
            return
        begun = self._flights.begin(wanted.key)
        if begun is None:
            self._places.release()
            return
        context = copy_context()

        def refresh() -> None:
            try:
                begun(lambda: self._make_alone(wanted, make))
            except Exception:
                _log.exception("%s could not be made anew; the stale value stays", wanted.key)
            finally:
                self._places.release()

        Thread(target=context.run, args=(refresh,), daemon=True, name="penstock-cache").start()

    def _make_alone(self, wanted: Wanted, make: Callable[[], Any]) -> None:
        lock = _Lock(self._prefix, wanted.key, self._lock_s)
        try:
            is_mine = not self._guard.blocks or self._guard.add(lock.key, b"1", self._lock_s)
        except StoreError:
            return
        if is_mine:
            try:
                self._make_and_keep(wanted, make)
            finally:
                self._unlock(lock)

    # -- making, on the loop

    async def _amake(self, wanted: Wanted, make: Callable[[], Awaitable[Any]]) -> Any:
        if not self._guard.blocks:
            return await self._amake_and_keep(wanted, make)
        lock = _Lock(self._prefix, wanted.key, self._lock_s)
        while True:
            try:
                is_mine = await self._guard.aadd(lock.key, b"1", self._lock_s)
            except StoreError:
                return wanted.read(wanted.write(await make(), {})).value
            entry = await self._afind(wanted)
            if entry is not None and not _is_stale(entry):
                if is_mine:
                    await self._aunlock(lock)
                return entry.value
            if is_mine:
                try:
                    return await self._amake_and_keep(wanted, make)
                finally:
                    await self._aunlock(lock)
            if lock.is_overdue():
                return await self._amake_and_keep(wanted, make)
            await asyncio.sleep(lock.next_look_s())

    async def _amake_and_keep(self, wanted: Wanted, make: Callable[[], Awaitable[Any]]) -> Any:
        try:
            states = await aread_states(self._guard, self._prefix, wanted.tags, wanted.kept_s)
        except StoreError:
            return wanted.read(wanted.write(await make(), {})).value
        octets = wanted.write(await make(), states)
        try:
            await self._guard.aset(wanted.key, octets, wanted.kept_s)
        except StoreError:
            pass
        return wanted.read(octets).value

    async def _aunlock(self, lock: _Lock) -> None:
        try:
            await self._guard.adelete(lock.key)
        except StoreError:
            pass

    def _arefresh(self, wanted: Wanted, make: Callable[[], Awaitable[Any]]) -> None:
        loop = asyncio.get_running_loop()
        if (loop, wanted.key) in self._refreshing or self._loop_flights.is_flying(wanted.key):
            return

        async def refresh() -> None:
            try:
                await self._loop_flights.run(wanted.key, lambda: self._amake_alone(wanted, make))
            except Exception:
                _log.exception("%s could not be made anew; the stale value stays", wanted.key)

        task = self._refreshing[loop, wanted.key] = loop.create_task(refresh())
        task.add_done_callback(lambda _: self._refreshing.pop((loop, wanted.key)))

    async def _amake_alone(self, wanted: Wanted, make: Callable[[], Awaitable[Any]]) -> None:
        lock = _Lock(self._prefix, wanted.key, self._lock_s)
        try:
            is_mine = not self._guard.blocks or await self._guard.aadd(lock.key, b"1", self._lock_s)
        except StoreError:
            return
        if is_mine:
            try:
                await self._amake_and_keep(wanted, make)
            finally:
                await self._aunlock(lock)


class Wanted(NamedTuple):
    """What somebody wants of a cache."""

    key: str
    convert: Callable[[Any], Any] | None
    ttl_s: float | None = None
    stale_s: float = 0.0
    tags: tuple[str, ...] = ()

    @property
    def kept_s(self) -> float | None:
        return None if self.ttl_s is None else self.ttl_s + self.stale_s

    def write(self, value: Any, states: dict[str, str]) -> bytes:
        fresh_until = time.time() + self.ttl_s if self.ttl_s is not None and self.stale_s else _FOREVER
        return write_entry(value, fresh_until, states)

    def read(self, octets: bytes) -> Entry:
        """Return what was just written: a value that was made is what one that was kept will be."""
        entry = read_entry(octets, self.convert)
        if entry is None:
            raise TypeError(f"{self.key}: the value does not fit `type`")
        return entry


class _Lock:
    """Who makes a value, among processes."""

    def __init__(self, prefix: str, key: str, lock_s: float) -> None:
        self.key = f"{prefix}lock:{key}"
        self._end = time.monotonic() + lock_s
        self._look_s = _FIRST_LOOK_S

    def is_overdue(self) -> bool:
        return time.monotonic() > self._end

    def next_look_s(self) -> float:
        look_s = self._look_s
        self._look_s = min(look_s * 1.5, _LONGEST_LOOK_S)
        return look_s


def _count(entry: Entry | None) -> bool:
    """Count a look-up, and return whether what it found is stale."""
    if entry is None:
        _MISS.inc()
        return False
    is_stale = _is_stale(entry)
    (_STALE if is_stale else _HIT).inc()
    return is_stale


def _is_stale(entry: Entry) -> bool:
    return entry.fresh_until <= time.time()


def _listed(tags: Iterable[str]) -> tuple[str, ...]:
    return (tags,) if isinstance(tags, str) else tuple(tags)


def _name_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return dumps([args, sorted(kwargs.items())]).decode()
