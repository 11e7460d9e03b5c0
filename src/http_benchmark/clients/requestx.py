"""`requestx`: the API of httpx over reqwest, which is written in Rust.

It hands a reply over only when all of it is there, so the time to the first octet is not known, and takes
neither `verify` nor a counter of connections. There are no wheels of it for Linux; this adapter is written
against release 1.0.11, and no test of ours has run it.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.clients.library import load
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring

INSTALL: Final = "pip install requestx (builds with Rust where there is no wheel)"
_KEPT_S: Final = 86_400.0


def _make_client(wiring: Wiring, kind: str) -> Any:
    requestx = load("requestx", INSTALL)
    if not wiring.verify:
        raise UsageError("requestx cannot leave certificates unverified; measure it without --no-verify-ssl")
    if getproxies():
        raise UsageError(
            "requestx takes proxies from the environment whatever is said; unset http_proxy, https_proxy"
        )
    words: dict[str, Any] = {
        "timeout": requestx.Timeout(wiring.timeout_s),
        "follow_redirects": False,
        "trust_env": False,
    }
    if kind == "Client":
        return requestx.Client(**words)
    limits = requestx.Limits(
        max_connections=wiring.connections,
        max_keepalive_connections=wiring.connections,
        keepalive_expiry=_KEPT_S,
    )
    return requestx.AsyncClient(limits=limits, **words)


class _Client:
    """Of one thread."""

    def __init__(self, wiring: Wiring) -> None:
        self._client = _make_client(wiring, "Client")
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = {"headers": make_fields(call), "content": call.body or None}
            self._call = call
        started_ns = perf_counter_ns()
        response = self._client.request(call.method, call.url, **self._words)
        content = response.content
        finished_ns = perf_counter_ns()
        self._client.cookies = {}
        return Exchange(response.status_code, len(content), started_ns, 0, finished_ns, content)

    def connections_opened(self) -> int:
        return -1

    def close(self) -> None:
        self._client.close()


class _AsyncClient:
    """Of one loop."""

    def __init__(self, wiring: Wiring) -> None:
        self._client = _make_client(wiring, "AsyncClient")
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    async def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = {"headers": make_fields(call), "content": call.body or None}
            self._call = call
        started_ns = perf_counter_ns()
        response = await self._client.request(call.method, call.url, **self._words)
        content = response.content
        finished_ns = perf_counter_ns()
        self._client.cookies = {}
        return Exchange(response.status_code, len(content), started_ns, 0, finished_ns, content)

    def connections_opened(self) -> int:
        return -1

    async def close(self) -> None:
        await self._client.aclose()


def classify(error: BaseException) -> str | None:
    """Return the class of an error that says it by its type alone."""
    requestx: Any = load("requestx", INSTALL)
    if isinstance(error, requestx.TimeoutException):
        return "timeout"
    if isinstance(error, requestx.ConnectError):
        said = str(error).lower()
        return "tls" if "certificate" in said or "tls" in said else "unreachable"
    if isinstance(error, requestx.ReadError | requestx.WriteError | requestx.CloseError):
        return "reset"
    return "protocol" if isinstance(error, requestx.ProtocolError | requestx.DecodingError) else None


ADAPTER = Adapter(
    name="requestx",
    distribution="requestx",
    install=INSTALL,
    notes="a Client a thread; async limits of the concurrency. Never streams: no time to first octet; counts "
    "no connections; the timeout is of the whole; always verifies; HTTP/2 over TLS by itself. Not tested",
    make_sync=_Client,
    make_async=_AsyncClient,
    has_http2=True,
    classify=classify,
)
