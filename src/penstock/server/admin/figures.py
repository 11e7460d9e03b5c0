"""The pages with figures: of the whole and of each worker, and of the requests in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.observe.metrics.endpoint import answer
from penstock.observe.metrics.exposition import JSON, choose_format
from penstock.observe.metrics.gather import gather
from penstock.server.admin.forms import as_json

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.admin.sources import Sources


def tell_metrics(request: Request, sources: Sources) -> Response:
    """The figures and the metrics, as JSON or as a Prometheus server reads them."""
    form = choose_format(", ".join(request.headers.get_all("accept")))
    return answer(form, gather(), sources.look().metrics() if form == JSON else {})


def tell_status(_: Request, sources: Sources) -> Response:
    """The figures with checks and the requests in flight, for `penstock ctl`."""
    overview = sources.look()
    checks = {each.name: each.to_json(overview.now, with_reason=True) for each in overview.checks}
    return as_json({**overview.metrics(), "checks": checks, "requests": overview.requests()})
