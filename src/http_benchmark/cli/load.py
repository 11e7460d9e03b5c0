"""`http-benchmark load`: a server under raw HTTP/1.1 requests, from one core or several."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from http_benchmark.cli import outputs
from http_benchmark.cli.course_options import add_course_options
from http_benchmark.cli.interruption import stopping
from http_benchmark.cli.request_options import add_request_options, read_body, read_headers, read_statuses
from http_benchmark.cli.values import whole
from http_benchmark.errors import UsageError
from http_benchmark.load.options import LoadOptions
from http_benchmark.load.scenario import Request, Scenario
from http_benchmark.load.scenario_file import read_data_file, read_scenario
from http_benchmark.settings import read_settings

if TYPE_CHECKING:
    import argparse


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "urls",
        nargs="*",
        metavar="URL",
        help="what is requested, several of one server in turn; without any an embedded target is started",
    )
    _add_request_options(parser)
    _add_connection_options(parser)
    _add_course_options(parser)
    outputs.add_options(parser)


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the requests")
    group.add_argument(
        "--scenario", type=Path, metavar="PATH", help="a TOML file of requests with weights, instead of URLs"
    )
    group.add_argument("--method", type=str.upper, default="GET", metavar="METHOD", help="default GET")
    add_request_options(group)
    group.add_argument(
        "--data", type=Path, metavar="CSV", help="rows for {column} in URLs, headers and content"
    )
    group.add_argument("--cookies", action="store_true", help="each connection keeps and sends its cookies")


def _add_connection_options(parser: argparse.ArgumentParser) -> None:
    settings = read_settings()
    group = parser.add_argument_group("the connections")
    group.add_argument(
        "--connections",
        "--concurrency",
        type=whole,
        default=settings.default_concurrency,
        metavar="N",
        help=f"default {settings.default_concurrency}",
    )
    group.add_argument(
        "--pipeline", type=whole, default=1, metavar="N", help="requests in flight on each; default 1"
    )
    group.add_argument(
        "--requests-per-connection", type=whole, metavar="N", help="close each after so many; default never"
    )
    group.add_argument("--unix", metavar="PATH", help="connect to this unix socket")


def _add_course_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the course")
    add_course_options(group, "measured")
    group.add_argument("--rounds", type=whole, default=1, metavar="N", help="default 1")
    group.add_argument(
        "--processes",
        type=whole,
        metavar="N",
        help="generators that share the load, each on a core; default 1",
    )
    group.add_argument(
        "--distributed",
        metavar="ADDRESS",
        help="load from all workers of the Dask scheduler there, such as tcp://10.0.0.1:8786",
    )
    group.add_argument(
        "--ceiling",
        action="store_true",
        help="measure afterwards what the generator reaches against a server that does nothing",
    )


def run(options: argparse.Namespace) -> int:
    """Measure and return the exit code."""
    from http_benchmark.load.measure import measure_load
    from http_benchmark.report.live import Live
    from http_benchmark.statistics.doubts import doubts

    outputs.check(options)
    _check_generators(options)
    wanted = make_options(options)
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        scenario = choose_scenario(options, stack)
        planned_s = None  # nobody knows how long so many requests take
        if options.requests is None:
            planned_s = options.rounds * (wanted.duration_s + wanted.warm_up_s)
        live = stack.enter_context(Live(sys.stderr, is_quiet=options.quiet, planned_s=planned_s))
        result = measure_load(
            scenario,
            wanted,
            rounds=options.rounds,
            name=options.name,
            processes=options.processes or 1,
            scheduler=options.distributed,
            has_ceiling=options.ceiling,
            watch=live.watch,
            stop=stop,
        )
    result.warnings += doubts(result)
    ceiling_per_s = result.config_snapshot["ceiling_per_s"]
    if ceiling_per_s and not options.quiet:
        print(
            f"ceiling: {ceiling_per_s:.0f} requests a second against a server that does nothing; this one "
            f"reached {100 * result.requests_per_second / ceiling_per_s:.0f} % of it",
            file=sys.stderr,
        )
    code = outputs.deliver([result], [], options)
    return 130 if stop.is_set() else code


def _check_generators(options: argparse.Namespace) -> None:
    if options.distributed is None:
        return
    if options.processes is not None:
        raise UsageError("--distributed makes one generator on each worker; leave out --processes")
    if options.ceiling:
        raise UsageError("--ceiling is of generators on this machine; leave out --distributed")


def make_options(options: argparse.Namespace) -> LoadOptions:
    """Return how the load is made, for one round."""
    rounds = options.rounds
    if options.requests is not None and options.requests < rounds:
        raise UsageError(f"{options.requests} requests are too few for {rounds} rounds")
    duration_s = options.duration / rounds
    return LoadOptions(
        connections=options.connections,
        duration_s=duration_s,
        requests=None if options.requests is None else options.requests // rounds,
        rate_per_s=options.rate,
        rate_to_per_s=options.rate_to,
        pipeline=options.pipeline,
        warm_up_s=min(1.0, duration_s / 4) if options.warmup is None else options.warmup,
        timeout_s=options.timeout,
        verify=options.verify_ssl,
        unix_path=options.unix,
        requests_per_connection=options.requests_per_connection,
        expect_status=read_statuses(options.expect_status),
        expect_body=None if options.expect_body is None else options.expect_body.encode(),
    )


def choose_scenario(options: argparse.Namespace, stack: ExitStack) -> Scenario:
    """Return what is requested; what has to be started for it ends with the stack."""
    if options.scenario is not None:
        scenario = read_scenario(options.scenario)
        for flag in ("urls", "headers", "body", "body_file"):
            if getattr(options, flag):
                named = "a URL" if flag == "urls" else f"--{flag.replace('_', '-')}"
                raise UsageError(f"--scenario says what is requested; leave out {named}")
        if options.method != "GET":
            raise UsageError("--scenario says what is requested; leave out --method")
        if options.data is not None:
            scenario = replace(scenario, data=read_data_file(options.data))
        return replace(scenario, cookies=True) if options.cookies else scenario
    headers, body = read_headers(options.headers), read_body(options)
    data = None if options.data is None else read_data_file(options.data)
    requests = tuple(
        Request(url=url, method=options.method, headers=headers, body=body)
        for url in options.urls or [_start_target(options, stack)]
    )
    return Scenario(requests=requests, data=data, cookies=options.cookies)


def _start_target(options: argparse.Namespace, stack: ExitStack) -> str:
    from http_benchmark.targets.embedded import embedded

    if options.unix is not None:
        raise UsageError("--unix says where to connect; give the URL that is requested there as well")
    return stack.enter_context(embedded()).url_for(options.method)
