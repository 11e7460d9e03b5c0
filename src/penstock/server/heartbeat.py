"""A loop that stands still: told in the log with request and stack; a worker is ended in the end, to be
replaced.

The loop beats; a thread watches. What stands still for a moment is `standstills`' to tell, once it is over;
from `stuck_timeout_s` on it is told here, at once, and the thread answers a worker's clients (`farewell`).
The thread does what else there is to do while the loop may be stuck, its chores. A thread of Python does not
run while C code keeps the interpreter lock, so behind it stands the watchdog of faulthandler, which needs no
lock: it knows no request and answers nobody, but it writes the stack of every thread. Requests in threads do
not stop the loop and are none of this.

PERF: with the defaults an idle process beats and looks 20 times a second, 0.3 % of a processor.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from penstock.observe.logs import writer as log_writer
from penstock.observe.stacks import log_with_stack, stack_of_thread
from penstock.server.sampling import find_running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.http.request import Request
    from penstock.server.reactor import Reactor
    from penstock.server.standstills import Standstills

    Chore = tuple[float, Callable[[], None]]

_log = logging.getLogger("penstock.server")

# Beats in the time a loop may stand still, and the longest step between two looks.
_PARTS: Final = 4
_STEP_S: Final = 0.25
# Looks in the time after which a standstill is told, so that it is seen in some stack before it is over.
_LOOKS: Final = 2
_STEP_LEAST_S: Final = 0.005
# The watchdog without words comes so much later than the one with, and after as much time again: it counts a
# pause of the whole process, stopped or frozen with its machine, as time the loop stood still.
_LOCKED_S: Final = 1.0
# Clients get this long to read their last reply; most need a round trip.
_FAREWELL_S: Final = 1.0
# All of the end together; a thread that computes leaves the others one turn in 5 ms.
_END_S: Final = 6.0
# At the end, for the look or the chore under way.
_JOIN_S: Final = 1.0
# What was said of it has to be written; a sink that takes longer than this is broken.
_FLUSH_S: Final = 1.0
_STUCK: Final = 70  # EX_SOFTWARE


class Heartbeat:
    """Beats on the loop of `reactor`; tells when it does not, and ends the process if it is replaced then.
    A time of 0 switches off what comes after it.
    """

    def __init__(
        self,
        reactor: Reactor,
        stuck_timeout_s: float,
        standstills: Standstills,
        *,
        is_replaced: bool = True,
        chores: Sequence[Chore] = (),
    ) -> None:
        from penstock.server.farewell import say_farewell  # now: once the loop stands still, who knows

        self._say_farewell = say_farewell
        self._reactor = reactor
        self._timeout_s = stuck_timeout_s
        self._is_replaced = is_replaced
        self._step_s = _choose_step(stuck_timeout_s, standstills.limit_s, chores)
        self._thread = threading.get_ident()
        standstills.step_s = self._step_s
        self._is_over = False
        self._end = threading.Lock()  # PERF: to wait for it takes half as long as for an Event
        self._end.acquire()
        self._standstills = standstills
        self._chores = chores
        self._last = self._due = self._armed = time.monotonic()
        self._told = 0.0  # the last beat before a standstill that is in the log
        if stuck_timeout_s and is_replaced:
            self._watch_over(2 * stuck_timeout_s + _LOCKED_S)
        self._beat()
        self._watcher = threading.Thread(target=self._watch, name="penstock-heartbeat", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Watch no more."""
        if not self._is_over:
            self._is_over = True
            self._end.release()
        if self._timeout_s and self._is_replaced:
            faulthandler.cancel_dump_traceback_later()
        self._watcher.join(_JOIN_S)
        now = time.monotonic()
        self._standstills.look(now, now)  # what was over since the last look

    def _beat(self) -> None:
        """On the loop: show that it turns."""
        if self._is_over:
            return
        now, last = time.monotonic(), self._last
        self._standstills.note_beat(now - self._due)
        self._last = now
        if self._timeout_s:
            if not self._is_replaced:
                if self._told == last:
                    _log.warning("the loop goes on; it stood still for %.1f s", now - last)
            elif now - self._armed >= self._timeout_s / _PARTS:
                self._armed = now
                self._watch_over(2 * self._timeout_s + _LOCKED_S)
        self._due = now + self._step_s
        self._reactor.loop.call_at(self._reactor.loop.time() + self._step_s, self._beat)

    def _watch(self) -> None:
        due = [0.0] * len(self._chores)
        while not self._end.acquire(timeout=self._step_s):
            now = time.monotonic()
            still_s = self._standstills.look(now, self._last)
            if self._timeout_s and still_s >= self._timeout_s and self._last != self._told:
                self._tell_stuck(now)
            for index, (every_s, chore) in enumerate(self._chores):
                if now >= due[index]:
                    due[index] = now + every_s
                    _do(chore)

    def _tell_stuck(self, now: float) -> None:
        last = self._last
        age_s = now - last
        if not self._is_replaced:
            self._tell(find_running(self._reactor), age_s)
            self._told = last
            self._standstills.leave()
            return
        try:
            self._watch_over(_END_S)
            request = find_running(self._reactor)
            self._tell(request, age_s)
            answered, cut = self._say_farewell(self._reactor, request, _FAREWELL_S)
            _log.info("%d clients were answered, %d replies were cut off", answered, cut)
        finally:
            log_writer.flush(_FLUSH_S)
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


def _choose_step(stuck_timeout_s: float, blocked_loop_s: float, chores: Sequence[Chore]) -> float:
    steps = [_STEP_S, *(every_s for every_s, _ in chores)]
    if stuck_timeout_s:
        steps.append(stuck_timeout_s / _PARTS)
    if blocked_loop_s:
        steps.append(blocked_loop_s / _LOOKS)
    return max(_STEP_LEAST_S, min(steps))


def _do(chore: Callable[[], None]) -> None:
    try:
        chore()
    except Exception:
        # The border of the thread: a bug costs what the chore tells, never the watch over the loop.
        _log.exception("a bug in the server; something is not told")
