"""The instruments of the server itself, by name. Whoever knows a figure counts it here.

`worker` is the number of a worker's place, from 1 on, which its successor takes over: never a pid, so the
series stay as many as there are workers.
"""

from __future__ import annotations

from typing import Final

from penstock.observe.metrics.registry import Counter, Gauge, Histogram

_WORKER: Final = ("worker",)

in_flight: Final = Gauge(
    "http_requests_in_flight", "Requests begun whose reply is not over, as of the last second", _WORKER
)

build_info: Final = Gauge(
    "penstock_build_info", "Which versions serve; always 1", ("version", "python", "release"), across="max"
)

connections: Final = Gauge("penstock_connections", "Open connections", _WORKER)
accepted: Final = Counter("penstock_connections_accepted", "Connections accepted")
parse_errors: Final = Counter(
    "penstock_parse_errors", "Requests refused because they broke the protocol, by what was wrong", ("kind",)
)

pool_threads: Final = Gauge(
    "penstock_thread_pool_threads", "Threads of the pool by state: active or idle", ("worker", "state")
)
pool_queue_depth: Final = Gauge(
    "penstock_thread_pool_queue_depth", "Requests that wait for a thread", _WORKER
)
pool_wait: Final = Histogram(
    "penstock_thread_pool_wait_seconds",
    "Time a request waits for a thread, of one in 16",
    unit="seconds",
)

loop_lag: Final = Histogram(
    "penstock_loop_lag_seconds", "How late a timer of the loop is, twenty times a second.", unit="seconds"
)
gc_pause: Final = Histogram(
    "penstock_gc_pause_seconds",
    "How long the garbage collector stopped the process, by generation.",
    ["generation"],
    unit="seconds",
)

check_ok: Final = Gauge(
    "penstock_check_ok", "Named checks: 1 where all workers find it well, else 0", ("check",), across="min"
)

worker_restarts: Final = Counter(
    "penstock_worker_restarts", "Workers that ended without being told to, and were replaced"
)

cache_lookups: Final = Counter(
    "penstock_cache_lookups", "Look-ups in caches: hit, stale or miss", ("cache", "outcome")
)
rate_limit_refusals: Final = Counter(
    "penstock_rate_limit_refusals", "Requests refused by a rate limit, by its name", ("limit",)
)
log_lines_dropped: Final = Counter(
    "penstock_log_lines_dropped", "Lines of the log that were lost: too many at a time, or nothing took them"
)
