"""Tells twice a second what this process is at, from a thread of its own, so also while the loop is stuck.

It costs a request the count each connection keeps, 0.02 us, and nothing else. The thread reads what the
loop's thread writes, without a lock: a figure may be of the moment before or after. It holds no request.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from penstock.observe import checks, recent_errors, stores
from penstock.observe.overview import Figures
from penstock.observe.release import get_release
from penstock.server.in_flight import describe, find_in_flight
from penstock.server.sampling import snapshot

if TYPE_CHECKING:
    from penstock.observe.board import Slot
    from penstock.observe.overview import State
    from penstock.server.in_flight import InFlight
    from penstock.server.lookout import Lookout
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

# PERF: 10,000 connections are looked through in 0.4 ms, none take 0.02 ms.
INTERVAL_S: Final = 0.5
_LISTED: Final = 50


class Publisher:
    """Tells in one slot of the board."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._state: State = "starting"
        self._reactor: Reactor | None = None
        self._requests = 0
        self._turned = 0.0
        self._told = 0.0
        self._still_s = 0.0
        self._lookout: Lookout | None = None
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="penstock-publisher", daemon=True)

    def start(self) -> None:
        """Begin to tell; of a process that starts, at first."""
        self.publish()
        self._thread.start()

    def tell(self, state: State, reactor: Reactor | None = None, lookout: Lookout | None = None) -> None:
        """The process is in this state from now on; `lookout` knows where its requests stand."""
        self._state = state
        self._lookout = lookout or self._lookout
        self._reactor = reactor or self._reactor
        self.publish()

    def stop(self) -> None:
        """Tell a last time."""
        self._is_over.set()
        self.publish()

    def _run(self) -> None:
        while not self._is_over.wait(INTERVAL_S):
            try:
                self.publish()
            except Exception:
                # The border of the thread: a bug costs these figures, and their age shows it.
                _log.exception("a bug in the server; figures are not told")

    def publish(self) -> None:
        """Tell what is so now."""
        with self._lock:
            now = time.monotonic()
            reactor = self._reactor
            if reactor is None:
                Figures(self._state, now, get_release()).tell(self._slot)
            else:
                self._look(reactor, now).tell(self._slot)
            self._told = now

    def _measure_still(self, reactor: Reactor, now: float) -> float:
        """How long the loop has not turned, by our own steps: after a pause of the whole process, stopped or
        frozen, the loop is not what stood still.
        """
        turned = reactor.now
        is_still = turned == self._turned
        self._still_s = self._still_s + min(now - self._told, 2 * INTERVAL_S) if is_still else 0.0
        self._turned = turned
        return self._still_s

    def _look(self, reactor: Reactor, now: float) -> Figures:
        # In this order a connection that closes meanwhile counts in neither, and the next time again.
        requests = reactor.requests_of_closed
        connections = snapshot(reactor)
        found: list[InFlight] = []
        for connection in connections:
            requests += connection.requests
            if (one := find_in_flight(connection, now)) is not None:
                found.append(one)
        self._requests = max(requests, self._requests)
        found.sort(key=lambda each: each.since)
        lookout = self._lookout
        sampler = lookout.sampler if lookout is not None else None
        return Figures(
            state=self._state,
            told=now,
            release=get_release(),
            checks=checks.figures(),
            loop_still_s=self._measure_still(reactor, now),
            connections=len(connections),
            requests=self._requests,
            requests_in_flight=len(found),
            oldest=found[0].since if found else None,
            thread_pool=reactor.threads.figures(),
            listed=[describe(each, sampler) for each in found[:_LISTED]],
            loop=lookout.tell_loop() if lookout is not None else {},
            stores=stores.figures(),
            errors=recent_errors.tell(),
        )
