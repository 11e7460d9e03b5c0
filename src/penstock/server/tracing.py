"""`--otel`: a span for each request, for Penstock's applications and for those of ASGI and WSGI alike.

Put round `resolve` and `note`; a server without the setting has none of it on the path.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from penstock.server.server_timing import forget

if TYPE_CHECKING:
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.observe.spans.export import SpanExport
    from penstock.server.notes import Note
    from penstock.server.noting import Noting
    from penstock.server.reactor import Reactor


def trace(reactor: Reactor, service: str) -> SpanExport:
    """Have this reactor make spans of its requests."""
    from penstock.observe.spans.export import SpanExport

    export = SpanExport(service)
    reactor.resolve = export.spans.put_round(reactor.resolve)  # type: ignore[assignment]
    reactor.note = partial(_note, reactor.note or forget)
    reactor.note_in_thread = partial(_note, reactor.note_in_thread or forget)
    return export


def _note(
    note: Note,
    connection: Noting,
    request: Request,
    endpoint: Endpoint | None,
    response: Response,
    sent: int,
) -> None:
    note(connection, request, endpoint, response, sent)
    span = request.span
    if span is not None:
        span.status = response.status
        span.end()
