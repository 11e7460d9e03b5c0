"""What httpx and httpx2 share: they are one API over two engines of one API, httpcore and httpcore2."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from http_benchmark.clients.adapter import Exchange
from http_benchmark.clients.library import load
from http_benchmark.clients.pieces import drain, drain_async
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.clients.trust import make_context

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring


class _Counting:
    """A network backend that counts what it connects; all else is the backend's own."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.opened = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _CountingSync(_Counting):
    def connect_tcp(self, *arguments: Any, **words: Any) -> Any:
        stream = self._backend.connect_tcp(*arguments, **words)
        self.opened += 1
        return stream


class _CountingAsync(_Counting):
    async def connect_tcp(self, *arguments: Any, **words: Any) -> Any:
        stream = await self._backend.connect_tcp(*arguments, **words)
        self.opened += 1
        return stream


def _make_client(library: str, install: str, wiring: Wiring, kind: str) -> tuple[Any, Any, Any]:
    """Return a client of the library, what counts its connections (None: nothing can), and its Timeout."""
    httpx = load(library, install)
    if wiring.http2:
        load("h2", f"pip install '{library}[http2]'")
    context = make_context(f"{library} {kind}", verify=wiring.verify, http2=wiring.http2)
    limits = httpx.Limits(
        max_connections=wiring.connections,
        max_keepalive_connections=wiring.connections,
        keepalive_expiry=None,
    )
    make = httpx.AsyncHTTPTransport if kind == "async" else httpx.HTTPTransport
    transport = make(verify=context, trust_env=False, http2=wiring.http2, limits=limits, retries=0)
    backend = getattr(getattr(transport, "_pool", None), "_network_backend", None)
    counting = None
    if backend is not None:
        counting = (_CountingAsync if kind == "async" else _CountingSync)(backend)
        transport._pool._network_backend = counting  # noqa: SLF001  # httpx does not hand it to its pool
    client = (httpx.AsyncClient if kind == "async" else httpx.Client)(
        transport=transport,
        timeout=wiring.timeout_s,
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )
    return client, counting, httpx


def _make_words(call: Call) -> dict[str, Any]:
    return {"headers": make_fields(call), "content": call.body or None}


class SyncHTTPX:
    """Of one thread: a Client with a pool of one connection."""

    def __init__(self, library: str, install: str, wiring: Wiring) -> None:
        self._client, self._counting, _ = _make_client(library, install, wiring, "sync")
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = _make_words(call)
            self._call = call
        client = self._client
        content: bytes | None
        started_ns = perf_counter_ns()
        response = client.send(client.build_request(call.method, call.url, **self._words), stream=True)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams:
                octets, content = drain(response.iter_bytes(), keep=call.keeps_content)
            else:
                content = response.read()
                octets = len(content)
        except BaseException:
            response.close()
            raise
        return Exchange(response.status_code, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return self._counting.opened if self._counting else -1

    def close(self) -> None:
        self._client.close()


class AsyncHTTPX:
    """Of one loop: an AsyncClient with a pool of as many connections as there are tasks."""

    def __init__(self, library: str, install: str, wiring: Wiring) -> None:
        self._client, self._counting, _ = _make_client(library, install, wiring, "async")
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    async def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = _make_words(call)
            self._call = call
        client = self._client
        content: bytes | None
        started_ns = perf_counter_ns()
        response = await client.send(client.build_request(call.method, call.url, **self._words), stream=True)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams:
                octets, content = await drain_async(response.aiter_bytes(), keep=call.keeps_content)
            else:
                content = await response.aread()
                octets = len(content)
        except BaseException:
            await response.aclose()
            raise
        return Exchange(response.status_code, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return self._counting.opened if self._counting else -1

    async def close(self) -> None:
        await self._client.aclose()


def classify(library: str, error: BaseException) -> str | None:
    """Return the class of an error that says it by its type alone."""
    faults: Any = load(library, "")
    if isinstance(error, faults.TimeoutException):
        return "timeout"
    if isinstance(error, faults.RemoteProtocolError):
        said = str(error)
        if "complete message body" in said or "incomplete chunked" in said:
            return "short"
        return "reset" if "disconnected" in said else "protocol"
    if isinstance(error, faults.LocalProtocolError | faults.DecodingError | faults.InvalidURL):
        return "protocol"
    return None
