"""The requests in flight as values: what each is, since when, in which phase, where it runs and stands.

Looked at from a thread beside the loop, without a lock: a value may be of the moment before or after. In
flight is what has a head and whose last octet the kernel has not taken; after an upgrade there is no request.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.http.handler import TASK
from penstock.http.redaction import redactor
from penstock.observe.phases import measure, name_current
from penstock.observe.stacks import render_stack
from penstock.server.slow import shorten
from penstock.server.transport import CONTENT, THREAD

if TYPE_CHECKING:
    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.observe.stacks import Stack
    from penstock.server.sampling import Sampler

_STACK_CHARS: Final = 3000


class InFlight(NamedTuple):
    """A request at one moment."""

    since: float
    """When its head was complete, by the monotonic clock."""
    connection: Any
    request: Request
    endpoint: Endpoint | None
    is_sent: bool
    """Its reply is complete, and the client has yet to take the rest."""


def find_in_flight(connection: Any, now: float) -> InFlight | None:
    """Return what this connection is at; None when there is nothing. Since `now` when nobody takes times."""
    request, endpoint, unnoted = connection.request, connection.endpoint, connection.unnoted
    is_sent = request is None and unnoted is not None
    if is_sent:
        request, endpoint = unnoted[:2]
    if request is None:
        return None
    started = connection.started
    since = now - (perf_counter_ns() - started) / 1e9 if started else now
    return InFlight(since, connection, request, endpoint, is_sent)


def describe(found: InFlight, sampler: Sampler | None, *, always_stack: bool = False) -> dict[str, Any]:
    """Return all there is to say about it, secrets hidden and everything bounded. `always_stack`: where it
    stands now, however young it is.
    """
    since, connection, request, endpoint, is_sent = found
    hide = redactor().text
    # Hidden before it is cut: half a secret is not known for one.
    target = shorten(redactor().target(request.raw_path, request.raw_query))
    samples = sampler.find(connection) if sampler is not None and not is_sent else None
    client = request.client
    phases = measure(connection, perf_counter_ns())
    # Made in this thread, if the handler's has not: an old request is to have a name in the table.
    trace_id = request.trace_id if samples is not None else request.known_trace_id
    is_waiting = connection.phase == THREAD and not connection.handler_at
    phase = name_current(phases, is_receiving=connection.phase == CONTENT, is_queued=is_waiting)
    if phase in ("content", "queue") and "handler" in phases:  # it has not begun
        phases[phase] = phases.pop("handler")
    told = {
        "line": f"{request.method} {target} HTTP/{request.http_version}",
        "method": request.method,
        "path": shorten(redactor().path(request.raw_path)),
        "route": request.route or (endpoint.route if endpoint is not None else None),
        "trace_id": trace_id,
        "client": client[0] if client is not None else None,
        "since": since,
        "phase": phase,
        "phases": phases,
        "runs": "sent" if is_sent else _find_place(connection, endpoint),
    }
    where, stack = samples.latest if samples is not None else ("", ())
    if always_stack and sampler is not None and not is_sent:
        where, stack = sampler.see(connection, request)
    if stack:
        told["stands"] = where
        told["frame"] = hide(str(stack[-1]))
        told["stack"] = _render(stack)
        told["looks"] = samples.count if samples is not None else 0
    return told


@lru_cache(maxsize=256)
def _render(stack: Stack) -> str:
    """PERF: most stand where they stood at the last look."""
    return redactor().text(render_stack(stack))[-_STACK_CHARS:]


def _find_place(connection: Any, endpoint: Endpoint | None) -> str:
    """Where a request is at: what it waits for, or what it runs in."""
    phase = connection.phase
    if phase == CONTENT:
        return "receives content"
    if phase == THREAD:
        return "thread"
    if connection.stream is not None:
        return "stream"
    if connection.task is not None:
        return "task" if endpoint is not None and endpoint.run == TASK else "awaited"
    return "loop"
