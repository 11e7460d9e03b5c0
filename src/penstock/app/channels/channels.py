"""`Channels`: values published under a name, to everybody who listens to that name.

    channels = Channels(RedisStore(url))

    @app.get("/orders/live")
    async def live() -> AsyncIterator[Event]:
        async with channels.subscribe("orders") as orders:
            async for order in orders:
                yield Event(order)

Each listener has a queue. One that is slow loses the oldest of what waits for it, and nobody waits for it;
`missed` counts. Values travel as JSON with any store, so what arrives does not depend on the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from penstock.app.stores.guard import guard
from penstock.errors import ApplicationError, StoreError
from penstock.http.json import dumps, loads

if TYPE_CHECKING:
    from types import TracebackType

    from penstock.app.channels.redis_listener import RedisListener
    from penstock.app.stores.store import Store

_log = logging.getLogger("penstock.channels")


class Channels:
    """Publishes to, and listens on, channels. With a MemoryStore they are those of this process; with a
    RedisStore those of all who give the same URL and prefix.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_shared = hasattr(store, "apublish")
        if not self._is_shared and getattr(store, "blocks", True):
            raise ApplicationError(
                f"Channels: {store!r} has no `publish`; give a MemoryStore() or a RedisStore(url)"
            )
        self._subscriptions: dict[str, set[Subscription]] = {}
        """Of this process, by name. A set is replaced and never changed: publishers take no lock."""
        self._lock = Lock()
        self._listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, RedisListener] = WeakKeyDictionary()

    def publish(self, name: str, value: object) -> bool:
        """Send a value to all who listen to a name, from a thread. False when the store is lost; that is
        logged once.
        """
        octets = dumps(value)
        if not self._is_shared:
            return self._deliver(name, octets)
        try:
            guard(self._store).use(self._store.publish, name, octets)  # type: ignore[attr-defined]
        except StoreError:
            return False
        return True

    async def apublish(self, name: str, value: object) -> bool:
        """Do the same on the loop."""
        octets = dumps(value)
        if not self._is_shared:
            return self._deliver(name, octets)
        try:
            await guard(self._store).ause(self._store.apublish, name, octets)  # type: ignore[attr-defined]
        except StoreError:
            return False
        return True

    def subscribe(self, name: str, *, limit: int = 256) -> Subscription:
        """Return an async context manager whose values are those published under a name from now on, at most
        `limit` of them waiting.
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"a channel is named by a text, not by {name!r}")
        if limit < 1:
            raise ValueError(f"limit={limit!r}: expected 1 or more")
        return Subscription(self, name, limit)

    # -- what subscriptions ask

    async def add(self, subscription: Subscription) -> None:
        """Deliver to a subscription from now on."""
        with self._lock:
            mine = self._subscriptions.get(subscription.name, set())
            self._subscriptions[subscription.name] = {*mine, subscription}
        if self._is_shared:
            await self._listener().listen(subscription.name)

    async def remove(self, subscription: Subscription) -> None:
        """Deliver to it no more."""
        with self._lock:
            rest = self._subscriptions.get(subscription.name, set()) - {subscription}
            if rest:
                self._subscriptions[subscription.name] = rest
            else:
                self._subscriptions.pop(subscription.name, None)
        if self._is_shared:
            await self._listener().leave(subscription.name)

    def _listener(self) -> RedisListener:
        loop = asyncio.get_running_loop()
        listener = self._listeners.get(loop)
        if listener is None:
            from penstock.app.channels.redis_listener import RedisListener

            listener = self._listeners[loop] = RedisListener(self._store, self._deliver_here)
        return listener

    def _deliver(self, name: str, octets: bytes) -> bool:
        """Hand a message to whoever listens in this process, on its own loop."""
        for subscription in self._subscriptions.get(name, ()):
            subscription.put_from_anywhere(octets)
        return True

    def _deliver_here(self, name: str, octets: bytes) -> None:
        """Do the same for those of the running loop: each loop has a listener of its own."""
        loop = asyncio.get_running_loop()
        for subscription in self._subscriptions.get(name, ()):
            if subscription.loop is loop:
                subscription.put(octets)


class Subscription:
    """What is published under a name, while its block is open."""

    def __init__(self, channels: Channels, name: str, limit: int) -> None:
        self._channels = channels
        self.name = name
        self.missed = 0
        """Values that were lost because nobody took them in time."""
        self._waiting: deque[bytes] = deque(maxlen=limit)
        self._arrived = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        """Set while it is open."""

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        try:
            await self._channels.add(self)
        except BaseException:
            await self._channels.remove(self)
            self.loop = None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop = None
        await self._channels.remove(self)
        self._arrived.set()  # whoever still waits in another task is told

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self._waiting:
            if self.loop is None:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return loads(self._waiting.popleft())

    async def get(self, timeout_s: float | None = None) -> Any:
        """Return the next value; TimeoutError when none comes in time, RuntimeError outside of the block."""
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self)
        except StopAsyncIteration:
            raise RuntimeError(f"the subscription to {self.name!r} is not open") from None

    def put(self, octets: bytes) -> None:
        """On its own loop: let a message wait to be taken."""
        if len(self._waiting) == self._waiting.maxlen:
            if not self.missed:
                _log.warning("a listener to %r is too slow, it loses the oldest values", self.name)
            self.missed += 1
        self._waiting.append(octets)
        self._arrived.set()

    def put_from_anywhere(self, octets: bytes) -> None:
        """Do the same from any thread and any loop."""
        loop = self.loop
        if loop is None:
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is loop:
            self.put(octets)
            return
        try:
            loop.call_soon_threadsafe(self.put, octets)
        except RuntimeError:  # the loop has ended, and the block with it
            pass
