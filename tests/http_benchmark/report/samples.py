"""Results as measurements give them: drawn from a seed, so that each run of the tests sees the same ones."""

from __future__ import annotations

import random
from dataclasses import replace

from http_benchmark.configuration import BenchmarkConfiguration
from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import summarise
from http_benchmark.measurement.round import Resources, Round, Sample, Second

STARTED_AT = 1_795_000_000.0
ENVIRONMENT = {
    "cpu": "Some CPU @ 3.00GHz",
    "cores": 8,
    "kernel": "Linux 6.1.0",
    "python": "CPython 3.13.0",
    "libraries": {"httpx": "0.28.1", "requests": "2.32.5"},
    "git": "afcd495",
    "load_average": [0.21, 0.3, 0.25],
}


def draw_round(
    number=0, median_ms=3.0, concurrency=10, seconds=5, seed=1, errors=None, rate=None, server=False
):
    """A round of so many seconds: lognormal latencies with a rare slow reply, a stall in one second."""
    chance = random.Random(f"{seed} {number}")
    latency, lateness, corrected, series = Histogram(), Histogram(), Histogram(), []
    per_second = rate or int(concurrency / (median_ms / 1e3) * 0.2 * chance.uniform(0.97, 1.03))
    for offset_s in range(seconds):
        slower = 1.6 if offset_s == 3 else 1.0
        values = [
            int(
                1e6
                * median_ms
                * slower
                * chance.lognormvariate(0, 0.25)
                * (9 if chance.random() < 0.004 else 1)
            )
            for _ in range(int(per_second / slower) if rate is None else per_second)
        ]
        second = Second(offset_s, Histogram(values))
        latency.merge(second.latency)
        series.append(second)
        late = [int(chance.expovariate(1 / 60_000)) for _ in values]
        lateness.record_many(late)
        corrected.record_many([value + wait for value, wait in zip(values, late, strict=True)])
    errors = dict(errors or {})
    series[-1].errors = sum(errors.values())
    return Round(
        number=number,
        started_at=STARTED_AT + number * (seconds + 2),
        duration_s=float(seconds),
        latency=latency,
        corrected=corrected if rate else None,
        first_octet=Histogram([int(value) for value in (median_ms * 8e5, median_ms * 9e5)]),
        lateness=lateness if rate else None,
        errors=errors,
        examples={kind: f"the first {kind} said so" for kind in errors},
        late=17 if rate else 0,
        dropped=3 if rate else 0,
        in_flight_at_end=concurrency // 5,
        connections_opened=concurrency,
        connections_reused=latency.total - concurrency,
        octets_received=latency.total * 512,
        octets_sent=latency.total * 90,
        effective_concurrency=concurrency * 0.99,
        seconds=series,
        generator=draw_resources(chance, seconds, 97, 46),
        server=draw_resources(chance, seconds, 61, 38) if server else None,
    )


def draw_resources(chance, seconds, cpu_percent, rss_mb):
    samples = [
        Sample(0.1 * at, cpu_percent * chance.uniform(0.85, 1.02), rss_mb + at * 0.05, threads=11)
        for at in range(10 * seconds)
    ]
    return Resources(cpu_percent / 100 * seconds, samples)


def make_result(client="httpx", mode="sync", rounds=3, warnings=(), environment=ENVIRONMENT, **options):
    """A result of that client; options as of `draw_round`, and those of the configuration."""
    known = BenchmarkConfiguration.__dataclass_fields__
    given = {name: options.pop(name) for name in list(options) if name in known}
    rate = options.get("rate")
    configuration = BenchmarkConfiguration(
        url=given.pop("url", "http://127.0.0.1:8000/get"),
        client=client if client != "load" else "http.client",
        mode=mode if mode != "load" else "sync",
        rounds=rounds,
        rate_per_s=rate,
        **({"concurrency": 10} | given),
    )
    options.setdefault("concurrency", configuration.concurrency)
    drawn = [draw_round(number, **options) for number in range(rounds)]
    return summarise(
        drawn,
        name=configuration.label,
        client_library=client,
        client_type=mode,
        http_method=configuration.method,
        url=configuration.url,
        concurrency=configuration.concurrency,
        config_snapshot=configuration.to_dict(),
        environment=environment,
        warnings=warnings,
    )


def three_clients(**options):
    """Three libraries as they differ in truth."""
    return [
        make_result("requests", median_ms=5.1, seed=1, **options),
        make_result("httpx", median_ms=6.4, seed=2, **options),
        make_result("aiohttp", "async", median_ms=2.2, seed=3, **options),
    ]


def without_figures(result):
    """The same where not one request succeeded."""
    rounds = [replace(each, latency=Histogram(), first_octet=None, seconds=[]) for each in result.rounds]
    snapshot = result.config_snapshot
    return summarise(
        rounds,
        name=result.name,
        client_library=result.client_library,
        client_type=result.client_type,
        http_method=result.http_method,
        url=result.url,
        concurrency=result.concurrency_level,
        config_snapshot=snapshot,
    )
