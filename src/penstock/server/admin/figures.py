"""The pages with figures: of the whole and of each worker, and of the requests in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.server.admin.forms import as_json

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.admin.sources import Sources


def tell_metrics(_: Request, sources: Sources) -> Response:
    """The figures, as JSON."""
    return as_json(sources.look().metrics())


def tell_status(_: Request, sources: Sources) -> Response:
    """The figures with the requests in flight, for `penstock ctl`."""
    overview = sources.look()
    return as_json({**overview.metrics(), "requests": overview.requests()})
