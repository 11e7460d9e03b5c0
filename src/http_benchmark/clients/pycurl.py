"""`pycurl`: libcurl's easy interface, and its multi interface on an asyncio loop."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from http_benchmark.clients.adapter import Adapter
from http_benchmark.clients.curl_handle import INSTALL, Handle, classify
from http_benchmark.clients.curl_multi import MultiClient

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Exchange, Wiring


class _Client:
    """Of one thread: one easy handle, whose cache holds one connection."""

    def __init__(self, wiring: Wiring) -> None:
        self._handle = Handle(wiring)
        self._error = self._handle.pycurl.error
        self._opened = 0

    def exchange(self, call: Call) -> Exchange:
        handle = self._handle
        handle.prepare(call)
        perform = handle.curl.perform
        started_ns = perf_counter_ns()
        try:
            perform()
            ended_ns = perf_counter_ns()
        except self._error as error:
            handle.explain(error)
            raise
        finally:
            self._opened += handle.connects()
        return handle.finish(call, started_ns, ended_ns)

    def connections_opened(self) -> int:
        return self._opened

    def close(self) -> None:
        self._handle.curl.close()


ADAPTER = Adapter(
    name="pycurl",
    distribution="pycurl",
    install=INSTALL,
    notes="a handle a thread with one connection; async the multi interface, a cache of the concurrency; the "
    "timeout is of the whole exchange; libcurl itself sends again where a kept connection turns out closed",
    make_sync=_Client,
    make_async=MultiClient,
    has_http2=True,
    classify=classify,
)
