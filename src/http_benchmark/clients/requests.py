"""`requests`."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.clients import urllib3_pools
from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.clients.library import load
from http_benchmark.clients.pieces import PIECE_BYTES, drain
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.clients.trust import find_authorities

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring

INSTALL: Final = "pip install requests"


class _Client:
    """Of one thread: a Session with a pool of one connection."""

    def __init__(self, wiring: Wiring) -> None:
        requests = load("requests", INSTALL)
        self._counter = urllib3_pools.Counter()
        session = self._session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        session.verify = find_authorities().location if wiring.verify else False
        for scheme in ("http://", "https://"):
            pool = requests.adapters.HTTPAdapter(
                pool_connections=1, pool_maxsize=wiring.connections, max_retries=0, pool_block=True
            )
            urllib3_pools.count_connections(pool.poolmanager, self._counter)
            session.mount(scheme, pool)
        if not wiring.verify:
            urllib3_pools.silence_insecure_requests(load("urllib3.exceptions", urllib3_pools.INSTALL))
        self._timeout_s = wiring.timeout_s
        self._call: Call | None = None
        self._words: dict[str, Any] = {}
        self._incomplete = load("urllib3.exceptions", urllib3_pools.INSTALL).IncompleteRead

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._prepare(call)
        content: bytes | None
        started_ns = perf_counter_ns()
        response = self._session.request(call.method, call.url, **self._words)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams:
                octets, content = drain(response.iter_content(PIECE_BYTES), keep=call.keeps_content)
            else:
                content = response.content
                octets = len(content)
            finished_ns = perf_counter_ns()
            if response.raw.length_remaining:  # urllib3 1.26 is silent about it
                raise self._incomplete(octets, response.raw.length_remaining)
        except BaseException:
            response.close()
            raise
        return Exchange(response.status_code, octets, started_ns, first_octet_ns, finished_ns, content)

    def connections_opened(self) -> int:
        return self._counter.opened

    def close(self) -> None:
        self._session.close()

    def _prepare(self, call: Call) -> None:
        self._words = {
            "headers": make_fields(call),
            "data": call.body or None,
            "timeout": self._timeout_s,
            "allow_redirects": False,
            "stream": True,
        }
        self._call = call


def classify(error: BaseException) -> str | None:
    """Return the class of an error of requests."""
    outer = load("requests.exceptions", INSTALL)
    return urllib3_pools.classify_wrapped(error, outer, load("urllib3.exceptions", urllib3_pools.INSTALL))


ADAPTER = Adapter(
    name="requests",
    distribution="requests",
    install=INSTALL,
    notes="a Session a thread, pool of one connection; no environment, cookies, redirects or retries; "
    "reads the authorities anew for each TLS connection",
    make_sync=_Client,
    classify=classify,
)
