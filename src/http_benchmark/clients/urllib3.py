"""`urllib3`."""

from __future__ import annotations

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

INSTALL: Final = urllib3_pools.INSTALL


class _Client:
    """Of one thread: a PoolManager whose pools hold one connection."""

    def __init__(self, wiring: Wiring) -> None:
        urllib3 = load("urllib3", INSTALL)
        self._counter = urllib3_pools.Counter()
        self._pools = urllib3.PoolManager(
            maxsize=wiring.connections,
            block=True,
            timeout=urllib3.Timeout(connect=wiring.timeout_s, read=wiring.timeout_s),
            retries=False,
            **_make_trust(verify=wiring.verify),
        )
        urllib3_pools.count_connections(self._pools, self._counter)
        self._call: Call | None = None
        self._words: dict[str, Any] = {}

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._words = {
                "headers": make_fields(call, names_user=True),
                "body": call.body or None,
                "preload_content": False,
                "redirect": False,
            }
            self._call = call
        content: bytes | None
        started_ns = perf_counter_ns()
        response = self._pools.request(call.method, call.url, **self._words)
        first_octet_ns = perf_counter_ns()
        try:
            if call.streams:
                octets, content = drain(response.stream(PIECE_BYTES), keep=call.keeps_content)
            else:
                content = response.read()
                octets = len(content)
        except BaseException:
            response.close()
            response.release_conn()
            raise
        return Exchange(response.status, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return self._counter.opened

    def close(self) -> None:
        self._pools.clear()


def _make_trust(*, verify: bool) -> dict[str, Any]:
    if not verify:
        urllib3_pools.silence_insecure_requests(load("urllib3.exceptions", INSTALL))
        return {"cert_reqs": "CERT_NONE"}
    trusted = find_authorities()
    return {"cert_reqs": "CERT_REQUIRED", "ca_certs": trusted.file, "ca_cert_dir": trusted.folder}


ADAPTER = Adapter(
    name="urllib3",
    distribution="urllib3",
    install=INSTALL,
    notes="a PoolManager a thread, pool of one connection; no redirects or retries; reads the authorities "
    "anew for each TLS connection",
    make_sync=_Client,
    classify=urllib3_pools.classify,
)
