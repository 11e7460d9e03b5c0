"""What is known of a server from outside of it: the figures its processes told, put together.

`Front` is told by whoever started the server, `Figures` by each process that serves, both as JSON on a
`Board`; `Overview` joins them and says what `/readyz`, `/metrics` and `penstock ctl` say. Times on the board
are those of the monotonic clock, which all processes of a machine share; what is said is ages.
Absent on purpose: any look into another process, which may be stuck or dead.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from penstock.observe import stores
from penstock.observe.checks import FAILED, blocking, join
from penstock.observe.memory import measure_rss
from penstock.observe.metrics.gather import count_begun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.observe.board import Board, Slot
    from penstock.observe.checks import Joined

    State = Literal["starting", "ready", "draining"]

    Told = tuple[int, int, float, bool, int]
    """Of a worker: pid, slot, start, whether it was told to end, reloads before it."""

FRONT_BYTES: Final = 2**18
# Of a server with as many workers as there may be, 256 MiB of addresses; pages nobody writes are no memory.
FIGURES_BYTES: Final = 2**17

# The worst first, when no worker is ready.
_UNREADY: Final = ("failing", "stuck", "starting", "draining")
_POOL: Final = ("total_workers", "active_workers", "idle_workers", "queue_depth")


@dataclass(slots=True)
class Front:
    """What the supervisor, or the single process, tells of the whole."""

    pid: int
    started: float
    is_supervised: bool
    stuck_timeout_s: float
    state: State = "starting"
    workers: Sequence[Told] = ()
    restarts: int = 0
    """Workers that ended without being told to."""
    requests_of_ended: int = 0

    def tell(self, slot: Slot) -> None:
        slot.write(_encode(self))


@dataclass(slots=True)
class Figures:
    """What a process that serves tells of itself."""

    state: State
    told: float
    release: str = ""
    """Of the application; "" before it is loaded."""
    loop_still_s: float = 0.0
    """How long the loop had not turned when this was told; up to about a second is nothing."""
    connections: int = 0
    requests: int = 0
    """Begun, so far."""
    requests_in_flight: int = 0
    oldest: float | None = None
    thread_pool: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(_POOL, 0))
    listed: list[dict[str, Any]] = field(default_factory=list)
    """Of the oldest requests in flight: as `server/in_flight.py` describes them."""
    loop: Mapping[str, float] = field(default_factory=dict)
    """How it fares: lag, standstills, pauses of the garbage collector."""
    stores: Mapping[str, int] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    """How named checks stand: `observe/checks.py`."""
    errors: list[dict[str, Any]] = field(default_factory=list)
    """The last replies that were errors, the newest first: `observe/recent_errors.py`."""

    def tell(self, slot: Slot) -> None:
        """Tell as many of the requests and errors as there is room for, the stacks of the oldest first."""
        while len(octets := _encode(self)) > slot.capacity:
            with_stack = [each for each in self.listed if "stack" in each]
            if with_stack:
                for each in with_stack[len(with_stack) // 2 :]:
                    del each["stack"]
                continue
            self.listed = self.listed[: len(self.listed) // 2]
            self.errors = self.errors[: len(self.errors) // 2]
        slot.write(octets)


def _encode(told: Front | Figures) -> bytes:
    # PERF: 0.12 ms with 50 errors; `dataclasses.asdict`, which copies all that is in it, takes 1.6.
    members = {one.name: getattr(told, one.name) for one in fields(told)}
    return json.dumps(members, separators=(",", ":")).encode()


def read_figures(slot: Slot) -> Figures | None:
    """Return what was told last in this slot; None when nothing was."""
    octets = slot.read()
    return None if octets is None else Figures(**json.loads(octets))


def age_of(since: float | None, now: float) -> float | None:
    """Return seconds, to the millisecond; None when there is no beginning."""
    return None if since is None else round(max(0.0, now - since), 3)


class Worker:
    """One process that serves, as of now."""

    def __init__(self, told: Told, figures: Figures | None, now: float) -> None:
        self.pid, self.slot, self.started, self.is_ending, self.generation = told
        self.figures = figures or Figures("starting", now)
        self.state: str = self.figures.state

    def to_json(self, now: float) -> dict[str, Any]:
        figures = self.figures
        return {
            "pid": self.pid,
            "slot": self.slot,
            "generation": self.generation,
            "release": figures.release,
            "state": self.state,
            "uptime_seconds": age_of(self.started, now),
            "connections": figures.connections,
            "requests_total": figures.requests,
            "requests_in_flight": figures.requests_in_flight,
            "oldest_request_seconds": age_of(figures.oldest, now),
            "thread_pool": figures.thread_pool,
            "stores": stores.add_up([figures.stores]),
            "rss_bytes": measure_rss(self.pid),
            "loop_still_seconds": round(figures.loop_still_s, 3),
            "loop": figures.loop,
            "figures_age_seconds": age_of(figures.told, now),
        }


class Overview:
    """A server as its board shows it now."""

    def __init__(self, board: Board | None, own: tuple[Front, Figures] | None = None) -> None:
        """`own` is what a process without a board knows of itself."""
        self.now = now = time.monotonic()
        octets = board.slots[0].read() if board is not None else None
        self.front = Front(**json.loads(octets)) if octets else Front(0, now, False, 0.0)
        figures: list[Figures | None] = []
        if board is not None:
            figures = [read_figures(board.slots[told[1]]) for told in self.front.workers]
        elif own is not None:
            self.front, figures = own[0], [own[1]]
        self.workers = [
            self._make_worker(told, each) for told, each in zip(self.front.workers, figures, strict=True)
        ]

    def _make_worker(self, told: Told, figures: Figures | None) -> Worker:
        worker = Worker(told, figures, self.now)
        limit_s = self.front.stuck_timeout_s
        if worker.is_ending:
            worker.state = "draining"
        elif worker.state == "ready" and limit_s and worker.figures.loop_still_s >= limit_s:
            worker.state = "stuck"
        elif worker.state == "ready":
            worker.state = blocking(worker.figures.checks) or "ready"
        return worker

    @cached_property
    def checks(self) -> list[Joined]:
        """The named checks, each over all workers that are to stay."""
        return join(worker.figures.checks for worker in self.workers if not worker.is_ending)

    @cached_property
    def failed(self) -> list[str]:
        """The names of the checks that fail, in one worker or more."""
        return [check.name for check in self.checks if check.status == FAILED]

    @property
    def status(self) -> str:
        """While requests are served `ok`, or `degraded` when a check fails that does not prevent it; else
        failing (critical checks fail in every worker), stuck, starting or draining.
        """
        states = {worker.state for worker in self.workers}
        if self.front.state == "draining":
            return "draining"
        if "ready" in states:
            return "degraded" if self.failed else "ok"
        return next((state for state in _UNREADY if state in states), "starting")

    @property
    def is_ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.status in ("ok", "degraded")

    @property
    def release(self) -> str:
        """Which release is served: during a reload the new one, as soon as a worker has it."""
        told = [(each.generation, each.started, each.figures.release) for each in self.workers]
        return max((each for each in told if each[2]), default=(0, 0.0, ""))[2]

    @property
    def is_alive(self) -> bool:
        """False: only a restart helps. A stuck worker is replaced by its supervisor, if it has one."""
        return self.front.is_supervised or self.status != "stuck"

    def metrics(self) -> dict[str, Any]:
        figures = [worker.figures for worker in self.workers]
        oldest = min((each.oldest for each in figures if each.oldest is not None), default=None)
        workers = [worker.to_json(self.now) for worker in self.workers]
        begun, begun_by_pid = (
            count_begun()
        )  # to the last one; the board is half a second old, or all there is
        for worker in workers:
            worker["requests_total"] = max(worker["requests_total"], begun_by_pid.get(worker["pid"], 0))
        rss_bytes = sum(worker["rss_bytes"] for worker in workers)
        if self.front.is_supervised:
            rss_bytes += measure_rss(self.front.pid)
        return {
            "status": self.status,
            "failed": self.failed,
            "release": self.release,
            "pid": self.front.pid,
            "uptime_seconds": age_of(self.front.started, self.now),
            "connections": sum(each.connections for each in figures),
            "requests_total": max(
                begun, self.front.requests_of_ended + sum(each.requests for each in figures)
            ),
            "requests_in_flight": sum(each.requests_in_flight for each in figures),
            "oldest_request_seconds": age_of(oldest, self.now),
            "thread_pool": {key: sum(each.thread_pool.get(key, 0) for each in figures) for key in _POOL},
            "stores": stores.add_up(each.stores for each in figures),
            "rss_bytes": rss_bytes,
            "restarts": self.front.restarts,
            "workers": workers,
        }

    def requests(self) -> list[dict[str, Any]]:
        """The oldest requests in flight, the oldest first."""
        found = [
            to_request(each, worker.pid, self.now)
            for worker in self.workers
            for each in worker.figures.listed
        ]
        return sorted(found, key=lambda request: -request["age_seconds"])


def to_request(listed: dict[str, Any], worker: int, now: float) -> dict[str, Any]:
    """Return a request that a worker has told, with its age: until `now`, or until its worker ended."""
    request = {"age_seconds": age_of(listed["since"], now), "worker": worker, **listed}
    del request["since"]
    return request
