"""`httpx2`."""

from __future__ import annotations

from functools import partial
from typing import Final

from http_benchmark.clients.adapter import Adapter
from http_benchmark.clients.httpx_family import AsyncHTTPX, SyncHTTPX, classify

INSTALL: Final = "pip install 'httpx2[http2]'"

ADAPTER = Adapter(
    name="httpx2",
    distribution="httpx2",
    install=INSTALL,
    notes="a Client a thread, pool of one connection; async one pool of the concurrency; no environment, "
    "cookies or redirects; kept connections never expire; over HTTP/2 all async requests share connections",
    make_sync=partial(SyncHTTPX, "httpx2", INSTALL),
    make_async=partial(AsyncHTTPX, "httpx2", INSTALL),
    has_http2=True,
    classify=partial(classify, "httpx2"),
)
