"""Requests that are not done with when their reply is: endpoints that `lingers`, and leave endings.

Two things have to come before the endings run, in whichever order: the endpoint has returned, and its reply
is over, because its last octet has left or its client has. `Answering.settle` tells of the second. On the
loop all of it is one coroutine, the call and the endings, so that what is opened before the reply is closed
behind it in the same Task and context; it becomes a Task only when something waits. A call in a thread has
its endings run in that thread, or, when the reply is not out yet as it returns, in one of the pool.

The connection goes on meanwhile. The server waits for what is left before it stops the application.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from penstock.http.current import current
from penstock.http.endings import close_endings
from penstock.http.handler import THREAD
from penstock.http.response import Response
from penstock.server.overdue import discard

if TYPE_CHECKING:
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.server.answering import Answering
    from penstock.server.threads import Claim

_log = logging.getLogger("penstock.server")

# A server that stops looks this often whether everything has ended.
_LOOK_S = 0.01


class LoopLingering:
    """A request that is answered on the loop."""

    __slots__ = ("_answer", "_connection", "_endpoint", "_is_over", "_over", "_request", "_task", "error")

    def __init__(self, connection: Answering, request: Request, endpoint: Endpoint) -> None:
        self._connection = connection
        self._request = request
        self._endpoint = endpoint
        self._answer: asyncio.Future[Any] | None = None
        """What the connection waits for; None: the endpoint is being called in its turn."""
        self._task: asyncio.Task[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._is_over = False
        self.error: BaseException | None = None
        """What cut the content of the reply short."""

    def begin(self) -> None:
        """Have the request answered."""
        connection, reactor = self._connection, self._connection.reactor
        task = reactor.run(self._run())
        if not isinstance(task, asyncio.Task):
            return
        self._task = task
        reactor.lingering.add(task)
        task.add_done_callback(self._on_done)
        if connection.lingering is self or self._is_over:  # answered, and only then it began to wait
            return
        connection.lingering = self
        self._answer = reactor.loop.create_future()
        self._answer.add_done_callback(self._on_answer)
        connection.await_answer(self._request, self._answer, task)

    async def _run(self) -> None:
        request, connection = self._request, self._connection
        answer = await self._call()
        if self._answer is None:
            connection.lingering = self
            connection.reply(request, answer)
            connection.settle()
        elif self._answer.done():  # answered in its place
            discard(connection, answer)
        else:
            self._answer.set_result(answer)
        try:
            if not self._is_over:
                self._over = connection.reactor.loop.create_future()
                await self._over
        finally:
            await close_endings(request, self.error)

    async def _call(self) -> Response:
        """Return the response; it raises only into a Task."""
        try:
            answer: Any = self._endpoint.call(self._request)
            if not isinstance(answer, Response):
                answer = await answer
            if not isinstance(answer, Response):
                raise TypeError(f"a handler's answer must be a Response, not {answer!r:.80}")
        except BaseException as error:
            if self._answer is not None:
                raise
            return self._connection.last_resort(self._request, error)
        else:
            return answer

    def on_over(self) -> None:
        """The reply is over."""
        self._is_over = True
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _on_answer(self, answer: asyncio.Future[Any]) -> None:
        task = self._task
        if answer.cancelled() and task is not None and not task.cancelling():  # nobody waits for it any more
            task.cancel()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._connection.reactor.lingering.discard(task)
        answer = self._answer
        error = None if task.cancelled() else task.exception()
        if answer is None or answer.done():
            if error is not None:
                _log.error("%s: a bug behind the reply", self._request, exc_info=error)
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.cancel()


class ThreadLingering:
    """A request that is answered in a thread."""

    __slots__ = ("_connection", "_first", "_request", "error")

    def __init__(self, connection: Answering, request: Request) -> None:
        self._connection = connection
        self._request = request
        self._first = [True]
        """Taken by the first of the two that have to come; to take it needs no lock."""
        self.error: BaseException | None = None

    def serve(self, request: Request, endpoint: Endpoint, claim: Claim | None) -> None:
        """In a pool thread: answer the request, and run what it leaves if the reply is out by then."""
        try:
            self._connection.serve_in_thread(request, endpoint, claim)
        finally:
            if not self._is_first():
                self._close()

    def on_over(self) -> None:
        """The reply is over. On the loop, or in the thread that has sent it."""
        if not self._is_first():
            self._connection.reactor.threads.continue_in(copy_context(), self._close)

    def _is_first(self) -> bool:
        try:
            return self._first.pop()
        except IndexError:
            return False

    def _close(self) -> None:
        """In a pool thread."""
        current.set(self._request)  # the job has a context of its own
        reactor, error = self._connection.reactor, self.error
        endings = self._request.take_endings()
        try:
            while endings and endings[0].run == THREAD:
                endings.pop(0).close(error)
        finally:
            if endings:
                for ending in reversed(endings):
                    self._request.linger(ending)
                reactor.post(self._close_on_loop)
            else:
                reactor.lingering.discard(self)

    def _close_on_loop(self) -> None:
        reactor = self._connection.reactor
        current.set(self._request)
        task = reactor.loop.create_task(close_endings(self._request, self.error))
        reactor.lingering.add(task)
        task.add_done_callback(reactor.lingering.discard)
        reactor.lingering.discard(self)


def linger(connection: Answering, request: Request, endpoint: Endpoint) -> None:
    """Call an endpoint that lingers."""
    if endpoint.run == THREAD:
        connection.call_in_thread(request, endpoint)
    else:
        LoopLingering(connection, request, endpoint).begin()


async def wait_lingering(lingering: set[Any], until_s: float, forced: asyncio.Future[None]) -> None:
    """Wait until nothing lingers any more, or until that time of the loop."""
    loop = asyncio.get_running_loop()
    while lingering and loop.time() < until_s and not forced.done():  # noqa: ASYNC110 - threads take themselves out
        await asyncio.sleep(_LOOK_S)
    if lingering:
        _log.warning("%d requests were not done with behind their replies", len(lingering))
