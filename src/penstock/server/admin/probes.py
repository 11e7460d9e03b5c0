"""The pages that probes ask: whether the server lives, whether it serves, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.observe import health
from penstock.server.admin.forms import json_or_text

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.admin.sources import Sources


def tell_alive(request: Request, sources: Sources) -> Response:
    """503: only a restart helps."""
    status, told = health.tell_alive(sources.look())
    return json_or_text(request, told, health.render_ready, status)


def tell_started(request: Request, sources: Sources) -> Response:
    """503: it is still coming up."""
    status, told = health.tell_started(sources.look())
    return json_or_text(request, told, health.render_ready, status)


def tell_ready(request: Request, sources: Sources) -> Response:
    """503: no requests should be sent here."""
    status, told = health.tell_ready(sources.look())
    return json_or_text(request, told, health.render_ready, status)


def tell_health(request: Request, sources: Sources) -> Response:
    """As `/readyz`, with everything known."""
    status, told = health.tell_health(sources.look(), is_private=True)
    return json_or_text(request, told, health.render_health, status)
