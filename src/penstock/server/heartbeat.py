"""A loop that stands still: told in the log with request and stack; a worker is then ended, to be replaced.

The loop beats; a thread watches, and answers a worker's clients in the end (`farewell`). A thread of Python
does not run while C code keeps the interpreter lock, so behind it stands the watchdog of faulthandler, which
needs no lock: it knows no request and answers nobody, but it writes the stack of every thread. Requests in
threads do not stop the loop and are none of this.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from penstock.observe.stacks import log_with_stack, stack_of_thread
from penstock.server.transport import IDLE

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

# Beats in the time a loop may stand still, and the longest step between two looks.
_PARTS = 4
_STEP_S = 0.25
# The watchdog without words comes so much later than the one with, and after as much time again: it counts a
# pause of the whole process, stopped or frozen with its machine, as time the loop stood still.
_LOCKED_S = 1.0
# Clients get this long to read their last reply; most need a round trip.
_FAREWELL_S = 1.0
# All of the end together; a thread that computes leaves the others one turn in 5 ms.
_END_S = 6.0
_STUCK = 70  # EX_SOFTWARE


class Heartbeat:
    """Beats on the loop of `reactor`; tells when it has not for `timeout_s`, and ends the process if it is
    replaced then.
    """

    def __init__(self, reactor: Reactor, timeout_s: float, *, is_replaced: bool = True) -> None:
        from penstock.server.farewell import say_farewell  # now: once the loop stands still, who knows

        self._say_farewell = say_farewell
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._is_replaced = is_replaced
        self._thread = threading.get_ident()
        self._is_over = threading.Event()
        self._last = time.monotonic()
        self._beat()
        threading.Thread(target=self._watch, name="penstock-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._is_over.set()
        if self._is_replaced:
            faulthandler.cancel_dump_traceback_later()

    def _beat(self) -> None:
        if self._is_over.is_set():
            return
        last, self._last = self._last, time.monotonic()
        if self._is_replaced:
            self._watch_over(2 * self._timeout_s + _LOCKED_S)
        elif self._last - last >= self._timeout_s:
            _log.warning("the loop goes on; it stood still for %.1f s", self._last - last)
        self._reactor.loop.call_later(self._timeout_s / _PARTS, self._beat)

    def _watch(self) -> None:
        told = 0.0  # the last beat before a standstill that is in the log
        step_s = min(_STEP_S, self._timeout_s / _PARTS)
        seen, looked, still_s = self._last, time.monotonic(), 0.0
        while not self._is_over.wait(step_s):
            now, last = time.monotonic(), self._last
            # By our own steps: after a pause of the whole process it is not the loop that stood still.
            still_s = still_s + min(now - looked, 2 * step_s) if last == seen else 0.0
            seen, looked = last, now
            if still_s < self._timeout_s or last == told:
                continue
            age_s = now - last
            if not self._is_replaced:
                self._tell(_find_request(self._reactor), age_s)
                told = last
            else:
                try:
                    self._watch_over(_END_S)
                    request = _find_request(self._reactor)
                    self._tell(request, age_s)
                    answered, cut = self._say_farewell(self._reactor, request, _FAREWELL_S)
                    _log.info("%d clients were answered, %d replies were cut off", answered, cut)
                finally:
                    os._exit(_STUCK)

    def _watch_over(self, wait_s: float) -> None:
        """End the process in so long, whatever happens, unless this is called again before."""
        try:
            faulthandler.dump_traceback_later(wait_s, exit=True)
        except (AttributeError, OSError, ValueError):
            pass  # no stderr to write to

    def _tell(self, request: Request | None, age_s: float) -> None:
        what = "no request is under way" if request is None else f"{request}, trace id {request.trace_id}"
        stack = stack_of_thread(self._thread)
        end = ", this worker ends" if self._is_replaced else ""
        message = f"the loop is stuck for %.1f s{end}: %s"
        log_with_stack(_log, stack, "Stack of the loop", message, age_s, what)


def _find_request(reactor: Reactor) -> Request | None:
    """Return the request whose handler keeps the loop: that of the Task that runs, or one called at once."""
    task = asyncio.current_task(reactor.loop)
    at_once = None
    for connection in list(reactor.connections):
        request: Request | None = connection.request
        if request is None:
            continue
        if task is not None and connection.task is task:
            return request
        if connection.phase == IDLE:  # its answer is not there, and nothing waits for it either
            at_once = request
    return at_once
