"""`aiohttp`."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.clients.library import load
from http_benchmark.clients.pieces import drain_async
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.clients.trust import make_context

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring

INSTALL: Final = "pip install aiohttp"
_KEPT_S: Final = 86_400.0


class _Client:
    """Of one loop: a ClientSession whose pool has as many connections as there are tasks."""

    def __init__(self, wiring: Wiring) -> None:
        aiohttp = load("aiohttp", INSTALL)
        context = make_context("aiohttp", verify=wiring.verify)
        self._connector = _make_connector(
            aiohttp, limit=wiring.connections, ssl=context, keepalive_timeout=_KEPT_S
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=wiring.timeout_s, sock_read=wiring.timeout_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            skip_auto_headers=("Content-Type",),
        )
        self._session._retry_connection = False  # noqa: SLF001  # it would send idempotent requests again
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    async def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = {"headers": make_fields(call), "data": call.body or None, "allow_redirects": False}
            self._call = call
        content: bytes | None
        started_ns = perf_counter_ns()
        response = await self._session.request(call.method, call.url, **self._words)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams:
                octets, content = await drain_async(response.content.iter_any(), keep=call.keeps_content)
            else:
                content = await response.read()
                octets = len(content)
        except BaseException:
            response.close()
            raise
        return Exchange(response.status, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return int(self._connector.opened)

    async def close(self) -> None:
        await self._session.close()


def _make_connector(aiohttp: Any, **words: Any) -> Any:
    """Return a TCPConnector that counts. A TraceConfig would count too, and cost each request some 10 us."""

    class Counting(aiohttp.TCPConnector):  # type: ignore[misc]  # known only now
        opened = 0

        async def _create_connection(self, *arguments: Any, **words: Any) -> Any:
            made = await super()._create_connection(*arguments, **words)
            self.opened += 1
            return made

    return Counting(**words)


def classify(error: BaseException) -> str | None:
    """Return the class of an error of aiohttp."""
    aiohttp: Any = load("aiohttp", INSTALL)
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientSSLError):
        return "tls"
    if isinstance(error, aiohttp.ClientPayloadError):
        cause = error.__cause__
        return None if isinstance(cause, OSError) and cause.errno else "short"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "reset"
    if type(error).__name__ == "ClientConnectorDNSError":
        return "unreachable"
    return "protocol" if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL) else None


ADAPTER = Adapter(
    name="aiohttp",
    distribution="aiohttp",
    install=INSTALL,
    notes="a ClientSession a loop, pool of the concurrency; no environment, cookies, redirects or retries",
    make_async=_Client,
    classify=classify,
)
