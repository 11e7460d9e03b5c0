"""Whether the engine of http_benchmark is right, against targets whose behaviour is known.

- What it costs a request: a client that does nothing is measured in each mode, at a concurrency of one,
  and http.client against the embedded target beside it. Goal: at most 5 % of the latter.
- Closed loop: how many requests were in flight, with 5 % of replies 20 times as slow. Goal: within 2 %.
- Open loop at 1,000 and 10,000 a second: what rate came out, and how late sends were. Goal: within 1 %,
  p99 below 2 ms at 10,000. Where the machine does other things, sends are late: see the load beside it.
- A pause of a second in ten: p99 of what is corrected is 0.9 s by theory, p99.9 0.99 s, because one
  request in ten was due in it, and waited for what was left of it. Goal: within 5 %.
- 10,000 connections at once. Goal: they work, within 600 MB.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, ClassVar

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise
from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.runner import BenchmarkRunner
from http_benchmark.targets.embedded import embedded
from http_benchmark.targets.trouble import Behaviour, trouble

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring
    from http_benchmark.measurement.round import Round

GOALS = (
    "goals: the engine at most 5 % of http.client; in flight 98 % or more",
    "goals of the open loop: rate 99 to 101 %, p99 below 2 ms late at 10,000/s; pause 95 to 105 % of theory",
    "goals of 10,000 connections: below 600 MB, none failed",
)
_ROUNDS = 5
_WORKERS = 64
_MODES = ("sync", "async")


class _Nothing:
    """A client that answers at once: what is left is the engine. That asks for the number of connections
    right before and after what it measures, in the thread that does it, which is when CPU time is read.
    """

    cpu_s: ClassVar[list[float]] = []

    def __init__(self, _wiring: Wiring) -> None:
        pass

    def exchange(self, _call: Call) -> Exchange:
        now_ns = time.perf_counter_ns()
        return Exchange(200, 13, now_ns, now_ns, now_ns)

    def connections_opened(self) -> int:
        self.cpu_s.append(time.thread_time())
        return 0

    def close(self) -> None:
        pass


class _AsyncNothing(_Nothing):
    async def exchange(self, call: Call) -> Exchange:  # type: ignore[override]  # of the other protocol
        return super().exchange(call)

    async def close(self) -> None:  # type: ignore[override]  # as above
        pass


NOTHING = Adapter("nothing", "", "", "", make_sync=_Nothing, make_async=_AsyncNothing)


def _run(adapter: Adapter | None = None, **options: object) -> list[Round]:
    configuration = BenchmarkConfiguration(**options)  # type: ignore[arg-type]  # checked when it is made
    return BenchmarkRunner(configuration, adapter=adapter).run().rounds


def _bare_us(mode: str, count: int) -> float:
    """Return what the client that does nothing costs by itself, in microseconds of a call."""
    wiring: Wiring = None  # type: ignore[assignment]  # it looks at none
    call: Call = None  # type: ignore[assignment]  # as above
    if mode == "sync":
        exchange = _Nothing(wiring).exchange
        started_s = time.thread_time()
        for _ in range(count):
            exchange(call)
        return (time.thread_time() - started_s) * 1e6 / count

    async def run() -> float:
        exchange = _AsyncNothing(wiring).exchange
        started_s = time.thread_time()
        for _ in range(count):
            await exchange(call)
        return (time.thread_time() - started_s) * 1e6 / count

    return asyncio.run(run())


def overhead(*, is_quick: bool) -> list[Figure]:
    """Return CPU time of a request: of the engine in each mode, and of http.client under it."""
    count, rounds = (20_000, 1) if is_quick else (300_000, _ROUNDS)
    figures = []
    for mode in _MODES:
        bare_us = min(_bare_us(mode, count) for _ in range(3))
        samples = []
        for _ in range(rounds):
            _Nothing.cpu_s.clear()
            _run(NOTHING, url="http://127.0.0.1:9/", mode=mode, requests=count, warm_up_s=0.0, concurrency=1)
            before_s, after_s = _Nothing.cpu_s
            samples.append((after_s - before_s) * 1e6 / count - bare_us)
        figures.append(summarise("a request, one worker", f"engine, {mode}", samples, "us CPU"))
    with embedded() as target:
        found = _run(
            url=f"{target.url}get",
            client="http.client",
            concurrency=1,
            requests=count // 10 * rounds,
            rounds=rounds,
            warm_up_s=0.2,
        )
    samples = [_cpu_us(each) for each in found]
    return [summarise("a request, one worker", "http.client with it", samples, "us CPU"), *figures]


def _cpu_us(each: Round) -> float:
    return each.generator.cpu_s * 1e6 / each.requests if each.generator is not None else 0.0


def concurrency(*, is_quick: bool) -> list[Figure]:
    """Return requests in flight in % of the workers."""
    duration_s, rounds = (0.3, 1) if is_quick else (4.0, _ROUNDS)
    with trouble(Behaviour(delay_s=0.01, slow_every=20)) as server:
        return [
            summarise(
                "5 % of replies 20 times as slow, in flight",
                f"{client}, {mode}",
                [
                    100 * (each.effective_concurrency or 0) / 20
                    for each in _run(
                        url=server.url,
                        client=client,
                        mode=mode,
                        concurrency=20,
                        duration_s=duration_s * rounds,
                        rounds=rounds,
                        warm_up_s=0.5,
                    )
                ],
                "% of 20",
            )
            for client, mode in (("http.client", "sync"), ("penstock", "async"))
        ]


def open_loop(*, is_quick: bool) -> list[Figure]:
    """Return the rate that came out, and how late sends were."""
    figures = []
    duration_s, rounds = (0.3, 1) if is_quick else (3.0, _ROUNDS)
    with trouble() as server:
        for rate_per_s in (1_000.0, 10_000.0):
            for mode in _MODES:
                found = _run(
                    url=server.url,
                    client="penstock",
                    mode=mode,
                    concurrency=_WORKERS,
                    rate_per_s=rate_per_s,
                    duration_s=duration_s * rounds,
                    rounds=rounds,
                    warm_up_s=0.2,
                )
                case = f"open loop at {rate_per_s:.0f}/s"
                subject = f"penstock, {mode}"
                shares = [100 * each.rate_per_s / rate_per_s for each in found]
                figures.append(summarise(case, subject, shares, "% of the rate"))
                for percent in (50, 99):
                    late_ms = [_ms(each, "lateness", percent) for each in found]
                    figures.append(summarise(case, subject, late_ms, f"ms late, p{percent}"))
    return figures


def pause(*, is_quick: bool) -> list[Figure]:
    """Return percentiles with a pause of a tenth of the time, in % of what theory says."""
    pause_s, rounds = (0.1, 1) if is_quick else (1.0, 3)
    found = []
    for _ in range(rounds):
        with trouble(Behaviour(pause_s=pause_s, pause_at_s=3 * pause_s)) as server:
            found += _run(
                url=server.url,
                client="penstock",
                mode="async",
                concurrency=_WORKERS,
                rate_per_s=1_000.0,
                duration_s=10 * pause_s,
                warm_up_s=0.0,
            )
    figures = []
    for percent in (99.0, 99.9):
        # the share f of all requests that wait longest are those due in the first 10 f of the pause
        theory_ms = 1e3 * pause_s * (1 - (100 - percent) / 10)
        for which in ("corrected", "latency"):
            samples = [100 * _ms(each, which, percent) / theory_ms for each in found]
            case = f"a pause of {pause_s:g} s, p{percent:g} = {theory_ms:g} ms"
            figures.append(summarise(case, which, samples, "% of theory"))
    return figures


def connections(*, is_quick: bool) -> list[Figure]:
    """Return what very many connections need, and how many of them were at work."""
    count, rounds = (200, 1) if is_quick else (10_000, 3)
    case = f"{count:,} connections, a reply after 0.5 s"
    found = []
    with trouble(Behaviour(delay_s=0.5)) as server:
        for _ in range(rounds):
            found += _run(
                url=server.url,
                client="penstock",
                mode="async",
                concurrency=count,
                duration_s=0.6 if is_quick else 4.0,
                warm_up_s=0.5 if is_quick else 8.0,
            )
    rss_mb = [each.generator.rss_mb_max for each in found if each.generator is not None]
    shares = [100 * (each.effective_concurrency or 0) / count for each in found]
    failed = [each.error_count + each.in_flight_at_end for each in found]
    return [
        summarise(case, "penstock, async", rss_mb, "MB resident"),
        summarise(case, "penstock, async", shares, "% in flight"),
        summarise(case, "penstock, async", failed, "failed"),
    ]


def _ms(each: Round, which: str, percent: float) -> float:
    return float(getattr(each, which).percentile(percent)) / 1e6


def measure(options: Options) -> Report:
    """Do all of it."""
    is_quick = options.is_quick
    load = f"nothing; the load average was {os.getloadavg()[0]:.1f} before, {os.cpu_count()} cores"
    figures = [
        *overhead(is_quick=is_quick),
        *concurrency(is_quick=is_quick),
        *open_loop(is_quick=is_quick),
        *pause(is_quick=is_quick),
        *connections(is_quick=is_quick),
    ]
    return Report(figures, [*GOALS, load])


if __name__ == "__main__":
    sys.exit(main(["rightness_engine"]))
