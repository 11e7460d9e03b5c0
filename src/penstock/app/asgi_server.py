"""What handlers may know and ask of the server, when that is not Penstock's own: its view and its pools."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.http.current import call_for, portable
from penstock.http.websocket import WebSocketSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable
    from concurrent.futures import Executor

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.http.response import Response

_log = logging.getLogger("penstock.app")

_THREADS = 16  # as `penstock run` has by default
_FINISH_S = 30.0  # as its drain deadline; the server may have one of its own
_CANCEL_S = 2.0


class ForeignDraining:
    """Whether the server has said that it stops, which most say only when no request is left."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._waiting: set[asyncio.Future[None]] = set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def __await__(self) -> Generator[Any, None, None]:
        if not self._event.is_set():
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                yield from future.__await__()
            finally:
                self._waiting.discard(future)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait in a thread, at most so long; return whether it has begun."""
        return self._event.wait(timeout_s)

    def begin(self) -> None:
        """The server stops. Thread of the loop."""
        self._event.set()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


class ForeignServer:
    """A `ServerView` with pools of its own, made when they are first needed."""

    explain, in_development = None, False  # development is a setting of Penstock's own server

    def __init__(self) -> None:
        self.draining = ForeignDraining()
        self.websocket = WebSocketSettings()
        self._threads: Executor | None = None
        self._processes: Executor | None = None
        self._kept: set[asyncio.Task[Any]] = set()
        """What goes on behind its answer."""
        self._jobs = 0
        """Functions in the thread pool, those that wait included."""

    def thread_pool(self) -> dict[str, int]:
        """Return total_workers, active_workers, idle_workers, queue_depth, as of now."""
        active = min(self._jobs, _THREADS)
        return {
            "total_workers": _THREADS,
            "active_workers": active,
            "idle_workers": _THREADS - active,
            "queue_depth": self._jobs - active,
        }

    def run_eagerly(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Carry on a coroutine in a Task."""
        return asyncio.get_running_loop().create_task(coroutine)

    run_soon = run_eagerly

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a Task until it is done, and let it end before the application is stopped."""
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    async def finish(self) -> None:
        """Wait for what is kept; what takes too long is cancelled."""
        if self._kept:
            _, late = await asyncio.wait(self._kept, timeout=_FINISH_S)
            for task in late:
                task.cancel()
            if late:
                _log.warning("%d tasks were not done in time", len(late))
                await asyncio.wait(late, timeout=_CANCEL_S)

    async def run_in_thread(self, function: Callable[..., Any], *args: object) -> Any:
        """Return `function(*args)`, run in the thread pool in a copy of the caller's context."""
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="penstock")
        self._jobs += 1
        try:
            call = copy_context().run
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, function, *args)
        finally:
            self._jobs -= 1

    async def continue_in_thread(self, function: Callable[..., Any], *args: object) -> Any:
        """The same: nothing is ever refused here."""
        return await self.run_in_thread(function, *args)

    async def run_in_process(self, function: Callable[..., Any], *args: object) -> Any:
        """Return `function(*args)`, run in the process pool; all of it travels by pickle."""
        if self._processes is None:
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            self._processes = ProcessPoolExecutor(mp_context=get_context("spawn"))
        call = partial(call_for, portable(), function)
        return await asyncio.get_running_loop().run_in_executor(self._processes, call, *args)

    def stop(self) -> None:
        """Let go of the pools."""
        # Killed, not asked: a server that ends itself by the signal it got leaves nobody who would ask them.
        processes = list((getattr(self._processes, "_processes", None) or {}).values())
        for pool in (self._threads, self._processes):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        self._threads = self._processes = None


class ForeignConnection:
    """A `ConnectionView` made of a scope."""

    client_certificate = None  # ASGI tells of none

    def __init__(self, scope: dict[str, Any], server: ForeignServer) -> None:
        client, local = scope.get("client"), scope.get("server")
        self.scheme: str = scope.get("scheme") or "http"
        self.client: tuple[str, int] | None = (client[0], client[1]) if client else None
        self.local: tuple[str, int | None] = (local[0], local[1]) if local else ("", None)
        self.server = server
        self._callbacks: list[Callable[[], None]] = []
        self._early: asyncio.Future[Response] | None = None

    def on_disconnect(
        self,
        request: Request,  # noqa: ARG002 - one request
        callback: Callable[[], None],
        task: asyncio.Task[Any] | None = None,  # noqa: ARG002 - the other server's deadlines
    ) -> None:
        """Call `callback()` when the client is seen to leave: while an answer is waited for, or sent."""
        self._callbacks.append(callback)

    @property
    def is_watched(self) -> bool:
        """True when somebody wants to be told that the client has left."""
        return bool(self._callbacks)

    def tell_disconnect(self) -> None:
        """The client has left."""
        for callback in self._callbacks:
            callback()

    def send_interim(self, request: Request, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Nothing: interim responses are the foreign server's."""

    # Handlers that answer before they return (`http.handler.AnswersEarly`).

    async def call_in_thread(self, endpoint: Endpoint, request: Request) -> Any:
        """Call an endpoint that has an `after` in the thread pool; return what it answers, early or not."""
        self._early = early = asyncio.get_running_loop().create_future()

        def call() -> Any:
            try:
                return endpoint.call(request)
            finally:
                # Before the reply is sent, not after: where that is done, nobody waits for it.
                if endpoint.after is not None:
                    endpoint.after()

        job = asyncio.create_task(self.server.run_in_thread(call))
        await asyncio.wait([job, early], return_when=asyncio.FIRST_COMPLETED)
        if not early.done():
            return await job
        self.server.keep(job)
        return early.result()

    def answer_early(self, request: Request, response: Response) -> bool:  # noqa: ARG002 - one request
        """In the handler's thread, once: send a response that is made on the loop."""
        early = self._early
        assert early is not None  # noqa: S101 - it is called through `call_in_thread`
        loop = early.get_loop()
        loop.call_soon_threadsafe(lambda: None if early.done() else early.set_result(response))
        return True
