"""`RedisStore`: a store in Redis, shared by every worker and machine that gives the same URL and prefix.

The `redis` package speaks; this module decides how long is waited and what an answer may be. No use of the
store takes longer than `timeout_s`, whatever is at the other end: threads have one deadline for all that a
command needs, connecting included (`penstock.app.stores.redis_deadline`; the look-up of a host name alone is
the system's), the loop has a timeout round it. Nothing is tried twice. An answer of the wrong kind is a
StoreError, and its connections are given up.

Connections belong to a process, for threads, or to a loop in it: whoever forks starts with none.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar
from weakref import WeakKeyDictionary

from penstock.app.stores.store import check_entry, check_key, check_ttl
from penstock.errors import ApplicationError, MissingExtra, StoreError, StoreRefused

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SCHEMES: Final = ("redis://", "rediss://", "unix://")
_GLOB = re.compile(rb"([*?\[\]\\^-])")
_BATCH: Final = 500
"""Keys that `clear` looks at in one command."""


class RedisStore:
    """Keeps entries in the Redis at `url` ("redis://host:6379/0", "rediss://", "unix:///run/redis.sock"),
    under keys that begin with `prefix`. A loop opens at most `limit_connections`, a thread one.
    """

    blocks = True

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "penstock:",
        timeout_s: float = 0.5,
        limit_connections: int = 64,
    ) -> None:
        if not isinstance(url, str) or not url.startswith(_SCHEMES):
            raise ApplicationError(
                f"RedisStore: {hide_password(str(url))!r}; expected redis://, rediss:// or unix://"
            )
        if not prefix or not isinstance(prefix, str):
            raise ApplicationError("RedisStore: prefix is empty; `clear` deletes what begins with it")
        if not isinstance(timeout_s, (int, float)) or not 0 < timeout_s < float("inf"):
            raise ApplicationError(f"RedisStore: timeout_s={timeout_s!r}; expected seconds above 0")
        if not isinstance(limit_connections, int) or limit_connections < 1:
            raise ApplicationError(f"RedisStore: limit_connections={limit_connections!r}; expected 1 or more")
        _import_redis()
        self._url = url
        self._prefix = _octets_of(prefix)
        self._limit_connections = limit_connections
        self.timeout_s = float(timeout_s)
        self._lock = Lock()
        self._client: Any = None
        self._pid = 0
        """Of the process `_client` and `_by_loop` belong to."""
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._thread_client()  # a URL that cannot be read is found here

    def __repr__(self) -> str:
        return f"<RedisStore {hide_password(self._url)}>"

    # -- the plain forms

    def get(self, key: str, /) -> bytes | None:
        return self._ask(_kept, "GET", self._name(key))

    def set(self, key: str, value: bytes, /, ttl_s: float | None = None) -> None:
        self._ask(_is_set, *self._set(key, value, ttl_s))

    def add(self, key: str, value: bytes, /, ttl_s: float | None = None) -> bool:
        return self._ask(_is_added, *self._set(key, value, ttl_s), "NX")

    def delete(self, *keys: str) -> int:
        return self._ask(_count, "DEL", *map(self._name, keys)) if keys else 0

    def touch(self, key: str, /, ttl_s: float) -> bool:
        return self._ask(_truth, *self._expire(key, ttl_s))

    def clear(self) -> None:
        """Delete what begins with the prefix, a few hundred at a time; other users of Redis go on."""
        cursor = b"0"
        while True:
            cursor, names = self._ask(_found, *self._scan(cursor))
            if names:
                self._ask(_count, "DEL", *names)
            if cursor == b"0":
                return

    def run_script(self, script: str, keys: tuple[str, ...], *args: object) -> Any:
        """Run a Lua script in Redis, with nobody in between; it is sent once and known by its digest then."""
        parts = self._script_parts(keys, args)
        try:
            return self._ask(_anything, "EVALSHA", _digest(script), *parts)
        except StoreError as error:
            if not _is_unknown_script(error):
                raise
        return self._ask(_anything, "EVAL", script, *parts)

    def publish(self, name: str, value: bytes, /) -> int:
        """Send octets to whoever listens to a name at the moment; return how many connections do."""
        return self._ask(_count, "PUBLISH", self.channel_name(name), value)

    def close(self) -> None:
        """Close the connections of threads."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.connection_pool.disconnect()

    # -- the forms for the loop

    async def aget(self, key: str, /) -> bytes | None:
        return await self._aask(_kept, "GET", self._name(key))

    async def aset(self, key: str, value: bytes, /, ttl_s: float | None = None) -> None:
        await self._aask(_is_set, *self._set(key, value, ttl_s))

    async def aadd(self, key: str, value: bytes, /, ttl_s: float | None = None) -> bool:
        return await self._aask(_is_added, *self._set(key, value, ttl_s), "NX")

    async def adelete(self, *keys: str) -> int:
        return await self._aask(_count, "DEL", *map(self._name, keys)) if keys else 0

    async def atouch(self, key: str, /, ttl_s: float) -> bool:
        return await self._aask(_truth, *self._expire(key, ttl_s))

    async def aclear(self) -> None:
        cursor = b"0"
        while True:
            cursor, names = await self._aask(_found, *self._scan(cursor))
            if names:
                await self._aask(_count, "DEL", *names)
            if cursor == b"0":
                return

    async def arun_script(self, script: str, keys: tuple[str, ...], *args: object) -> Any:
        parts = self._script_parts(keys, args)
        try:
            return await self._aask(_anything, "EVALSHA", _digest(script), *parts)
        except StoreError as error:
            if not _is_unknown_script(error):
                raise
        return await self._aask(_anything, "EVAL", script, *parts)

    async def apublish(self, name: str, value: bytes, /) -> int:
        return await self._aask(_count, "PUBLISH", self.channel_name(name), value)

    async def aclose(self) -> None:
        """Close the connections of the running loop, and those of threads."""
        client = self._by_loop.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.connection_pool.disconnect()
        self.close()

    # -- what Channels listens with

    def channel_name(self, name: str) -> bytes:
        """Return what a channel is called in Redis, where they have names of their own, unlike keys."""
        return self._prefix + b"channel:" + _octets_of(name)

    def name_of_channel(self, octets: bytes) -> str | None:
        """Return the name of a channel of this prefix, None for another."""
        start = self._prefix + b"channel:"
        return octets[len(start) :].decode("utf-8", "replace") if octets.startswith(start) else None

    def open_pubsub(self) -> Any:
        """Return a connection for the running loop that hears what is published; the caller closes it."""
        return self._make_loop_client().pubsub()

    # -- commands

    def _name(self, key: str) -> bytes:
        check_key(key)
        return self._prefix + _octets_of(key)

    def _set(self, key: str, value: bytes, ttl_s: float | None) -> tuple[object, ...]:
        check_entry(key, value, ttl_s)
        command = ("SET", self._name(key), value)
        return command if ttl_s is None else (*command, "PX", _milliseconds(ttl_s))

    def _expire(self, key: str, ttl_s: float) -> tuple[object, ...]:
        check_ttl(ttl_s)
        return "PEXPIRE", self._name(key), _milliseconds(ttl_s)

    def _scan(self, cursor: bytes) -> tuple[object, ...]:
        return "SCAN", cursor, "MATCH", _GLOB.sub(rb"\\\1", self._prefix) + b"*", "COUNT", _BATCH

    def _script_parts(self, keys: tuple[str, ...], args: tuple[object, ...]) -> tuple[object, ...]:
        return (len(keys), *map(self._name, keys), *args)

    # -- asking

    def _ask(self, read: Callable[[Any], T], *command: object) -> T:
        from penstock.app.stores.redis_deadline import deadline

        client = self._thread_client()
        try:
            with deadline(self.timeout_s):
                answer = client.execute_command(*command)
            return read(answer)
        except Exception as error:
            if isinstance(error, StoreError):  # what else came on that connection cannot be right, either
                client.connection_pool.disconnect(inuse_connections=False)
                raise
            raise self._store_error(error) from error

    async def _aask(self, read: Callable[[Any], T], *command: object) -> T:
        client = self._loop_client()
        try:
            async with asyncio.timeout(self.timeout_s):
                answer = await client.execute_command(*command)
            return read(answer)
        except Exception as error:
            if isinstance(error, StoreError):
                await client.connection_pool.disconnect(inuse_connections=False)
                raise
            raise self._store_error(error) from error

    def _store_error(self, error: Exception) -> StoreError:
        if isinstance(error, TimeoutError) or type(error).__name__ == "TimeoutError":
            return StoreError(f"Redis does not answer within {self.timeout_s:g} s")
        text = hide_password(str(error)) or type(error).__name__
        if text.startswith("OOM ") or type(error).__name__ == "OutOfMemoryError":
            return StoreRefused("Redis has no memory left for it (maxmemory)")
        return StoreError(f"Redis: {text[:200]}")

    def _thread_client(self) -> Any:
        """Return the client of this process's threads."""
        client = self._client
        if client is not None and self._pid == os.getpid():
            return client
        with self._lock:
            self._mind_fork()
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _loop_client(self) -> Any:
        if self._pid != os.getpid():
            with self._lock:
                self._mind_fork()
        loop = asyncio.get_running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            client = self._by_loop[loop] = self._make_loop_client()
        return client

    def _mind_fork(self) -> None:
        """What was opened before a fork belongs to the other process: forget it, send nothing on it."""
        if self._pid != os.getpid():
            self._client = None
            self._by_loop = WeakKeyDictionary()
            self._pid = os.getpid()

    def _make_client(self) -> Any:
        from redis import ConnectionPool, Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        from penstock.app.stores.redis_deadline import with_deadline

        try:
            pool = ConnectionPool.from_url(self._url, retry=Retry(NoBackoff(), 0), **self._options())
        except ValueError as error:
            raise ApplicationError(f"RedisStore: {hide_password(self._url)!r}: {error}") from None
        pool.connection_class = with_deadline(pool.connection_class)
        return _plain(Redis(connection_pool=pool))

    def _make_loop_client(self) -> Any:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        pool = BlockingConnectionPool.from_url(
            self._url,
            retry=Retry(NoBackoff(), 0),
            max_connections=self._limit_connections,
            timeout=self.timeout_s,
            **self._options(),
        )
        return _plain(Redis(connection_pool=pool))

    def _options(self) -> dict[str, Any]:
        limits = {"socket_timeout": self.timeout_s, "socket_connect_timeout": self.timeout_s}
        return {**limits, "health_check_interval": 0, "decode_responses": False, "protocol": 2}


