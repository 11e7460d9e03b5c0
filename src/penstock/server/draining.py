"""Whether the server has begun to stop: a flag, something to await, and something a thread can wait for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator


class Drain:
    """Begins once and never ends. True once it has begun; `await` and `wait` return then."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._waiters: set[asyncio.Future[None]] = set()  # touched on the loop alone

    def begin(self) -> None:
        """Tell everybody. On the loop."""
        self._begun.set()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __bool__(self) -> bool:
        return self._begun.is_set()

    def __await__(self) -> Generator[Any, None, None]:
        if self._begun.is_set():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            yield from waiter
        finally:
            self._waiters.discard(waiter)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait in a thread, at most so long; return whether it has begun."""
        return self._begun.wait(timeout_s)

    def __repr__(self) -> str:
        return f"<Drain {'begun' if self else 'not begun'}>"
