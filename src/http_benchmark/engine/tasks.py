"""Async clients: N tasks on one loop, in a thread of its own, which share one client and one recorder.

The loop is asyncio's own. In an open loop its timers wait to the microsecond (`precise.py`), because epoll
rounds up to whole milliseconds. A second thread watches, so that Ctrl-C meets neither loop nor library.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from http_benchmark.engine.faults import NOT_CONNECTED, classify
from http_benchmark.engine.precise import new_precise_loop
from http_benchmark.engine.threads import PAUSE_S

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import AsyncClient
    from http_benchmark.engine.phase import Phase, Phases
    from http_benchmark.engine.recorder import Recorder
    from http_benchmark.engine.subject import Subject

_CLOSE_S: Final = 5.0
"""A client may take so long to close its connections."""


class TaskCrew:
    """The tasks of one round."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.warm_up = [subject.make_recorder()]
        self.recorders = [subject.make_recorder()]
        self._made: SimpleQueue[BaseException | None] = SimpleQueue()
        self._gate = asyncio.Event()
        self._phases: Phases | None = None
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._idle: set[asyncio.Task[None]] = set()
        """Those that wait for a due time, or before they connect anew."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_begun = False
        self.failure: BaseException | None = None
        """What broke a task, and is no error of a request."""

    def prepare(self) -> None:
        """Start the loop and have it make the client; raise what that raised."""
        self._thread.start()
        if (failure := self._made.get()) is not None:
            self._thread.join()
            raise failure

    def go(self, phases: Phases) -> None:
        """Begin."""
        self._phases = phases
        self._call(self._gate.set)

    def is_done(self) -> bool:
        """Whether all have ended."""
        return not self._thread.is_alive()

    def wake(self) -> None:
        """End those that wait for a due time, after the round was stopped."""
        self._call(lambda: [task.cancel() for task in self._idle])

    def finish(self, drain_s: float) -> None:
        """Wait for the requests in flight, then give up the rest."""
        self._thread.join(drain_s)
        if self._thread.is_alive():
            self._call(lambda: [task.cancel() for task in self._tasks])
            self._thread.join(2 * _CLOSE_S)

    def _call(self, what: object) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(what)  # type: ignore[arg-type]  # what it returns is dropped
            except RuntimeError:  # it has ended meanwhile
                pass

    def _run(self) -> None:
        factory = asyncio.new_event_loop if self._subject.is_closed_loop else new_precise_loop
        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(self._main())
        except BaseException as error:
            self.failure = error
            self._made.put(error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        client = self._subject.make_async()
        self._made.put(None)
        try:
            await self._gate.wait()
            if self._phases is None:
                return
            work = [self._work(client, self._phases) for _ in range(self._subject.concurrency)]
            self._tasks = [self._loop.create_task(each) for each in work]
            await asyncio.wait(self._tasks)
            self.recorders[0].opened_in_all = client.connections_opened()
        finally:
            with suppress(Exception):  # what was measured stands
                async with asyncio.timeout(_CLOSE_S):
                    await client.close()

    async def _work(self, client: AsyncClient, phases: Phases) -> None:
        try:
            await self._send(client, phases)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.failure = error

    async def _send(self, client: AsyncClient, phases: Phases) -> None:
        send = self._send_in_turn if self._subject.is_closed_loop else self._send_when_due
        recorder = self.recorders[0]
        last_ns = await send(client, phases.warm_up, self.warm_up[0])
        recorder.straddle(last_ns, phases.measured.stretch.begin_ns)
        if not self._is_begun:
            self._is_begun = True
            recorder.opened_before = client.connections_opened()
        await send(client, phases.measured, recorder)

    async def _send_in_turn(self, client: AsyncClient, phase: Phase, recorder: Recorder) -> int:
        """Send the next request when the last was answered; return when the last was over, 0 when there was
        none.
        """
        exchange, call = client.exchange, self._subject.call
        stretch, keep = phase.stretch, recorder.keep
        now_ns, last_ns = perf_counter_ns(), 0
        for _ in phase.tickets:
            if now_ns >= stretch.end_ns:
                break
            try:
                done = await exchange(call)
            except asyncio.CancelledError:
                recorder.unanswered_from.append(now_ns)
                raise
            except Exception as error:
                last_ns = perf_counter_ns()
                kind = classify(error, self._subject.adapter)
                recorder.fail_by(kind, error, now_ns, last_ns)
                if kind in NOT_CONNECTED:
                    await self._sleep(PAUSE_S)
                now_ns = perf_counter_ns()
                continue
            keep(done)
            now_ns = last_ns = done.finished_ns
        return last_ns

    async def _send_when_due(self, client: AsyncClient, phase: Phase, recorder: Recorder) -> int:
        """Send each request when it is due, or as soon after as this task is free."""
        exchange, call = client.exchange, self._subject.call
        stretch, schedule, keep = phase.stretch, phase.schedule, recorder.keep_due
        last_ns = 0
        if schedule is None:
            raise ValueError("an open loop needs a schedule")
        for ticket in phase.tickets:
            due_ns = schedule.due_ns(ticket)
            if (left_ns := due_ns - perf_counter_ns()) > 0:
                if due_ns >= stretch.end_ns:
                    break
                await self._sleep(left_ns / 1e9)
            now_ns = perf_counter_ns()
            if now_ns >= stretch.end_ns:
                break
            try:
                done = await exchange(call)
            except asyncio.CancelledError:
                recorder.unanswered_from.append(now_ns)
                raise
            except Exception as error:
                last_ns = perf_counter_ns()
                recorder.fail_by(classify(error, self._subject.adapter), error, now_ns, last_ns)
                continue
            keep(done, due_ns)
            last_ns = done.finished_ns
        return last_ns

    async def _sleep(self, duration_s: float) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._idle.add(task)
            await asyncio.sleep(duration_s)
            self._idle.discard(task)
