"""The log of slow requests: what each phase took, whose it was, and the stacks it was seen in.

Slow is what kept its client waiting: for as long as a stream or a file is being sent, an upgraded connection
talks, nobody waits, and only the time to its head counts. Where it was the client that took the time, over
its content or over reading the reply, that is said, and is no warning. Whoever has sent the reply puts down
what it was; another thread reads source lines and writes the record.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.http.redaction import redactor
from penstock.observe.phases import OURS, blame, measure
from penstock.observe.stacks import log_with_stack

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.server.noting import Noting
    from penstock.server.sampling import Sampler, Samples

_log = logging.getLogger("penstock.slow")

# Put down and not yet written: a quarter of a second's.
_LIMIT: Final = 512
_PATH_CHARS: Final = 200


class _Slow(NamedTuple):
    message: str
    level: int
    fields: dict[str, Any]
    samples: Samples | None


class SlowRequests:
    """Puts slow requests down, from any thread, and writes of them."""

    def __init__(self, least_s: float) -> None:
        self.least_ns: Final = round(least_s * 1e9)
        """Whoever notes a request that took so long tells us."""
        self.sampler: Sampler | None = None
        """Knows where they were seen."""
        self._waiting: deque[_Slow] = deque()
        self._dropped = 0

    def put(
        self,
        connection: Noting,
        request: Request,
        route: str | None,
        response: Response,
        sent: int,
        now_ns: int,
    ) -> None:
        """A request is over that took long, its length or its client's fault as that may be."""
        phases = measure(connection, now_ns)
        if response.is_stream:  # the rest is its nature, or its client's
            phases.pop("write", None)
        waited_ms = sum(phases.values()) - phases.get("accept", 0.0) - phases.get("head", 0.0)
        if waited_ms * 1e6 < self.least_ns:
            return
        if len(self._waiting) >= _LIMIT:
            self._dropped += 1
            return
        is_ours = sum(phases.get(name, 0.0) for name in OURS) * 1e6 >= self.least_ns
        samples = self.sampler.find(connection) if self.sampler is not None else None
        path = shorten(redactor().path(request.raw_path))
        parts = ", ".join(f"{name} {ms / 1e3:.3f}" for name, ms in phases.items())
        what = "slow request" if is_ours else "slow client"
        message = (
            f"{what}: {request.method} {path} took {waited_ms / 1e3:.3f} s ({parts}), {response.status}, "
            f"trace id {request.trace_id}"
        )
        fields = {
            "trace_id": request.trace_id,
            "span_id": request.span_id,
            "request_id": request.request_id,
            "method": request.method,
            "path": path,
            "route": route,
            "status": response.status,
            "duration_ms": round(waited_ms, 3),
            "phases": phases,
            "slow_in": blame(phases) if is_ours else "client",
            "seen_in": samples.list_frames() if samples is not None else [],
            "bytes_out": sent,
            "client": request.client[0] if request.client is not None else None,
            "worker": os.getpid(),
        }
        self._waiting.append(_Slow(message, logging.WARNING if is_ours else logging.INFO, fields, samples))

    def write(self) -> None:
        """Write what is put down. One thread at a time."""
        while self._waiting:
            message, level, fields, samples = self._waiting.popleft()
            stacks = samples.render() if samples is not None else ""
            log_with_stack(_log, stacks, "", "%s", message, level=level, **fields)
        dropped, self._dropped = self._dropped, 0
        if dropped:
            _log.warning("%d more slow requests are not told: too many at a time", dropped)


def shorten(path: str) -> str:
    """Return a path for people, of bounded length."""
    return f"{path[:_PATH_CHARS]}..." if len(path) > _PATH_CHARS else path
