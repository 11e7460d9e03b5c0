"""Was it the server that was measured, or the generator? Three signs, each a sentence that says what to do.

Its own processor time: a generator that is busy all the time cannot ask faster. Its ceiling: what it
reaches against a server that does nothing. And Little's law: connections = rate x mean time; where fewer
were busy than there are, requests were not sent when they could have been.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from http_benchmark.load.null_server import null_server
from http_benchmark.load.processes import run_spread
from http_benchmark.statistics.wording import percent

if TYPE_CHECKING:
    import threading

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario
    from http_benchmark.measurement.round import Round

SATURATED: Final = 0.95
NEAR_CEILING: Final = 0.9
IDLE_SHARE: Final = 0.1
RATE_MISSED: Final = 0.01


def measure_ceiling(
    scenario: Scenario,
    options: LoadOptions,
    *,
    processes: int = 1,
    duration_s: float = 2.0,
    stop: threading.Event | None = None,
) -> float:
    """Return how many of these requests a second the generator makes at most: against the null server, as
    many connections, without TLS, as fast as it can.
    """
    with null_server() as url:
        there = urlsplit(url)
        requests = tuple(
            replace(
                each,
                url=each.parts._replace(scheme=there.scheme, netloc=there.netloc).geturl(),
                expect_status=frozenset(),
                expect_body=None,
            )
            for each in scenario.requests
        )
        unhindered = replace(
            options,
            duration_s=duration_s,
            requests=None,
            rate_per_s=None,
            rate_to_per_s=None,
            warm_up_s=min(options.warm_up_s, 0.5),
            unix_path=None,
            expect_status=frozenset(),
            expect_body=None,
        )
        return run_spread(replace(scenario, requests=requests), unhindered, processes, stop=stop).rate_per_s


def limits(
    made: Round, options: LoadOptions, *, processes: int = 1, ceiling_per_s: float | None = None
) -> list[str]:
    """Return the signs that not the server was the limit; none is the good news."""
    found = []
    if made.generator is not None and made.duration_s > 0:
        share = made.generator.cpu_s / made.duration_s / processes
        if share >= SATURATED:
            whose = "its core" if processes == 1 else f"each of its {processes} cores"
            found.append(
                f"the generator used {percent(share)} of {whose}, so the server may do more than this: raise "
                f"--processes to {processes + 1} or more, on cores the server does not use"
            )
    if ceiling_per_s and made.rate_per_s >= NEAR_CEILING * ceiling_per_s:
        found.append(
            f"{made.rate_per_s:.0f} requests a second are {percent(made.rate_per_s / ceiling_per_s)} of what "
            f"this generator reaches against a server that does nothing ({ceiling_per_s:.0f}): the server "
            "may do more; raise --processes"
        )
    found += _open_loop(made, options) if options.rate_per_s else _little(made, options)
    return found


def _little(made: Round, options: LoadOptions) -> list[str]:
    wanted = options.connections * options.pipeline
    busy = made.effective_concurrency
    if busy is None or made.was_interrupted or not made.requests or busy >= (1 - IDLE_SHARE) * wanted:
        return []
    if options.requests_per_connection is not None or made.errors:
        why = "new connections were being opened meanwhile; with fewer of them more would be under load"
    else:
        why = "the generator was late in sending the next request: raise --processes, or lower --connections"
    what = "connections" if options.pipeline == 1 else "requests in flight"
    return [f"by Little's law {busy:.1f} of {wanted} {what} were busy on average (rate x mean time): {why}"]


def _open_loop(made: Round, options: LoadOptions) -> list[str]:
    if made.was_interrupted or made.duration_s <= 0 or not options.rate_per_s:
        return []
    last = options.rate_to_per_s or options.rate_per_s
    wanted = (options.rate_per_s + last) / 2
    sent = (made.requests + made.error_count + made.in_flight_at_end) / made.duration_s
    if sent >= (1 - RATE_MISSED) * wanted:
        return []
    told = f"{sent:.0f} requests a second were sent, and {wanted:.0f} were due"
    return [
        f"{told}: generator or server cannot keep up; lower --rate, or raise --connections or --processes"
    ]
