"""Tells twice a second what this process is at, from a thread of its own, so also while the loop is stuck.

It costs a request the count each connection keeps, 0.02 us, and nothing else. The thread reads what the
loop's thread writes, without a lock: a figure may be of the moment before or after. It holds no request;
which one a connection is at it knows by that connection's count, and how old it is by when it saw that first,
so ages are short by half a second at most.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from penstock.http.handler import TASK
from penstock.http.redaction import redactor
from penstock.observe import checks, recent_errors, stores
from penstock.observe.overview import Figures
from penstock.observe.release import get_release
from penstock.server.transport import CONTENT, THREAD

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.observe.board import Slot
    from penstock.observe.overview import State
    from penstock.server.reactor import Reactor
from penstock.server.transport import Transport

_log = logging.getLogger("penstock.server")

# PERF: 10,000 connections are looked through in 0.4 ms, none take 0.02 ms.
INTERVAL_S: Final = 0.5
_LISTED: Final = 50
_LINE_CHARS: Final = 200


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
        self._seen: dict[Transport, tuple[int, float]] = {}  # count of the request it is at, first seen
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="penstock-publisher", daemon=True)

    def start(self) -> None:
        """Begin to tell; of a process that starts, at first."""
        self.publish()
        self._thread.start()

    def tell(self, state: State, reactor: Reactor | None = None) -> None:
        """The process is in this state from now on."""
        self._state = state
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
        seen: dict[Transport, tuple[int, float]] = {}
        listed = []
        connections = list(reactor.connections)
        for connection in connections:
            count = connection.requests
            requests += count
            request: Request | None = connection.request
            if request is None:
                continue
            before = self._seen.get(connection)
            since = before[1] if before is not None and before[0] == count else now
            seen[connection] = (count, since)
            listed.append((since, connection, request))
        self._seen = seen
        self._requests = max(requests, self._requests)
        listed.sort(key=lambda each: each[0])
        return Figures(
            state=self._state,
            told=now,
            release=get_release(),
            checks=checks.figures(),
            loop_still_s=self._measure_still(reactor, now),
            connections=len(connections),
            requests=self._requests,
            requests_in_flight=len(listed),
            oldest=listed[0][0] if listed else None,
            thread_pool=reactor.threads.figures(),
            listed=[_describe(*each) for each in listed[:_LISTED]],
            stores=stores.figures(),
            errors=recent_errors.tell(),
        )


def _describe(since: float, connection: Any, request: Request) -> dict[str, Any]:
    # Redacted before it is cut: half a secret is not known for one.
    target = redactor().target(request.raw_path, request.raw_query)
    target = f"{target[:_LINE_CHARS]}{'...' if len(target) > _LINE_CHARS else ''}"
    endpoint = connection.endpoint
    return {
        "line": f"{request.method} {target} HTTP/{request.http_version}",
        "route": endpoint.route if endpoint is not None else None,
        "since": since,
        "runs": _find_place(connection, endpoint),
    }


def _find_place(connection: Any, endpoint: Any) -> str:
    """Where a request is at: what it waits for, or what it runs in."""
    phase = connection.phase
    if phase == CONTENT:
        return "receives content"
    if phase == THREAD:
        return "thread"
    if connection.stream is not None:
        return "stream"
    if connection.task is not None:
        return "task" if endpoint is not None and endpoint.run == TASK else "awaited"
    return "loop"
