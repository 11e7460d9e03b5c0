"""Penstock's own client on an asyncio loop: a pool of connections, each with one request at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING

from http_benchmark.clients.adapter import Exchange
from http_benchmark.clients.raw_request import RawRequest, render
from http_benchmark.clients.reply import Reply
from http_benchmark.clients.trust import make_context

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring
    from http_benchmark.clients.origin import Origin


class Link(asyncio.Protocol):
    """One connection. `_done` is there while a reply is expected."""

    def __init__(self, origin: Origin, timeout_s: float) -> None:
        self.origin = origin
        self.is_closed = False
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._transport: asyncio.Transport
        self._reply: Reply
        self._done: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._limit_s = 0.0
        self.first_octet_ns = 0

    async def exchange(self, request: RawRequest) -> Reply:
        """Send, and return the reply when it is whole."""
        reply = self._reply = Reply(is_head=request.is_head, keeps=request.keeps)
        self.first_octet_ns = 0
        self._done = self._loop.create_future()
        self._limit_s = self._loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._limit_s, self._look_at_clock)
        try:
            self._transport.write(request.octets)
            await self._done
        finally:
            self._done = None
            if not reply.is_reusable:
                self.close()
        return reply

    def close(self) -> None:
        self.is_closed = True
        self._transport.abort()
        if self._timer:
            self._timer.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what create_connection makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        done = self._done
        if done is None or done.done():
            self.close()  # octets nobody asked for
            return
        self._limit_s = self._loop.time() + self._timeout_s
        try:
            is_whole = self._reply.feed(data)
        except Exception as error:
            done.set_exception(error)
            return
        if not self.first_octet_ns and self._reply.status:
            self.first_octet_ns = perf_counter_ns()
        if is_whole:
            done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self._timer:
            self._timer.cancel()
        if self._done is None or self._done.done():
            return
        try:
            if exc:
                raise exc
            self._reply.end()
        except Exception as error:
            self._done.set_exception(error)
        else:
            self._done.set_result(None)

    def _look_at_clock(self) -> None:
        """One timer a connection, put off when it goes off early: cheaper than one a request."""
        self._timer = None
        if self._done is None or self._done.done():
            return
        if self._loop.time() < self._limit_s:
            self._timer = self._loop.call_at(self._limit_s, self._look_at_clock)
            return
        self._done.set_exception(TimeoutError(f"nothing came for {self._timeout_s:g} s"))


class LinkedClient:
    """Of one loop: at most as many connections as there are tasks."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._opened = 0
        self._free: list[Link] = []
        self._in_use = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._call: Call | None = None
        self._request: RawRequest

    async def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._request = render(call)
            self._call = call
        request = self._request
        started_ns = perf_counter_ns()
        while self._in_use >= self._wiring.connections:
            await self._wait()
        self._in_use += 1
        link: Link | None = None
        try:
            link = self._take(request.origin) or await self._connect(request.origin)
            reply = await link.exchange(request)
            content = reply.content
            finished_ns = perf_counter_ns()
        finally:
            self._in_use -= 1
            if link is not None and not link.is_closed:
                self._free.append(link)
            if self._waiting:
                self._wake()
        return Exchange(reply.status, reply.octets, started_ns, link.first_octet_ns, finished_ns, content)

    def connections_opened(self) -> int:
        return self._opened

    async def close(self) -> None:
        for link in self._free:
            link.close()
        self._free.clear()
        await asyncio.sleep(0)  # in which transports close their sockets

    def _take(self, origin: Origin) -> Link | None:
        while self._free:
            link = self._free.pop()
            if not link.is_closed and link.origin == origin:
                return link
            link.close()
        return None

    async def _connect(self, origin: Origin) -> Link:
        context = make_context("penstock async", verify=self._wiring.verify) if origin.is_tls else None
        async with asyncio.timeout(self._wiring.timeout_s):
            _, link = await asyncio.get_running_loop().create_connection(
                lambda: Link(origin, self._wiring.timeout_s), origin.host, origin.port, ssl=context
            )
        self._opened += 1
        return link

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._wake()  # it was somebody's turn
            raise

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
