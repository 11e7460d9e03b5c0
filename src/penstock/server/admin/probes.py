"""The pages that probes ask: whether the server lives, whether it serves, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.server.admin.forms import as_json, json_or_text

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.admin.sources import Sources


def tell_alive(request: Request, sources: Sources) -> Response:
    """503: only a restart helps."""
    overview = sources.look()
    return _tell(request, "ok" if overview.is_alive else overview.status)


def tell_ready(request: Request, sources: Sources) -> Response:
    """503: no requests should be sent here."""
    return _tell(request, sources.look().status)


def tell_health(_: Request, sources: Sources) -> Response:
    """As `/readyz`, with all there is to say about it."""
    overview = sources.look()
    return as_json(overview.health(), 200 if overview.status == "ok" else 503)


def _tell(request: Request, status: str) -> Response:
    return json_or_text(request, {"status": status}, lambda _: f"{status}\n", 200 if status == "ok" else 503)
