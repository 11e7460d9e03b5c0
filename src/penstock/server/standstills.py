"""Moments in which the loop stands still: how long, where, and for which request, told when they are over.

A thread that looks twice in `blocked_loop_s` takes the stack of a loop that is late; when the loop turns
again, one record names the frame: the innermost that most looks have in common. The same frame is told once
a minute, with how often it was not.

A pause of the whole process, stopped or frozen with its machine, is not its loop blocked by code: the looker
then comes late itself, and nothing was computed. Nor is a loop that waits for events and gets no turn blocked
by what it runs; its lag shows that.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.observe.stacks import is_idle, log_with_stack, places_of_thread, render_stack
from penstock.server.sampling import find_route, find_running

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.observe.stacks import Stack
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

_QUIET_S: Final = 60.0
"""The same frame is not told again before."""
_FRAMES: Final = 256
_STACKS: Final = 32
_LAGS: Final = 1024
# A beat that is half a step late is not just an unpunctual timer.
_LATE: Final = 1.5
# Of so many steps between two looks without this share of a processor: the process was stopped, or frozen
# with its machine. On a busy one more than the share may not be had.
_PAUSE: Final = 4
_WORK: Final = 32


class _Seen(NamedTuple):
    """The loop at one look during a standstill."""

    stack: Stack
    request: Request | None
    route: str | None
    work: str
    """Of the Task that runs."""


class Standstills:
    """Told by the beats of the loop and the looks of a thread."""

    def __init__(self, reactor: Reactor, blocked_loop_s: float) -> None:
        """In the thread of the loop."""
        self._reactor = reactor
        self._thread = threading.get_ident()
        self.limit_s: Final = blocked_loop_s
        """From which on a standstill is told; 0 for none."""
        self.step_s = 0.0
        """Between two looks."""
        self._last = 0.0
        """When the loop showed the last sign of life."""
        self._looked = time.monotonic()
        self._cpu = time.process_time()
        self._still_s = 0.0
        self._seen: list[_Seen] = []
        self._is_told = False
        self._quiet: dict[tuple[str, str], tuple[float, int]] = {}
        """By file and function: until when it is not told, and how often it was not."""
        self.lags: deque[float] = deque(maxlen=_LAGS)
        """How late the loop's timer was, beat by beat; whoever makes figures of them takes them out."""
        self.count = 0
        """Standstills over the limit so far, those included that were not told."""
        self.longest_s = 0.0

    def note_beat(self, lag_s: float) -> None:
        """On the loop: it turns, and its timer was so late."""
        self.lags.append(max(0.0, lag_s))

    def leave(self) -> None:
        """Somebody else tells of this one. In the thread that watches."""
        self._is_told = True

    def look(self, now: float, beat: float) -> float:
        """In the thread that watches: return how long the loop stands still by now."""
        last, cpu = max(beat, self._reactor.now), time.process_time()
        elapsed_s = now - self._looked
        was_paused = elapsed_s > _PAUSE * self.step_s and cpu - self._cpu < elapsed_s / _WORK
        most_s = self.step_s if was_paused else elapsed_s
        if last != self._last:
            if self._seen:
                over = beat if beat > self._last else last
                self._end(self._still_s + min(max(0.0, over - self._looked), most_s))
            self._last, self._still_s, self._seen, self._is_told = last, 0.0, [], False
        self._still_s += min(now - max(last, self._looked), most_s)
        is_late = now - last > _LATE * self.step_s
        if self.limit_s and is_late and not was_paused and len(self._seen) < _STACKS:
            self._take()
        self._looked, self._cpu = now, cpu
        return self._still_s

    def _take(self) -> None:
        stack = places_of_thread(self._thread)
        if is_idle(stack):
            return
        task = asyncio.current_task(self._reactor.loop)
        work = getattr(task.get_coro(), "__qualname__", "") if task is not None else ""
        request = find_running(self._reactor)
        route = find_route(request) if request is not None else None
        self._seen.append(_Seen(stack, request, route, work))

    def _end(self, length_s: float) -> None:
        """The loop turns again."""
        if length_s < self.limit_s:
            return
        self.count += 1
        self.longest_s = max(self.longest_s, length_s)
        if not self._is_told:
            self._tell(length_s)

    def _tell(self, length_s: float) -> None:
        common = _find_common([each.stack for each in self._seen])
        place = common[-1]
        key, now = (place.file, place.function), time.monotonic()
        until, silent = self._quiet.get(key, (0.0, 0))
        if now < until:
            self._quiet[key] = (until, silent + 1)
            return
        if len(self._quiet) >= _FRAMES:
            self._quiet.clear()
        self._quiet[key] = (now + _QUIET_S, 0)
        request = self._seen[0].request
        if request is not None:
            what = f"{request}, trace id {request.trace_id}"
        else:
            what = f"no request, {self._seen[0].work or 'a callback'}"
        more = f" ({silent} times more since it was told last)" if silent else ""
        log_with_stack(
            _log,
            render_stack(common),
            "Stack of the loop",
            "the loop was blocked for %.3f s at %s: %s%s",
            *(length_s, place, what, more),
            level=logging.WARNING,
            duration_ms=round(length_s * 1e3, 3),
            frame=str(place),
            trace_id=request.trace_id if request is not None else None,
            route=self._seen[0].route,
        )


def _find_common(stacks: list[Stack]) -> Stack:
    """Return the calls that more than half of the stacks have in common, the innermost last: of a function
    that calls many others, the function.
    """
    left, depth = stacks, 0
    while True:
        calls = Counter(stack[depth][::2] for stack in left if len(stack) > depth)
        (call, count) = calls.most_common(1)[0] if calls else (None, 0)
        if 2 * count <= len(stacks):
            return left[0][:depth] or left[0]
        left = [stack for stack in left if len(stack) > depth and stack[depth][::2] == call]
        depth += 1
