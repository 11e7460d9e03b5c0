"""`/debug/requests`: what is in flight in every worker, the oldest first, with the stacks it was seen in.

Those that workers were at which ended without being told to are shown as well, as they were last told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.observe.graves import read_graves
from penstock.observe.in_flight import render_table
from penstock.observe.overview import age_of, to_request
from penstock.server.admin.forms import as_json, as_text, json_or_text

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.observe.overview import Overview
    from penstock.server.admin.sources import Sources


def tell_requests(request: Request, sources: Sources) -> Response:
    """JSON or text, as the client likes best, or by `?format=`."""
    told = _look(sources)
    asked = request.query.get("format")
    if asked == "text":
        return as_text(_render(told))
    if asked == "json":
        return as_json(told)
    return json_or_text(request, told, _render)


def _look(sources: Sources) -> dict[str, Any]:
    overview = sources.look()
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "release": overview.release,
        "requests_in_flight": sum(worker.figures.requests_in_flight for worker in overview.workers),
        "workers": [_describe_worker(worker.to_json(overview.now)) for worker in overview.workers],
        "requests": overview.requests(),
        "ended_workers": _exhume(sources, overview),
    }


def _describe_worker(worker: dict[str, Any]) -> dict[str, Any]:
    names = ("pid", "state", "requests_in_flight", "loop_still_seconds", "loop", "figures_age_seconds")
    return {name: worker[name] for name in names}


def _exhume(sources: Sources, overview: Overview) -> list[dict[str, Any]]:
    return [
        {
            "pid": grave["pid"],
            "ended_seconds_ago": age_of(grave["ended"], overview.now),
            "loop_still_seconds": round(grave["loop_still_s"], 3),
            "requests_in_flight": grave["requests_in_flight"],
            "requests": [to_request(each, grave["pid"], grave["ended"]) for each in grave["listed"]],
        }
        for grave in (read_graves(sources.board.slots[-1]) if overview.front.is_supervised else [])
    ]


def _render(told: dict[str, Any]) -> str:
    workers = "".join(
        f"worker {worker['pid']}: {worker['state']}, {worker['requests_in_flight']} in flight"
        f"{_describe_still(worker)}, told {worker['figures_age_seconds']:.1f} s ago\n"
        for worker in told["workers"]
    )
    ended = "".join(
        f"\nworker {each['pid']} ended {each['ended_seconds_ago']:.1f} s ago{_describe_still(each)}; it had "
        f"{render_table(each['requests'], each['requests_in_flight'])}"
        for each in told["ended_workers"]
    )
    return (
        f"{told['timestamp']}\n{workers}\n{render_table(told['requests'], told['requests_in_flight'])}{ended}"
    )


def _describe_still(worker: dict[str, Any]) -> str:
    still_s = worker["loop_still_seconds"]
    return f", its loop stood still for {still_s:.1f} s" if still_s > 1 else ""
