"""The last errors of this process, for an operator who asks what just failed: who, when, what, which trace.

A ring of the last 50 replies with a status from 500 on. Whoever notes a reply keeps values and never the
request; the publisher's thread makes text of them and tells it on the board, where the admin endpoint reads
it. What an exception said is absent on purpose: it may hold anything; the log has it, by the trace id.
"""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from penstock.http.request import Request

LEAST_STATUS: Final = 500
KEPT: Final = 50
_PATH_CHARS: Final = 120
_READ_CHARS: Final = 2048  # more than is shown: half a secret is not known for one
_NAME_CHARS: Final = 80


class _Noted(NamedTuple):
    number: int
    at: float
    status: int
    method: str
    raw_path: bytes
    route: str | None
    trace_id: str
    error_type: str


class RecentErrors:
    """A ring of errors, filled from any thread."""

    def __init__(self) -> None:
        self._ring: deque[_Noted] = deque(maxlen=KEPT)
        self._lock = Lock()
        self._count = 0
        self._told: tuple[int, list[dict[str, Any]]] = (0, [])

    def note(self, request: Request, status: int, route: str | None = None) -> None:
        """Keep what identifies a reply that was an error; `route` defaults to the request's."""
        at, trace_id = time.time(), request.trace_id
        path = request.raw_path[:_READ_CHARS]
        with self._lock:
            self._count += 1
            self._ring.append(
                _Noted(
                    self._count,
                    at,
                    status,
                    request.method,
                    path,
                    route or request.route,
                    trace_id,
                    request.failure,
                )
            )

    def tell(self) -> list[dict[str, Any]]:
        """Return them as the board takes them, the newest first. Made anew only when there is a new one."""
        count, told = self._told
        if count != self._count:
            with self._lock:
                count, kept = self._count, list(self._ring)
            told = [_describe(noted) for noted in reversed(kept)]
            self._told = (count, told)
        return told


def _describe(noted: _Noted) -> dict[str, Any]:
    path = redactor().path(noted.raw_path)
    return {
        "number": noted.number,
        "time": round(noted.at, 3),
        "status": noted.status,
        "method": noted.method[:16],
        "path": path if len(path) <= _PATH_CHARS else f"{path[:_PATH_CHARS]}...",
        "route": noted.route and noted.route[:_PATH_CHARS],
        "trace_id": noted.trace_id,
        "error_type": noted.error_type[:_NAME_CHARS],
    }


_errors = RecentErrors()
note = _errors.note
tell = _errors.tell
