"""What the demo counts and tells of itself: `/health` and `/metrics`.

Requests are counted by route template, `/users/{user_id}` and not `/users/7`, so the number of labels is
bounded whatever clients ask for. The hook that counts runs in every thread, hence the lock.
"""

import time
from collections import Counter
from datetime import UTC, datetime
from threading import Lock

from penstock import Request, Router

NO_ROUTE = "(no route)"
NOT_COUNTED = {"/health", "/metrics"}


class Figures:
    def __init__(self) -> None:
        self._lock = Lock()
        self._started = time.monotonic()
        self._by_status: Counter[str] = Counter()
        self._by_path: Counter[str] = Counter()
        self.router = Router(tags=["figures"])
        self.router.get("/health")(self.health)
        self.router.get("/metrics")(self.metrics)

    def count(self, route: str | None, status: int) -> None:
        if route in NOT_COUNTED:
            return
        with self._lock:
            self._by_status[str(status)] += 1
            self._by_path[route or NO_ROUTE] += 1

    @property
    def uptime_seconds(self) -> float:
        return round(time.monotonic() - self._started, 3)

    async def health(self) -> dict[str, object]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"status": "ok", "uptime_seconds": self.uptime_seconds, "timestamp": now}

    async def metrics(self, request: Request) -> dict[str, object]:
        with self._lock:
            by_status = dict(sorted(self._by_status.items()))
            by_path = dict(self._by_path.most_common())
        return {
            "uptime_seconds": self.uptime_seconds,
            "requests_total": sum(by_status.values()),
            "requests_by_status": by_status,
            "requests_by_path": by_path,
            "thread_pool": request.server.thread_pool() if request.server else None,
        }
