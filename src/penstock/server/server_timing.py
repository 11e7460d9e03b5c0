"""`--server-timing`: clients are told how long a request waited and how long it was worked at.

The field is put round each endpoint as it is resolved, outside of compression; a server without the setting
has none of it on the path. What the server answers by itself has no such field.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from penstock.http.handler import TASK
from penstock.http.response import Response
from penstock.http.response_copy import own_copy
from penstock.http.timing import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.http.handler import Call, Endpoint
    from penstock.http.request import Request
    from penstock.server.noting import Noting
    from penstock.server.reactor import Reactor

_ENDPOINTS = 1024  # kept with the field put round them; an App makes some anew for each request


def tell_timing(reactor: Reactor) -> None:
    """Have the responses of this reactor say what their time went to."""
    reactor.resolve = partial(_resolve, reactor.resolve, {})
    if reactor.note is None:  # else the times of a request are taken, and forgotten, anyway
        reactor.note = reactor.note_in_thread = forget


def forget(connection: Noting, *_: object) -> None:
    """Forget the times of a request that is over."""
    connection.started = connection.began = connection.content_at = 0
    connection.handler_at = connection.answered_at = 0


def _resolve(
    resolve: Callable[[Request], Endpoint], known: dict[Endpoint, Endpoint], request: Request
) -> Endpoint:
    endpoint = resolve(request)
    telling = known.get(endpoint)
    if telling is None:
        if len(known) >= _ENDPOINTS:
            known.clear()
        telling = known[endpoint] = endpoint.with_call(_put_round(endpoint.call, endpoint.run))
    return telling


def _put_round(call: Call, run: int) -> Call:
    async def finish(request: Request, awaitable: Awaitable[Response], began: int) -> Any:
        return _told(request, await awaitable, began)

    async def coroutine(request: Request) -> Any:
        began = perf_counter_ns()
        return _told(request, await call(request), began)  # type: ignore[misc]  # see TASK

    def plain(request: Request) -> Any:
        began = perf_counter_ns()
        answer = call(request)
        return (
            _told(request, answer, began) if isinstance(answer, Response) else finish(request, answer, began)
        )

    return coroutine if run == TASK else plain


def _told(request: Request, response: Any, began: int) -> Any:
    """Return the response with the field, unless it is none, or the connection's."""
    if not isinstance(response, Response) or response.status == 101:
        return response
    connection: Any = request.connection
    # A handler that takes content as it comes waited for its thread before that.
    waited_from = connection.content_at if 0 < connection.content_at <= began else connection.started
    entries = [
        Entry("app", (perf_counter_ns() - began) / 1e9, ""),
        Entry("queue", max(0, began - waited_from) / 1e9, ""),
    ]
    if connection.content_at:
        entries.append(Entry("content", (connection.content_at - connection.started) / 1e9, ""))
    changed = own_copy(response, request)
    changed.headers.append("Server-Timing", ", ".join(map(str, [*entries, *request.timings])))
    return changed
