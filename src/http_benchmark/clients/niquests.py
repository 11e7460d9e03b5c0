"""`niquests`: the API of requests over urllib3-future, which takes the place of urllib3."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.clients import urllib3_pools
from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.clients.library import load
from http_benchmark.clients.pieces import PIECE_BYTES, drain, drain_async
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.clients.trust import find_authorities

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring

INSTALL: Final = "pip install niquests"


def _make_session(kind: str, wiring: Wiring, counter: urllib3_pools.Counter) -> Any:
    niquests = load("niquests", INSTALL)
    session = getattr(niquests, kind)(
        retries=0,
        pool_connections=1,
        pool_maxsize=wiring.connections,
        disable_http2=not wiring.http2,
        disable_http3=True,
        allow_incoming_cookies=False,
        revocation_configuration=None,
        verify=find_authorities().location if wiring.verify else False,
    )
    session.trust_env = False
    for adapter in {id(adapter): adapter for adapter in session.adapters.values()}.values():
        if hasattr(adapter, "poolmanager"):
            urllib3_pools.count_connections(adapter.poolmanager, counter)
    if not wiring.verify:
        urllib3_pools.silence_insecure_requests(_load_faults())
    return session


def _load_faults() -> Any:
    """Those of its engine, which may stand beside urllib3 or in its place."""
    return load("niquests.packages.urllib3.exceptions", INSTALL)


def _make_words(call: Call, timeout_s: float) -> dict[str, Any]:
    return {
        "headers": make_fields(call),
        "data": call.body or None,
        "timeout": (timeout_s, timeout_s),
        "allow_redirects": False,
        "stream": True,
    }


class _Client:
    """Of one thread: a Session with a pool of one connection."""

    def __init__(self, wiring: Wiring) -> None:
        self._counter = urllib3_pools.Counter()
        self._session = _make_session("Session", wiring, self._counter)
        self._timeout_s = wiring.timeout_s
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = _make_words(call, self._timeout_s)
            self._call = call
        content: bytes | None
        started_ns = perf_counter_ns()
        response = self._session.request(call.method, call.url, **self._words)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams:
                octets, content = drain(response.iter_content(PIECE_BYTES), keep=call.keeps_content)
            else:
                content = response.content or b""
                octets = len(content)
        except BaseException:
            response.close()
            raise
        return Exchange(response.status_code, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return self._counter.opened

    def close(self) -> None:
        self._session.close()


class _AsyncClient:
    """Of one loop: an AsyncSession with a pool of as many connections as there are tasks."""

    def __init__(self, wiring: Wiring) -> None:
        self._counter = urllib3_pools.Counter()
        self._session = _make_session("AsyncSession", wiring, self._counter)
        self._timeout_s = wiring.timeout_s
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    async def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = _make_words(call, self._timeout_s)
            self._call = call
        content: bytes | None
        started_ns = perf_counter_ns()
        response = await self._session.request(call.method, call.url, **self._words)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams and not response.is_redirect:  # of which it has read the content already
                pieces = await response.iter_content(PIECE_BYTES)
                octets, content = await drain_async(pieces, keep=call.keeps_content)
            else:
                content = await response.content or b""
                octets = len(content)
        except BaseException:
            await response.close()
            raise
        return Exchange(response.status_code, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return self._counter.opened

    async def close(self) -> None:
        await self._session.close()


def classify(error: BaseException) -> str | None:
    """Return the class of an error of niquests."""
    outer = load("niquests.exceptions", INSTALL)
    return urllib3_pools.classify_wrapped(error, outer, _load_faults())


ADAPTER = Adapter(
    name="niquests",
    distribution="niquests",
    install=INSTALL,
    notes="as requests; async an AsyncSession; HTTP/3 and checks of revocation off. Its urllib3-future "
    "takes the place of urllib3: install it in an environment of its own",
    make_sync=_Client,
    make_async=_AsyncClient,
    has_http2=True,
    classify=classify,
)
