"""Content on its way in: collected whole, or handed to the handler as it arrives (`BodyStream`).

Both are fed by the connection in the reactor's thread and keep the time: a client that sends slower than the
minimum rate is cut off, so that a trickle buys no time. Collected content has an absolute deadline as well; a
stream has none, and the time during which the handler, not the client, is the slow one does not count.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

from penstock.errors import ClientDisconnected
from penstock.server.transport import NEVER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from penstock.server.config import Config
    from penstock.server.intake import Intake

# Before the rate counts: a slow start is not an attack (Kestrel's grace period).
_GRACE_S = 5.0


class Collected:
    """Content for a handler that wants it whole."""

    __slots__ = ("_started", "pieces", "received")

    def __init__(self, now: float) -> None:
        self.pieces: list[bytes] = []
        self.received = 0
        self._started = now

    def add(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self.received += len(piece)

    def deadline(self, config: Config) -> float:
        """When to give up, given what has come so far."""
        rate = config.content_min_rate_bytes_per_s
        slowest = self._started + _GRACE_S + self.received / rate if rate else NEVER
        return min(self._started + config.content_timeout_s, slowest)


class ConnectionBody:
    """A `BodyStream`: the content of the request under way on one connection."""

    __slots__ = (
        "_connection",
        "_fault",
        "_held",
        "_is_ended",
        "_lock",
        "_pieces",
        "_served_at",
        "_wait_began",
        "_wait_started",
        "_waiter",
        "is_started",
        "received",
    )

    def __init__(self, connection: Intake) -> None:
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._held = 0  # octets in _pieces
        self._is_ended = False
        self._fault: Exception | None = None
        self._lock = threading.Condition()
        self._waiter: asyncio.Future[None] | None = None
        self.received = 0
        self._wait_started = connection.reactor.now
        self._wait_began = self._wait_started  # the last wait alone; the other stands for all of them
        self._served_at: float | None = self._wait_started  # when the handler was last given something to do
        self.is_started = False
        """The handler has asked for content, so 100 Continue is sent if it was expected."""

    # The side of the connection: reactor's thread.

    @property
    def is_full(self) -> bool:
        """True when the handler is behind: stop reading from the client."""
        return self._held >= self._connection.reactor.config.pipeline_buffer_bytes

    @property
    def is_failed(self) -> bool:
        """True once no more of it will be taken from the client."""
        return self._fault is not None

    @property
    def is_waiting(self) -> bool:
        """True while it is the client's time that passes, and not the handler's."""
        return self._served_at is None

    def feed(self, piece: bytes) -> None:
        """Take a piece; b"" is the end."""
        self._end_wait()
        with self._lock:
            if piece:
                self._pieces.append(piece)
                self._held += len(piece)
                self.received += len(piece)
            else:
                self._is_ended = True
        self._wake()

    def fail(self, fault: Exception) -> None:
        """No more comes; the handler gets `fault` after the pieces that are there."""
        self._end_wait()
        with self._lock:
            if self._fault is None and not self._is_ended:
                self._fault = fault
        self._wake()

    def disconnect(self) -> None:
        self.fail(ClientDisconnected("the client left in the middle of the content"))

    def deadline(self, config: Config) -> float:
        """When to give up on the client; never while it is the handler that is slow."""
        rate = config.content_min_rate_bytes_per_s
        if self._served_at is not None or not rate:
            return NEVER
        return self._wait_started + _GRACE_S + self.received / rate

    def begin_wait(self) -> None:
        """The handler has used up what came, and waits: from now on it is the client's time that passes."""
        if self._served_at is not None and not (self._held or self._is_ended or self._fault):
            self._wait_began = self._connection.reactor.now
            self._wait_started += self._wait_began - self._served_at
            self._served_at = None

    def _end_wait(self) -> None:
        """The handler has something to do again, and is given the time it waited for the client."""
        if self._served_at is None:
            self._served_at = self._connection.reactor.now
            self._connection.due += self._served_at - self._wait_began

    def _wake(self) -> None:
        with self._lock:
            self._lock.notify_all()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The side of the handler: the loop, or one thread.

    def _take(self) -> tuple[bytes | None, bool]:
        """Return the next piece, b"" at the end, None for "not yet", and whether the client may be read from
        again.
        """
        with self._lock:
            if self._pieces:
                was_full = self.is_full
                piece = self._pieces.popleft()
                self._held -= len(piece)
                return piece, was_full and not self.is_full
            if self._fault is not None:
                raise self._fault
            return (b"" if self._is_ended else None), False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            piece, resumes = self._take()
            if piece is None:
                self._waiter = asyncio.get_running_loop().create_future()
                self._connection.want_content(self)
                await self._waiter
                continue
            if not piece:
                return
            if resumes:
                self._connection.want_content(self)
            yield piece

    def __iter__(self) -> Iterator[bytes]:
        post = self._connection.reactor.post
        while True:
            piece, resumes = self._take()
            if piece is None:
                post(self._connection.want_content, self)
                with self._lock:
                    self._lock.wait_for(lambda: self._pieces or self._is_ended or self._fault)
                continue
            if not piece:
                return
            if resumes:
                post(self._connection.want_content, self)
            yield piece

    async def read(self) -> bytes:
        """Return all that is left. HTTPError 413 beyond the limit, ClientDisconnected when cut short."""
        return b"".join([piece async for piece in self])

    def read_sync(self) -> bytes:
        """Return all that is left; for handlers in a thread."""
        return b"".join(self)
