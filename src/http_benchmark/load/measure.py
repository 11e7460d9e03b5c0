"""Several rounds of load as one result, with what the generator used and what makes it doubtful."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from http_benchmark.errors import NothingMeasured
from http_benchmark.load.limits import limits, measure_ceiling
from http_benchmark.load.processes import run_spread
from http_benchmark.measurement.result import BenchmarkResult, summarise
from http_benchmark.storage.environment import look_at_environment

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario
    from http_benchmark.measurement.progress import Progress
    from http_benchmark.measurement.round import Round


def measure_load(
    scenario: Scenario,
    options: LoadOptions,
    *,
    rounds: int = 1,
    name: str = "",
    processes: int = 1,
    scheduler: str | None = None,
    has_ceiling: bool = False,
    watch: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> BenchmarkResult:
    """Load the server in rounds, each of the duration, or number of requests, of the options, from so many
    processes, or from all workers of the Dask scheduler at that address (`watch` is not told of those).
    `has_ceiling`: find out afterwards what the generator can do at most. What shows that it was the limit is
    in the warnings. NothingMeasured when not one request succeeded.
    """
    made: list[Round] = []
    called = name or f"load {scenario.method} {scenario.url}"
    with ExitStack() as stack:
        cluster = None
        if scheduler is not None:
            from http_benchmark.load.distributed import Cluster

            cluster = stack.enter_context(Cluster(scheduler))
            processes = len(cluster.workers)
        for number in range(rounds):
            if cluster is not None:
                made.append(cluster.run(scenario, options, number=number, stop=stop))
            else:
                course: dict[str, Any] = {"number": number, "rounds": rounds, "name": called}
                made.append(run_spread(scenario, options, processes, **course, watch=watch, stop=stop))
            if made[-1].was_interrupted:
                break
    result = result_of(made, scenario, options, name=called)
    result.config_snapshot |= {"processes": processes, "distributed": scheduler}
    ceiling_per_s = None
    if has_ceiling and not made[-1].was_interrupted:
        ceiling_per_s = measure_ceiling(scenario, options, processes=processes, stop=stop)
    result.config_snapshot["ceiling_per_s"] = ceiling_per_s
    fastest = max(made, key=lambda each: each.rate_per_s)
    result.warnings += limits(fastest, options, processes=processes, ceiling_per_s=ceiling_per_s)
    return result


def result_of(rounds: list[Round], scenario: Scenario, options: LoadOptions, *, name: str) -> BenchmarkResult:
    """Return the result of rounds; NothingMeasured when not one request succeeded in them."""
    if not any(each.requests for each in rounds):
        raise NothingMeasured(_why_nothing(rounds))
    return summarise(
        rounds,
        name=name,
        client_library="load",
        client_type="load",
        http_method=scenario.method,
        url=scenario.url,
        concurrency=options.connections * options.pipeline,
        config_snapshot=snapshot(scenario, options) | {"rounds": len(rounds)},
        environment=look_at_environment(),
    )


def snapshot(scenario: Scenario, options: LoadOptions) -> dict[str, Any]:
    """Return all that was asked for, as JSON has it; of data the name and the number of rows."""
    found = asdict(options)
    found["expect_status"] = sorted(options.expect_status)
    found["expect_body"] = _text(options.expect_body)
    found["requests_of_scenario"] = [
        {
            "method": request.method,
            "url": request.url,
            "headers": dict(request.headers),
            "body": _text(request.body),
            "weight": request.weight,
            "expect_status": sorted(request.expect_status),
            "expect_body": _text(request.expect_body),
        }
        for request in scenario.requests
    ]
    data = scenario.data
    found["data"] = None if data is None else {"name": data.name, "rows": len(data.rows)}
    found["cookies"] = scenario.cookies
    found["seed"] = scenario.seed
    return found


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else octets.decode("utf-8", "backslashreplace")


def _why_nothing(rounds: list[Round]) -> str:
    examples = {kind: text for each in rounds for kind, text in each.examples.items()}
    if examples:
        count = sum(each.error_count for each in rounds)
        return f"not one of {count} requests succeeded: {next(iter(examples.values()))}"
    if any(each.was_interrupted for each in rounds):
        return "stopped before anything was measured"
    return "no request was answered; raise the duration or the timeout"
