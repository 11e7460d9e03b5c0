"""What probes are told: whether a server lives, whether it serves, and all there is to say about that.

The admin endpoint answers with it, and so do the routes an application has for it (`app/health.py`). Each
function returns the status code and what to say. Reasons are told to operators only: they quote exceptions.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.observe.overview import age_of

if TYPE_CHECKING:
    from penstock.observe.overview import Overview

OK, UNAVAILABLE = 200, 503


def tell_alive(overview: Overview) -> tuple[int, dict[str, Any]]:
    """Whether it lives; if not, only a restart helps."""
    return (OK, {"status": "ok"}) if overview.is_alive else (UNAVAILABLE, {"status": overview.status})


def tell_started(overview: Overview) -> tuple[int, dict[str, Any]]:
    """Whether it has come up at all, whatever it lacks by now."""
    is_starting = overview.status == "starting"
    return (UNAVAILABLE, {"status": "starting"}) if is_starting else (OK, {"status": "ok"})


def tell_ready(overview: Overview) -> tuple[int, dict[str, Any]]:
    """Whether requests should be sent there, and which checks fail."""
    told: dict[str, Any] = {"status": overview.status}
    if overview.failed:
        told["failed"] = overview.failed
    return OK if overview.is_ready else UNAVAILABLE, told


def tell_health(overview: Overview, *, is_private: bool) -> tuple[int, dict[str, Any]]:
    """The same with everything known: to operators, `is_private`, with reasons and processes."""
    now = overview.now
    timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told: dict[str, Any] = {
        "status": overview.status,
        "release": overview.release,
        "uptime_seconds": age_of(overview.front.started, now),
        "timestamp": timestamp,
        "workers_ready": sum(worker.state == "ready" for worker in overview.workers),
        "checks": {check.name: check.to_json(now, with_reason=is_private) for check in overview.checks},
    }
    if is_private:
        told["workers"] = [
            {
                "pid": worker.pid,
                "slot": worker.slot,
                "generation": worker.generation,
                "release": worker.figures.release,
                "state": worker.state,
                "uptime_seconds": age_of(worker.started, now),
                "failed": [one["name"] for one in worker.figures.checks if one["status"] == "failed"],
            }
            for worker in sorted(overview.workers, key=lambda worker: worker.slot)
        ]
    return OK if overview.is_ready else UNAVAILABLE, told


def render_ready(told: dict[str, Any]) -> str:
    """One line: `failing: database, queue`."""
    failed = ", ".join(told.get("failed", ()))
    return f"{told['status']}: {failed}\n" if failed else f"{told['status']}\n"


def render_health(told: dict[str, Any]) -> str:
    """A line for the whole, and one for each check and worker."""
    release = f", release {told['release']}" if told["release"] else ""
    count = told["workers_ready"]
    workers = "1 worker" if count == 1 else f"{count} workers"
    lines = [f"{told['status']}{release}, {workers} ready, for {told['uptime_seconds']} s"]
    lines += [render_check(name, check) for name, check in told["checks"].items()]
    for worker in told.get("workers", ()):
        failed = f": {', '.join(worker['failed'])}" if worker["failed"] else ""
        release = f", release {worker['release']}" if worker["release"] else ""
        what = f"worker {worker['slot']}, pid {worker['pid']}, generation {worker['generation']}{release}"
        lines.append(f"{what}: {worker['state']}{failed}")
    return "\n".join(lines) + "\n"


def render_check(name: str, check: dict[str, Any]) -> str:
    """One line: `check database: failed in 2 of 2 workers for 12.4 s: ConnectionRefusedError: ...`."""
    kind = "" if check["critical"] else ", not critical"
    where = f" in {check['workers_failed']} of {check['workers']} workers" if check["workers_failed"] else ""
    reason = f": {check['reason']}" if check.get("reason") else ""
    return f"check {name}{kind}: {check['status']}{where} for {check['since_seconds']} s{reason}"
