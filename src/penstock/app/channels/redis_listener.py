"""The connection of one loop on which Redis tells what is published.

It is opened for the first name and closed with the last. When it breaks, or Redis says nothing to a ping, it
is opened again after a pause that grows; one line is logged when it is lost, one when it is back, and what
was published meanwhile is missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("penstock.channels")

_SHORTEST_S: Final = 0.1
_LONGEST_S: Final = 5.0
_PING_S: Final = 10.0  # a connection that says nothing for so long is asked whether it is there


class RedisListener:
    """Hears what is published under some names, each with the number of its listeners."""

    def __init__(self, store: Any, deliver: Callable[[str, bytes], None]) -> None:
        self._store = store
        self._deliver = deliver
        self._counts: dict[str, int] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        """Names Redis is to be told of; set once it has said that it knows."""
        self._pubsub: Any = None
        """The connection, while there is one."""
        self._task: asyncio.Task[None] | None = None
        self._is_lost = False

    async def listen(self, name: str) -> None:
        """Hear a name; returns when Redis knows, or does not answer in time and will be told later."""
        self._counts[name] = self._counts.get(name, 0) + 1
        confirmed = self._confirmed.setdefault(name, asyncio.Event())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="penstock channels")
        elif self._pubsub is not None and not confirmed.is_set():
            await self._tell("subscribe", name)
        try:
            async with asyncio.timeout(self._store.timeout_s):
                await confirmed.wait()
        except TimeoutError:
            self._lose("it does not answer")

    async def leave(self, name: str) -> None:
        """Stop hearing a name when nobody else listens to it."""
        self._counts[name] = self._counts.get(name, 1) - 1
        if self._counts[name] > 0:
            return
        del self._counts[name]
        self._confirmed.pop(name, None)
        if self._counts:
            await self._tell("unsubscribe", name)
        elif self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _tell(self, word: str, name: str) -> None:
        try:
            if self._pubsub is not None:
                await getattr(self._pubsub, word)(self._store.channel_name(name))
        except Exception as error:  # the task finds the same, and connects again
            self._lose(type(error).__name__)

    async def _run(self) -> None:
        pause_s = _SHORTEST_S
        while True:
            pubsub = self._store.open_pubsub()
            try:
                await self._hear(pubsub)
            except Exception as error:
                if self._pubsub is not None:  # it was well for a while
                    pause_s = _SHORTEST_S
                self._lose(str(error) or type(error).__name__)
            finally:
                self._pubsub = None
                for confirmed in self._confirmed.values():
                    confirmed.clear()
                await _close(pubsub)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_S)

    async def _hear(self, pubsub: Any) -> None:
        names = {self._store.channel_name(name): name for name in self._counts}
        async with asyncio.timeout(self._store.timeout_s):
            await pubsub.subscribe(*names)
        self._pubsub = pubsub
        for name in self._counts.keys() - names.values():  # came while it connected
            await self._tell("subscribe", name)
        is_asked = False
        while True:
            wait_s = self._store.timeout_s if is_asked else _PING_S
            message = await pubsub.get_message(ignore_subscribe_messages=False, timeout=wait_s)
            if message is None:
                if is_asked:
                    raise TimeoutError("it does not answer")
                is_asked = True
                await pubsub.ping()
                continue
            is_asked = False
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        kind, channel = message["type"], message["channel"]
        name = None if channel is None else self._store.name_of_channel(channel)
        if name is None:
            return
        if kind == "subscribe":
            if name in self._confirmed:
                self._confirmed[name].set()
            if self._is_lost:
                self._is_lost = False
                _log.warning("channels: %r is back", self._store)
        elif kind == "message":
            self._deliver(name, message["data"])

    def _lose(self, why: str) -> None:
        if not self._is_lost:
            self._is_lost = True
            _log.error("channels: %r is lost, what is published meanwhile is missed: %s", self._store, why)


async def _close(pubsub: Any) -> None:
    with contextlib.suppress(Exception):  # it is given up in any case
        await pubsub.aclose()
    with contextlib.suppress(Exception):
        await pubsub.connection_pool.disconnect()
