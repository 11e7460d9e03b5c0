"""Caches: what a kept reply costs beside a plain one, how often a page of 1 ms can be had, and the stores
alone.

"A request" is the whole path of one in Python, as in `request_path`: a connection whose socket is a stand-in.
Rates are of a whole server on one processor under wrk on another. Redis is left out: what a use of it costs
is the way to it and back.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.apps.cached_app import app
from benchmarks.command import main
from benchmarks.load import has_wrk, load
from benchmarks.report import Options, Report
from benchmarks.request_path import Bench, StandIn, make_request
from benchmarks.servers import NO_WRK, Round
from benchmarks.subject import free_port, serving
from benchmarks.subjects import make_environment
from benchmarks.timing import Case, Figure, summarise, take_off, time_cases
from penstock import Cache, MemoryStore
from penstock.http.request import Request
from penstock.server.config import Config
from penstock.server.threads import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_CONNECTIONS = 64
_ROUNDS = 3
_PAGE = b'{"id":7,"name":"user-7","verbose":false}'
_HELLO = b"Hello, World!"
REQUESTS = {
    "plain text": ("/hello", _HELLO),
    "plain text, cached=": ("/cached-hello", _HELLO),
    "two parameters, cached=": ("/cached/7?verbose=false", _PAGE),
    "ResponseCache, in memory": ("/stored/7?verbose=false", _PAGE),
    "a Response made once": ("/response", _HELLO),
    "the same, keep()": ("/kept-response", _HELLO),
    "RateLimit, in memory": ("/limited", _HELLO),
}
RATES = {
    "made each time": "/made/7?verbose=false",
    "waited for each time": "/waited/7?verbose=false",
    "cached=": "/cached/7?verbose=false",
    "ResponseCache": "/stored/7?verbose=false",
    "plain text": "/hello",
}


async def _fill() -> None:
    """Have everything kept that will be."""
    for target, right in REQUESTS.values():
        request = Request.build("GET", target)
        answer: Any = app.resolve(request).call(request)
        response = await answer if hasattr(answer, "__await__") else answer
        if response.body != right:
            raise SystemExit(f"{target}: answered {response.body!r}")


def _stand_in_calls() -> None:
    sock = StandIn(make_request("/"))
    recv, send = sock.recv, sock.send
    for _ in repeat(None, _BATCH):
        recv(65_536)
        send(b"")


def _measure_requests(loop: asyncio.AbstractEventLoop, options: Options) -> list[Figure]:
    pool = ThreadPool(Config().threads, Config().queue_limit)
    cases, benches = [Case("", "stand-in", _stand_in_calls, _BATCH)], []
    for subject, (target, right) in REQUESTS.items():
        bench = Bench(loop, app, target, 1, pool)
        bench.check(right)
        benches.append(bench)
        cases.append(Case("a request", subject, bench.serve_one_by_one, _BATCH))
    stand_in, *figures = time_cases(cases, is_quick=options.is_quick)
    for bench in benches:
        bench.reactor.close()
    pool.stop(1.0)
    return [take_off(figure, stand_in) for figure in figures]


def _on_loop(function: Callable[[asyncio.AbstractEventLoop], list[Figure]]) -> list[Figure]:
    """Have the loop call it, because that is who calls a reactor."""

    async def whole() -> list[Figure]:
        await _fill()
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[list[Figure]] = loop.create_future()

        def call() -> None:
            try:
                outcome.set_result(function(loop))
            except BaseException as error:
                outcome.set_exception(error)

        loop.call_soon(call)
        return await outcome

    return asyncio.run(whole())


def _store_cases() -> list[Case]:
    store = MemoryStore()
    cache = Cache(MemoryStore())
    store.set("key", b"value", 3600)
    cache.set("key", {"a": 1}, 3600)
    calls: dict[str, Callable[[], Any]] = {
        "MemoryStore.get": lambda: store.get("key"),
        "MemoryStore.set": lambda: store.set("key", b"value", 3600),
        "Cache.get": lambda: cache.get("key"),
        "Cache.remember": lambda: cache.remember("key", 3600, dict),
    }

    def batch(call: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            for _ in repeat(None, _BATCH):
                call()

        return run

    return [Case("a use of a store", subject, batch(call), _BATCH) for subject, call in calls.items()]


def _run_rounds(options: Options) -> list[Figure]:
    rounds: dict[str, list[Round]] = {name: [] for name in RATES}
    port = free_port()
    target = "cached_app:app"
    command = [sys.executable, "-m", "penstock", "run", target, "--port", str(port), "--no-access-log"]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(command, port, make_environment(), Path(folder)) as subject,
    ):
        for _ in range(1 if options.is_quick else _ROUNDS):
            for name, path in RATES.items():
                before = subject.usage()
                done = load(port, path, connections=_CONNECTIONS, seconds=1 if options.is_quick else 3)
                after = subject.usage()
                if done.errors or not done.requests:
                    raise SystemExit(f"{name}: {done.errors} errors in {done.requests} requests")
                used_s = after.user_s + after.system_s - before.user_s - before.system_s
                rounds[name].append(Round(done.requests / done.seconds, used_s * 1e6 / done.requests))
    return [
        summarise("a page of 1 ms", name, [one[column] for one in done], unit)
        for unit, column in (("req/s", 0), ("us CPU/req", 1))
        for name, done in rounds.items()
    ]


def measure(options: Options) -> Report:
    """Time requests and stores; run a server where wrk is there."""
    figures = _on_loop(lambda loop: _measure_requests(loop, options))
    figures += time_cases(_store_cases(), is_quick=options.is_quick)
    if not has_wrk():
        return Report(figures, [NO_WRK])
    return Report([*figures, *_run_rounds(options)])


if __name__ == "__main__":
    sys.exit(main(["cache"]))
