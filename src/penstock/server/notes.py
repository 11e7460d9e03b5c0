"""What is noted of each request once it is over: in the figures, in the log of slow ones, in the access log.

One function, made at the start of what is switched on, in two forms: for the thread of the loop, and for pool
threads that send their replies themselves. A request costs two readings of the clock and one call of it; what
can be done later, by the threads that write logs and tell figures, is.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.http.response import Response
from penstock.observe import recent_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.observe.logs.access import AccessLog
    from penstock.observe.metrics.http import Record
    from penstock.server.metering import Metering
    from penstock.server.noting import Noting
    from penstock.server.slow import SlowRequests

    Note = Callable[[Noting, Request, Endpoint | None, Response, int], None]

_NEVER_NS: Final = 2**63
GIVEN_UP: Final = Response(status=499)
"""Stands for the reply of a request whose client left before there was one (the number is nginx's)."""


class Notes(NamedTuple):
    """Called with the connection, the request, what answered it, the response, and the octets sent."""

    on_loop: Note
    in_thread: Note


def make_notes(
    metering: Metering | None, access_log: AccessLog | None, slow: SlowRequests | None = None
) -> Notes | None:
    """Return what notes requests; None when nobody wants to know of them."""
    if metering is None:
        if access_log is None and slow is None:
            return None
        note = _make_note(None, access_log, slow)
        return Notes(note, note)
    return Notes(
        _make_note(metering.record, access_log, slow),
        _make_note(metering.record_in_thread, access_log, slow),
    )


def _make_note(record: Record | None, access_log: AccessLog | None, slow: SlowRequests | None) -> Note:
    slow_ns = slow.least_ns if slow is not None else _NEVER_NS
    log = access_log.note if access_log is not None else None

    def note(
        connection: Noting, request: Request, endpoint: Endpoint | None, response: Response, sent: int
    ) -> None:
        started = connection.started
        if not started:  # noted already
            return
        ended = perf_counter_ns()
        duration_ns = ended - started
        status = response.status
        route = request.route
        if route is None and endpoint is not None:
            route = endpoint.route
        body = connection.body
        received = len(request.body) if body is None else body.received
        if record is not None:
            record(route, request.method, status, duration_ns, received, sent)
        if status >= 500:
            recent_errors.note(request, status, route)
        if duration_ns >= slow_ns and slow is not None:
            slow.put(connection, request, route, response, sent, ended)
        if log is not None:
            log(connection, request, route, response, received, sent, ended)
        connection.forget_times()

    return note
