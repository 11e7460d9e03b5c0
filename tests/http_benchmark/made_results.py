"""Results as a measurement makes them, from known durations: for tests of what keeps, shows and compares them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from http_benchmark.histogram.histogram import Histogram
from http_benchmark.measurement.result import BenchmarkResult, summarise
from http_benchmark.measurement.round import Resources, Round, Sample, Second

STARTED_AT = 1_790_000_000.25


def make_result(
    *,
    name: str = "checkout",
    client: str = "httpx",
    rounds: int = 5,
    requests: int = 200,
    median_ms: float = 10.0,
    spread: float = 0.01,
    errors: int = 0,
    concurrency: int = 10,
    seed: int = 1,
    environment: dict[str, object] | None = None,
) -> BenchmarkResult:
    """Return a result whose requests took `median_ms` on average; rounds differ by `spread` of it."""
    chance = random.Random(seed)
    made = [
        make_round(
            number,
            [
                int(centre * 1e6 * chance.uniform(0.8, 1.2))
                for centre in [median_ms * chance.uniform(1 - spread, 1 + spread)]
                for _ in range(requests)
            ],
            errors=errors,
            concurrency=concurrency,
        )
        for number in range(rounds)
    ]
    return summarise(
        made,
        name=name,
        client_library=client,
        client_type="sync",
        http_method="GET",
        url="http://127.0.0.1:8000/get",
        concurrency=concurrency,
        config_snapshot={"client": client, "headers": {"Accept": "*/*"}, "rounds": rounds},
        environment={"cpu_model": "a CPU", "python": "3.12.1"} if environment is None else environment,
    )


def make_round(number: int, durations_ns: Sequence[int], *, errors: int = 0, concurrency: int = 10) -> Round:
    """Return a round in which these requests kept `concurrency` workers busy all the time."""
    latency = Histogram(durations_ns)
    return Round(
        number=number,
        started_at=STARTED_AT + number,
        duration_s=latency.total_ns / 1e9 / concurrency or 1.0,
        latency=latency,
        errors={"status 503": errors} if errors else {},
        generator=Resources(cpu_s=0.05, samples=[Sample(offset_s=0.0, cpu_percent=50.0, rss_mb=42.5)]),
    )


def make_full_round(number: int) -> Round:
    """Return a round in which every field says something."""
    chance = random.Random(number)
    return Round(
        number=number,
        started_at=STARTED_AT + number,
        duration_s=2.5,
        latency=Histogram([chance.randrange(1, 10**10) for _ in range(500)]),
        corrected=Histogram([chance.randrange(1, 10**11) for _ in range(700)]),
        first_octet=Histogram([0, 1, 2, 255, 256, 2**40]),
        lateness=Histogram([0]),
        errors={"status 503": 3, "reset": 1},
        examples={"status 503": "503 Service Unavailable", "reset": "Connection reset by peer — naïve 😀"},
        late=4,
        dropped=2,
        in_flight_at_end=7,
        connections_opened=10,
        connections_reused=490,
        octets_received=123456,
        octets_sent=6543,
        effective_concurrency=9.87654321,
        seconds=[Second(0, Histogram([5, 6, 7]), 1), Second(1), Second(2, Histogram([10**9]))],
        generator=Resources(
            cpu_s=1.2345678901234567,
            samples=[Sample(0.1, 101.5, 42.25, 12, 34, 0.5, 0.25), Sample(0.2, 99.0, 43.0)],
            user_s=1.0,
            system_s=0.23,
        ),
        server=Resources(0.5),
        was_interrupted=True,
    )


def make_full_result(**changes: object) -> BenchmarkResult:
    """Return a result in which every field says something."""
    found = summarise(
        [make_full_round(0), make_full_round(1), make_round(2, [])],
        name='of "all" = kinds; ünïcode',
        client_library="aiohttp",
        client_type="async",
        http_method="STREAM",
        url="http://[::1]:8000/stream/5?a=1&b=ü",
        concurrency=20,
        config_snapshot={
            "client": "aiohttp",
            "headers": {"X": "ü"},
            "rate_per_s": None,
            "expect_status": [200, 204],
        },
        environment={
            "cpu_model": "a CPU",
            "cpu_count": 2,
            "libraries": {"aiohttp": "3.9.1"},
            "git_revision": None,
            "load_average": [0.5, 0.25, 1.0],
        },
        warnings=["two rounds are few: use --rounds 5"],
    )
    for name, value in changes.items():
        setattr(found, name, value)
    return found
