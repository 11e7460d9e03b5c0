"""Single flight: of many who want the same made at once, one makes it and the others wait for that.

Within a process only; one table for threads, one for the loop. Whoever waits gets what was made, or the
exception it failed with: a source that is down is asked once, not once by everybody in turn. When the one who
makes it is cancelled, one of those who wait makes it instead.
"""

from __future__ import annotations

import asyncio
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable


class _Flight:
    """What one thread makes."""

    def __init__(self) -> None:
        self.landed = Event()
        self.result: Any = None
        self.error: Exception | None = None
        self.is_abandoned = False


class ThreadFlights:
    """Single flight for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def run(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make()` returns, called by one of those who ask for this key at once."""
        while True:
            with self._lock:
                flight = self._flights.get(key)
                is_mine = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight()
            if is_mine:
                return self._fly(key, flight, make)
            flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if not flight.is_abandoned:
                return flight.result

    def begin(self, key: Hashable) -> Callable[[Callable[[], Any]], Any] | None:
        """Return what makes it, to be called once with `make`; None when somebody is making it."""
        with self._lock:
            if key in self._flights:
                return None
            flight = self._flights[key] = _Flight()
        return lambda make: self._fly(key, flight, make)

    def _fly(self, key: Hashable, flight: _Flight, make: Callable[[], Any]) -> Any:
        flight.is_abandoned = True  # until it is known to have ended
        try:
            flight.result = make()
            flight.is_abandoned = False
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()
        return flight.result


class LoopFlights:
    """Single flight for coroutines."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Future[Any]] = {}

    async def run(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        """Return what awaiting `make()` returns, called by one of those who ask for this key at once."""
        loop = asyncio.get_running_loop()
        while True:
            flight = self._flights.get((loop, key))
            if flight is None:
                return await self.fly(key, make)
            try:
                return await asyncio.shield(flight)
            except asyncio.CancelledError:
                if not flight.cancelled():
                    raise  # it is this one that is cancelled

    def is_flying(self, key: Hashable) -> bool:
        return (asyncio.get_running_loop(), key) in self._flights

    async def fly(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        """Make it; nobody else does."""
        loop = asyncio.get_running_loop()
        flight = self._flights[loop, key] = loop.create_future()
        try:
            result = await make()
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # read here: nobody may be waiting
            raise
        except BaseException:
            flight.cancel()
            raise
        finally:
            del self._flights[loop, key]
        flight.set_result(result)
        return result
