"""`metrics_endpoint`: a handler that answers for all processes of the server, from whichever it runs in.

Mounted by an application where it likes, behind whatever guards it has. JSON for people, Prometheus text or
OpenMetrics for who asks for it by its name.
"""

from __future__ import annotations

import time
from math import isfinite
from typing import TYPE_CHECKING, Any

from penstock.http.request import Request  # noqa: TC001 - an App reads the annotation
from penstock.http.response import JSONResponse, Response
from penstock.observe.metrics.exposition import CONTENT_TYPES, JSON, choose_format, http_families, render
from penstock.observe.metrics.gather import Family, Snapshot, gather
from penstock.observe.metrics.histogram import Distribution
from penstock.observe.metrics.system import system_families

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.observe.metrics.gather import Value

_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept"}


def metrics_endpoint(request: Request) -> Response:
    """Answer with the metrics of all workers.

    >>> from penstock import App, metrics_endpoint
    >>> app = App()
    >>> _ = app.get("/metrics")(metrics_endpoint)
    """
    form = choose_format(", ".join(request.headers.get_all("accept")))
    return answer(form, gather(), None)


def answer(form: str, snapshot: Snapshot, told: Mapping[str, Any] | None) -> Response:
    """Return metrics in this format; as JSON behind what is `told` of the server otherwise."""
    if form == JSON:
        content = {**(summarise(snapshot) if told is None else told), "metrics": list_metrics(snapshot)}
        return JSONResponse(content, headers=_HEADERS)
    text = render(list_families(snapshot), form)
    return Response(text.encode(), headers=_HEADERS, media_type=CONTENT_TYPES[form])


def list_families(snapshot: Snapshot) -> list[Family]:
    """Return all there is to tell: of requests, of the system, of server and application."""
    own = sorted(snapshot.families.values(), key=lambda family: family.name)
    return [*http_families(snapshot), *own, *system_families(snapshot)]


def list_metrics(snapshot: Snapshot) -> dict[str, Any]:
    """Return by name the series, each with its labels; of a histogram count, sum and percentiles."""
    return {
        family.name: [
            {**dict(zip(family.labels, values, strict=False)), **_tell(value)}
            for values, value in family.series.items()
        ]
        for family in list_families(snapshot)
    }


def _tell(value: Value) -> dict[str, Any]:
    if not isinstance(value, Distribution):
        if not isfinite(value):
            return {"value": None}
        return {"value": int(value) if value == int(value) else value}
    percentiles = {f"p{percent}_ms": round(value.percentile(percent) * 1e3, 3) for percent in (50, 90, 99)}
    return {"count": value.count, "sum_seconds": value.sum_s, **percentiles}


def summarise(snapshot: Snapshot) -> dict[str, Any]:
    """Return the figures of the whole and of each worker, under the names the admin endpoint has for them."""
    now = time.monotonic()
    system = {family.name: family.series for family in system_families(snapshot)}
    memory = system["process_resident_memory_bytes"]
    workers: list[dict[str, Any]] = []
    for process in snapshot.processes:
        label = str(process.place)
        workers.append(
            {
                "pid": process.pid,
                "slot": process.place,
                "uptime_seconds": round(now - process.started, 3),
                "connections": int(snapshot.value("penstock_connections", label)),
                "requests_total": process.begun,
                "requests_in_flight": int(snapshot.value("http_requests_in_flight", label)),
                "thread_pool": _pool_of(snapshot, label),
                "rss_bytes": memory.get((label,), 0),
            }
        )
    return {
        "status": "ok",
        "uptime_seconds": max((worker["uptime_seconds"] for worker in workers), default=0.0),
        "connections": sum(worker["connections"] for worker in workers),
        "requests_total": snapshot.begun,
        "requests_in_flight": sum(worker["requests_in_flight"] for worker in workers),
        "thread_pool": {
            key: sum(worker["thread_pool"][key] for worker in workers) for key in _pool_of(snapshot, "")
        },
        "rss_bytes": sum(worker["rss_bytes"] for worker in workers),
        "restarts": snapshot.value("penstock_worker_restarts"),
        "workers": workers,
    }


def _pool_of(snapshot: Snapshot, worker: str) -> dict[str, int]:
    active = int(snapshot.value("penstock_thread_pool_threads", worker, "active"))
    idle = int(snapshot.value("penstock_thread_pool_threads", worker, "idle"))
    return {
        "total_workers": active + idle,
        "active_workers": active,
        "idle_workers": idle,
        "queue_depth": int(snapshot.value("penstock_thread_pool_queue_depth", worker)),
    }
