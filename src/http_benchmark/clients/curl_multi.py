"""libcurl's multi interface on an asyncio loop: libcurl says which sockets and which timer to watch."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from http_benchmark.clients.curl_handle import INSTALL, Handle
from http_benchmark.clients.library import load

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Exchange, Wiring


class MultiClient:
    """Of one loop: as many handles as there are tasks, one cache of as many connections."""

    def __init__(self, wiring: Wiring) -> None:
        pycurl = self._pycurl = load("pycurl", INSTALL)
        self._loop = asyncio.get_running_loop()
        self._wiring = wiring
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, wiring.connections)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, wiring.connections)
        self._free: list[Handle] = []
        self._waiting: dict[Any, asyncio.Future[int]] = {}
        self._watched: dict[int, int] = {}
        self._timer: asyncio.Handle | None = None
        self._opened = 0

    async def exchange(self, call: Call) -> Exchange:
        handle = self._free.pop() if self._free else Handle(self._wiring)
        handle.prepare(call)
        curl = handle.curl
        done: asyncio.Future[int] = self._loop.create_future()
        self._waiting[curl] = done
        started_ns = perf_counter_ns()
        try:
            self._multi.add_handle(curl)
            ended_ns = await done
        except self._pycurl.error as error:
            handle.explain(error)
            raise
        finally:
            self._waiting.pop(curl, None)
            self._multi.remove_handle(curl)
            self._opened += handle.connects()
            self._free.append(handle)
        return handle.finish(call, started_ns, ended_ns)

    def connections_opened(self) -> int:
        return self._opened

    async def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for done in self._waiting.values():
            done.cancel()
        await asyncio.sleep(0)  # those that wait take their handles out
        for handle in self._free:
            handle.curl.close()
        self._multi.close()
        for descriptor in list(self._watched):
            self._forget(descriptor)

    def _watch(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        pycurl, loop = self._pycurl, self._loop
        if what == pycurl.POLL_REMOVE:
            self._forget(descriptor)
            return
        before = self._watched.get(descriptor, 0)
        if (what ^ before) & pycurl.POLL_IN:
            if what & pycurl.POLL_IN:
                loop.add_reader(descriptor, self._act, descriptor, pycurl.CSELECT_IN)
            else:
                loop.remove_reader(descriptor)
        if (what ^ before) & pycurl.POLL_OUT:
            if what & pycurl.POLL_OUT:
                loop.add_writer(descriptor, self._act, descriptor, pycurl.CSELECT_OUT)
            else:
                loop.remove_writer(descriptor)
        self._watched[descriptor] = what

    def _forget(self, descriptor: int) -> None:
        self._watched.pop(descriptor, None)
        with suppress(OSError, ValueError):
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)

    def _set_timer(self, timeout_ms: int) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if timeout_ms == 0:
            self._timer = self._loop.call_soon(self._time_out)
        elif timeout_ms > 0:
            self._timer = self._loop.call_later(timeout_ms / 1000, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        self._act(self._pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, descriptor: int, events: int) -> None:
        self._multi.socket_action(descriptor, events)
        ended_ns = perf_counter_ns()
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                if (waiting := self._waiting.get(curl)) and not waiting.done():
                    waiting.set_result(ended_ns)
            for curl, number, said in failed:
                if (waiting := self._waiting.get(curl)) and not waiting.done():
                    waiting.set_exception(self._pycurl.error(number, said))
