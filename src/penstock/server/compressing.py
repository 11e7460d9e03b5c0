"""`--compression`: what an application answers is compressed, whoever made it: App, ASGI or WSGI.

The rules are those of `http.compression`, put round each endpoint as it is resolved; a server without the
setting has none of it on the path.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from penstock.http.compression import Compression

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.server.reactor import Reactor

_ENDPOINTS = 1024  # kept with compression round them; an App makes some anew for each request


def compress(reactor: Reactor) -> None:
    """Have the responses of this reactor compressed."""
    reactor.resolve = partial(_resolve, reactor.resolve, Compression(), {})


def _resolve(
    resolve: Callable[[Request], Endpoint],
    compression: Compression,
    known: dict[Endpoint, Endpoint],
    request: Request,
) -> Endpoint:
    endpoint = resolve(request)
    compressing = known.get(endpoint)
    if compressing is None:
        if len(known) >= _ENDPOINTS:
            known.clear()
        call = compression.put_round(endpoint.call, endpoint.run)
        compressing = known[endpoint] = endpoint.with_call(call)
    return compressing
