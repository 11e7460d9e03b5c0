"""`note(log, ...)`: a request as the server notes it, made by hand."""

from __future__ import annotations

import time
from dataclasses import dataclass

from penstock.http.request import Request
from penstock.http.response import Response


@dataclass
class Connection:
    """What a request and the log know of one."""

    client: tuple[str, int] | None = ("127.0.0.1", 50_000)
    tls_version: str = ""
    scheme: str = "http"
    started: int = 0
    began: int = 0
    content_at: int = 0
    handler_at: int = 0
    answered_at: int = 0
    accepted_at: int = 1
    requests: int = 2


def note(
    log,
    target="/",
    *,
    method="GET",
    version=b"1",
    fields=(("host", "t"),),
    status=200,
    sent=13,
    duration_s=0.00042,
    route=None,
    body=b"",
    response=None,
    **connection,
):
    """The request, once it is noted."""
    request = Request.build(method, target, fields, body)
    request.version, request.route = version, route
    duration_ns = round(duration_s * 1e9)
    ended = time.perf_counter_ns()
    connection = {"started": ended - duration_ns} | connection
    request.connection = Connection(**connection)
    log.note(request.connection, request, route, response or Response(b"x", status), len(body), sent, ended)
    return request
