"""Where slow requests are while they run: their stacks, looked at a few times a second by another thread.

A request costs nothing for it. Only those that are old are looked at, the oldest first and a bounded number;
each keeps a bounded number of different stacks, with how often it was seen in each. Replies that are being
sent are left alone: a stream or a file takes as long as it takes.
"""

from __future__ import annotations

import asyncio
import threading
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from penstock.http.current import current
from penstock.observe.stacks import places_of_task, places_of_thread, render_stack
from penstock.server.transport import BUSY, IDLE, THREAD

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.observe.stacks import Stack
    from penstock.server.answering import Answering
    from penstock.server.noting import Noting
    from penstock.server.reactor import Reactor

# PERF: a stack of 20 frames takes 20 us, so a look takes 0.7 ms at most beside the pass over the connections.
_SAMPLED: Final = 32
_STACKS: Final = 16
_RENDERED: Final = 3


class Samples:
    """Where one request was seen."""

    __slots__ = ("count", "latest", "number", "stacks")

    def __init__(self, number: int) -> None:
        self.number = number
        """Which request of its connection it is."""
        self.count = 0
        """Looks so far."""
        self.stacks: dict[tuple[str, Stack], int] = {}
        """Where it ran and its stack, and how often; no more than some."""
        self.latest: tuple[str, Stack] = ("", ())

    def add(self, where: str, stack: Stack) -> None:
        self.count += 1
        self.latest = key = (where, stack)
        if key in self.stacks or len(self.stacks) < _STACKS:
            self.stacks[key] = self.stacks.get(key, 0) + 1

    def list_frames(self) -> list[dict[str, Any]]:
        """Return the innermost frames it was seen in, and how often, the most frequent first."""
        counts: dict[str, int] = {}
        for (_, stack), count in list(self.stacks.items()):
            counts[str(stack[-1])] = counts.get(str(stack[-1]), 0) + count
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        return [{"frame": frame, "count": count} for frame, count in ordered[:_RENDERED]]

    def render(self) -> str:
        """Return the most frequent stacks, for people."""
        ordered = sorted(self.stacks.items(), key=lambda item: -item[1])[:_RENDERED]
        return "".join(
            f"In {count} of {self.count} looks, {where} (most recent call last):\n{render_stack(stack)}"
            for (where, stack), count in ordered
        )


class Sampler:
    """Looks at the requests of a reactor, from a thread that is not the loop's."""

    def __init__(self, reactor: Reactor, least_age_s: float) -> None:
        self._reactor = reactor
        self._least_ns = round(least_age_s * 1e9)
        self._loop_thread = threading.get_ident()
        self._samples: dict[Noting, Samples] = {}

    def find(self, connection: Noting) -> Samples | None:
        """Return where the request this connection is at was seen; None when it was not. From any thread."""
        samples = self._samples.get(connection)
        return samples if samples is not None and samples.number == connection.requests else None

    def look(self) -> None:
        """Take the stacks of the oldest."""
        now = perf_counter_ns()
        # Until they are noted: between the answer of a thread and that there is no request to be found.
        kept = {
            connection: samples
            for connection, samples in self._samples.items()
            if connection.requests == samples.number and connection.started
        }
        old: list[tuple[int, Any, Request]] = []
        for connection in snapshot(self._reactor):
            request = connection.request
            if (
                request is None
                or connection.phase not in (IDLE, BUSY, THREAD)
                or connection.stream is not None
            ):
                continue
            started = connection.started
            since = max(started, connection.content_at)
            if started and now - since >= self._least_ns:
                old.append((since, connection, request))
        if old:
            running = find_running(self._reactor)
            old.sort(key=lambda each: each[0])
            for _, connection, request in old[:_SAMPLED]:
                samples = self.find(connection) or Samples(connection.requests)
                kept[connection] = samples
                where, stack = self._take(connection, request, is_running=request is running)
                if stack and connection.request is request:
                    samples.add(where, stack)
        self._samples = kept

    def see(self, connection: Answering, request: Request) -> tuple[str, Stack]:
        """Return where it stands now, whatever its age."""
        return self._take(connection, request, is_running=find_running(self._reactor) is request)

    def _take(self, connection: Answering, request: Request, *, is_running: bool) -> tuple[str, Stack]:
        if is_running:
            return "on the loop", places_of_thread(self._loop_thread)
        for thread in self._reactor.threads.find_threads(current, request):
            return f"in thread {thread.name}", places_of_thread(thread.ident)
        task = connection.work or connection.task
        if connection.phase == BUSY and isinstance(task, asyncio.Task):
            return "in a task that waits", places_of_task(task)
        return "", ()


def snapshot(reactor: Reactor) -> list[Any]:
    """Return the connections as they are now. From any thread."""
    while True:
        try:
            return list(reactor.connections)
        except RuntimeError:  # it changed meanwhile
            continue


def find_running(reactor: Reactor) -> Request | None:
    """Return the request whose handler keeps the loop: that of the Task that runs, or one called at once.
    From any thread.
    """
    task = asyncio.current_task(reactor.loop)
    at_once = None
    for connection in snapshot(reactor):
        request: Request | None = connection.request
        if request is None:
            continue
        if task is not None and task in (connection.task, connection.work):
            return request
        if connection.phase == IDLE:  # its answer is not there, and nothing waits for it either
            at_once = request
    return at_once


def find_route(request: Request, endpoint: Any = None) -> str | None:
    """Return the template of the route a request has; what is mounted or hosted has that of its endpoint."""
    endpoint = endpoint or getattr(request.connection, "endpoint", None)
    return request.route or (endpoint.route if endpoint is not None else None)