def hide_password(text: str) -> str:
    """Return a URL, or a text with one, without what it tells of a password.

    >>> hide_password("redis://me:secret@host/0?password=secret&db=1")
    'redis://me:***@host/0?password=***&db=1'
    """
    text = re.sub(r"(://[^:/@\s]*+:)[^@\s]*(?=@)", r"\1***", text)
    return re.sub(r"((?:password|username)=)[^&\s]*", r"\1***", text)


def _import_redis() -> None:
    try:
        import redis  # noqa: F401 - whether it is there
    except ImportError:
        raise MissingExtra("RedisStore needs an extra: pip install 'penstock[redis]'") from None


def _plain(client: Any) -> Any:
    """Have the client return what Redis sent: what is right is decided here."""
    client.response_callbacks = {}
    return client


def _octets_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _milliseconds(ttl_s: float) -> int:
    # Redis takes up to 2**63 - 1, counted from 1970: three hundred years are as good as for ever.
    return max(1, min(round(ttl_s * 1000), 10_000_000_000_000))


def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()  # the name Redis gives it


def _is_unknown_script(error: StoreError) -> bool:
    return type(error.__cause__).__name__ == "NoScriptError"


# -- what an answer may be


def _kept(answer: Any) -> bytes | None:
    return answer if answer is None or isinstance(answer, bytes) else _refuse(answer)


def _is_set(answer: Any) -> None:
    if answer != b"OK":
        _refuse(answer)


def _is_added(answer: Any) -> bool:
    return answer is not None and (answer == b"OK" or _refuse(answer))


def _count(answer: Any) -> int:
    return answer if isinstance(answer, int) and answer >= 0 else _refuse(answer)


def _truth(answer: Any) -> bool:
    return _count(answer) == 1


def _found(answer: Any) -> tuple[bytes, list[bytes]]:
    """Return what SCAN found: where to go on, and names."""
    if isinstance(answer, list) and len(answer) == 2:
        cursor, names = answer
        if isinstance(cursor, bytes) and isinstance(names, list):
            return cursor, names
    return _refuse(answer)


def _anything(answer: Any) -> Any:
    return answer


def _refuse(answer: Any) -> NoReturn:
    raise StoreError(f"Redis answers with what was not asked for: {type(answer).__name__}")
