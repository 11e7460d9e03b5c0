"""Whether every client of http_benchmark is measured alike, against targets whose behaviour is known.

- What adapter and recorder add to a request of each library: all the time of an exchange and of noting it
  that is outside the extent that is measured. Goal: at most 5 % of http.client's own time, printed first. In
  it is also what the library needs to free its reply, which for requests and httpx2 is most of it.
- A reply after exactly 20 ms: how much above it the median of each library is, and how much of that is not
  what the library takes for a reply at once: some take half a millisecond by themselves. Goal: below 0.5 ms.
- Requests in flight with 5 % of replies 20 times as slow, at a concurrency of 20. Goal: within 2 %.

The first case takes the best of several samples of the same process; all need a machine that does nothing
else. Libraries that are not installed are named under the table.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise
from http_benchmark.clients.adapter import Call, Wiring
from http_benchmark.clients.registry import adapters, is_installed
from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.engine.recorder import Recorder
from http_benchmark.engine.runner import BenchmarkRunner
from http_benchmark.targets.embedded import embedded
from http_benchmark.targets.trouble import Behaviour, trouble

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Adapter, Mode
    from http_benchmark.measurement.round import Round

GOALS = "goals: outside at most 5 % of http.client; above 20 ms less than 0.5 ms; in flight 98 to 102 % of 20"
_ROUNDS = 5
_DELAY_S = 0.02
_WORKERS = 20


def measure(options: Options) -> Report:
    """Measure every installed client in every mode."""
    known = [adapter for adapter in adapters().values() if is_installed(adapter)]
    absent = [adapter for adapter in adapters().values() if not is_installed(adapter)]
    subjects = [(adapter, mode) for adapter in known for mode in adapter.modes]
    figures = [
        *outside(subjects, is_quick=options.is_quick),
        *fixed_delay(subjects, is_quick=options.is_quick),
        *in_flight(subjects, is_quick=options.is_quick),
    ]
    return Report(figures, [GOALS, *(f"{adapter.name}: {adapter.install}" for adapter in absent)])


def outside(subjects: list[tuple[Adapter, Mode]], *, is_quick: bool) -> list[Figure]:
    """Return what each adapter adds to its library's time, in % of http.client's own time."""
    count, rounds = (50, 1) if is_quick else (3_000, _ROUNDS)
    inside: list[float] = []
    added: dict[str, list[float]] = {}
    with embedded() as target:
        call = Call("GET", f"{target.url}get")
        for _ in range(rounds):
            for adapter, mode in subjects:
                within_us, outside_us = _split(adapter, mode, call, count)
                added.setdefault(f"{adapter.name}, {mode}", []).append(outside_us)
                if adapter.name == "http.client":
                    inside.append(within_us)
    own = summarise("a request, one worker", "http.client, sync, its own time", inside, "us")
    relative = [
        summarise(
            "adapter and recorder outside of the extent",
            subject,
            [100 * each / own.median for each in found],
            "% of http.client",
        )
        for subject, found in added.items()
    ]
    return [own, *relative]


def _split(adapter: Adapter, mode: Mode, call: Call, count: int) -> tuple[float, float]:
    """Return the time within the extent that is measured and outside of it, in us of a request.

    Of the latter the median: what other processes do would else be laid to whoever was running.
    """
    recorder = Recorder()
    wiring = Wiring(1, 30.0)
    taken: list[tuple[int, int]] = []

    def note(exchange: Any, before_ns: int) -> None:
        recorder.keep(exchange)
        taken.append((exchange.finished_ns - exchange.started_ns, perf_counter_ns() - before_ns))

    if mode == "sync" and adapter.make_sync is not None:
        client = adapter.make_sync(wiring)
        for _ in range(count):
            before_ns = perf_counter_ns()
            note(client.exchange(call), before_ns)
        client.close()
    elif adapter.make_async is not None:
        make_async = adapter.make_async

        async def run() -> None:
            client = make_async(wiring)
            for _ in range(count):
                before_ns = perf_counter_ns()
                note(await client.exchange(call), before_ns)
            await client.close()

        asyncio.run(run())
    within = sorted(extent for extent, _ in taken)
    around = sorted(whole - extent for extent, whole in taken)
    return within[count // 2] / 1000, around[count // 2] / 1000


def fixed_delay(subjects: list[tuple[Adapter, Mode]], *, is_quick: bool) -> list[Figure]:
    """Return how much longer than the delay of the server the median reply took, and how much of that a
    reply without any delay does not take.
    """
    count, rounds = (5, 1) if is_quick else (60, _ROUNDS)
    above: dict[str, list[float]] = {}
    unexplained: dict[str, list[float]] = {}
    with trouble(Behaviour(delay_s=_DELAY_S)) as server, trouble() as at_once:
        for adapter, mode in subjects:
            subject = f"{adapter.name}, {mode}"
            options = {"requests": count * rounds, "rounds": rounds}
            own_ms = [_median_ms(each) for each in _run(at_once.url, adapter, mode, **options)]
            delayed_ms = [_median_ms(each) for each in _run(server.url, adapter, mode, **options)]
            above[subject] = [each - _DELAY_S * 1000 for each in delayed_ms]
            unexplained[subject] = [each - own for each, own in zip(above[subject], own_ms, strict=True)]
    cases = {"a reply after 20 ms, median above it": above, "that, above a reply at once": unexplained}
    return [
        summarise(case, subject, found, "ms")
        for case, samples in cases.items()
        for subject, found in samples.items()
    ]


def _median_ms(each: Round) -> float:
    return each.latency.percentile(50) / 1e6


def in_flight(subjects: list[tuple[Adapter, Mode]], *, is_quick: bool) -> list[Figure]:
    """Return requests in flight in % of the workers."""
    duration_s, rounds = (0.2, 1) if is_quick else (3.0, 3)
    with trouble(Behaviour(delay_s=0.01, slow_every=20)) as server:
        return [
            summarise(
                "5 % of replies 20 times as slow, in flight",
                f"{adapter.name}, {mode}",
                [
                    100 * (each.effective_concurrency or 0) / _WORKERS
                    for each in _run(
                        server.url,
                        adapter,
                        mode,
                        concurrency=_WORKERS,
                        duration_s=duration_s * rounds,
                        rounds=rounds,
                        warm_up_s=0.1 if is_quick else 0.5,
                    )
                ],
                "% of 20",
            )
            for adapter, mode in subjects
        ]


def _run(url: str, adapter: Adapter, mode: Mode, **options: Any) -> list[Round]:
    options = {"concurrency": 1, "warm_up_s": 0.1} | options
    configuration = BenchmarkConfiguration(url=url, client=adapter.name, mode=mode, **options)
    return BenchmarkRunner(configuration, adapter=adapter).run().rounds


if __name__ == "__main__":
    sys.exit(main(["rightness_clients"]))
