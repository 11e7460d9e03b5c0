"""What is noted of each request once it is over: in the figures, in the log of slow ones, in the access log.

One function, made at the start of what is switched on, in two forms: for the thread of the loop, and for pool
threads that send their replies themselves. A request costs two readings of the clock and one call of it; what
can be done later, by the threads that write logs and tell figures, is.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.observe.access_log import AccessLog
    from penstock.server.noting import Noting

    Note = Callable[[Noting, Request, Endpoint | None, Response, int], None]

GIVEN_UP: Final = Response(status=499)
"""Stands for the reply of a request whose client left before there was one (the number is nginx's)."""


class Notes(NamedTuple):
    """Called with the connection, the request, what answered it, the response, and the octets sent."""

    on_loop: Note
    in_thread: Note


def make_notes(access_log: AccessLog | None) -> Notes | None:
    """Return what notes requests; None when nobody wants to know of them."""
    if access_log is None:
        return None
    note = _make_note(access_log)
    return Notes(note, note)


def _make_note(access_log: AccessLog) -> Note:
    log = access_log.record

    def note(connection: Noting, request: Request, _: Endpoint | None, response: Response, sent: int) -> None:
        started = connection.started
        if not started:  # told already
            return
        duration_ns = perf_counter_ns() - started
        client = request.client  # as a trusted proxy tells it, if there is one
        log(
            client[0] if client is not None else "-",
            request.method,
            request.raw_path.decode("ascii"),
            request.http_version,
            response.status,
            sent,
            duration_ns / 1e9,
        )
        connection.forget_times()

    return note
