"""The flat form of the command: client libraries against a URL, or against the embedded target.

Reads options, makes one configuration for each client and mode, has them measured in turns, and hands the
results to `outputs.py`. A library that is not installed is named and the others run; alone, it is an error.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from http_benchmark.cli import Parser, outputs
from http_benchmark.cli.course_options import add_course_options
from http_benchmark.cli.interruption import stopping
from http_benchmark.cli.request_options import add_request_options, read_body, read_headers, read_statuses
from http_benchmark.cli.values import whole
from http_benchmark.configuration import METHODS, BenchmarkConfiguration
from http_benchmark.errors import MissingLibrary, UsageError
from http_benchmark.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from http_benchmark.clients.adapter import Adapter, Mode

DEFAULT_CLIENT = "http.client"
"""In the standard library, so that it is always there."""
COMPARED_ROUNDS = 5
"""With fewer, two clients can hardly be told apart (statistics/comparison.py)."""


def make_parser(commands: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser of the flat form, whose help names the subcommands too."""
    from penstock import __version__

    listed = "".join(f"\n  {name:10} {text}" for name, text in commands.items())
    parser = Parser(
        prog="http-benchmark",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure HTTP clients and servers, and say how sure the result is.\n"
        "Without a subcommand: client libraries, against --url or the embedded target.",
        epilog=f"subcommands: {{{','.join(commands)}}}{listed}\n\n"
        "http-benchmark SUBCOMMAND --help tells of each",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"http-benchmark {__version__}")
    _add_request_options(parser)
    _add_client_options(parser)
    _add_course_options(parser)
    outputs.add_metric_option(parser)
    outputs.add_options(parser)
    return parser


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the request")
    group.add_argument("--url", help="what is requested; without it an embedded target is started")
    group.add_argument(
        "--method",
        type=str.upper,
        default="GET",
        choices=METHODS,
        metavar="METHOD",
        help=f"{', '.join(METHODS)} (GET, its content read in pieces); default GET",
    )
    add_request_options(group)
    group.add_argument("--http2", action="store_true", help="HTTP/2, by clients that have it")


def _add_client_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the clients")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--client",
        default=None,
        metavar="NAME",
        help=f"the library to measure (http-benchmark clients lists them); default {DEFAULT_CLIENT}",
    )
    one.add_argument("--compare", nargs="+", metavar="NAME", help="libraries to compare, in turns")
    mode = group.add_mutually_exclusive_group()
    mode.add_argument("--async", dest="is_async", action="store_true", help="tasks on a loop, not threads")
    mode.add_argument(
        "--modes",
        metavar="MODES",
        help="sync, async or sync,async: each client in those it has; default sync where it can, else async",
    )


def _add_course_options(parser: argparse.ArgumentParser) -> None:
    concurrency = read_settings().default_concurrency
    group = parser.add_argument_group("the course")
    group.add_argument(
        "--concurrency",
        type=whole,
        default=concurrency,
        metavar="N",
        help=f"requests at a time; default {concurrency}",
    )
    add_course_options(group, "measured of each client")
    group.add_argument(
        "--rounds", type=whole, metavar="N", help=f"default 1, and {COMPARED_ROUNDS} when comparing"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and return the exit code."""
    from http_benchmark.engine.runner import measure_in_turns
    from http_benchmark.report.live import Live
    from http_benchmark.statistics.comparison import compare_results
    from http_benchmark.statistics.metrics import find_metric

    outputs.check(options)
    chosen = choose_clients(options)
    target = ""
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        if options.url is None:
            from http_benchmark.targets.embedded import embedded

            options.url = stack.enter_context(embedded()).url_for(options.method)
            # Its port differs each time, and names are to be alike.
            target = f"{options.method} {urlsplit(options.url).path} embedded"
        configurations = [configure(options, adapter, mode, len(chosen)) for adapter, mode in chosen]
        if target:
            configurations = [
                each if each.name else each.but(name=f"{each.client} {target}") for each in configurations
            ]
        planned_s = None  # nobody knows how long so many requests take
        if options.requests is None:
            planned_s = sum(each.duration_s + each.rounds * each.warm_up_s for each in configurations)
        live = stack.enter_context(Live(sys.stderr, is_quiet=options.quiet, planned_s=planned_s))
        results = measure_in_turns(configurations, watch=live.watch, stop=stop)
    verdicts = compare_results(results, find_metric(options.metric).name)
    code = outputs.deliver(results, verdicts, options)
    return 130 if stop.is_set() else code


def choose_clients(options: argparse.Namespace) -> list[tuple[Adapter, Mode]]:
    """Return whom to measure, in which mode; say on stderr who is left out, and why."""
    from http_benchmark.clients.registry import find_adapter, is_installed

    wanted = options.compare or [options.client or DEFAULT_CLIENT]
    adapters = [find_adapter(name) for name in dict.fromkeys(wanted)]
    absent = [adapter for adapter in adapters if not is_installed(adapter)]
    present = [adapter for adapter in adapters if adapter not in absent]
    if not present:
        raise MissingLibrary(absent[0].name, absent[0].install)
    for adapter in absent:
        print(f"http-benchmark: left out: {MissingLibrary(adapter.name, adapter.install)}", file=sys.stderr)
    if options.http2:
        for adapter in present:
            if not adapter.has_http2:
                raise UsageError(f"{adapter.name} has no HTTP/2; leave out --http2 or this client")
    return [(adapter, mode) for adapter in present for mode in choose_modes(adapter, options)]


def choose_modes(adapter: Adapter, options: argparse.Namespace) -> Sequence[Mode]:
    """Return the modes in which a client is measured; UsageError when it has none of those asked for."""
    if options.is_async:
        wanted = ["async"]
    elif options.modes is not None:
        wanted = [word.strip() for word in options.modes.split(",")]
        for word in wanted:
            if word not in {"sync", "async"}:
                raise UsageError(f"--modes: {word!r} is neither sync nor async")
    else:
        return adapter.modes[:1]
    found = [mode for mode in adapter.modes if mode in wanted]
    if not found:
        others = " or ".join(adapter.modes)
        raise UsageError(f"{adapter.name} has no {' or '.join(wanted)} mode, only {others}")
    return found


def configure(
    options: argparse.Namespace, adapter: Adapter, mode: Mode, compared: int
) -> BenchmarkConfiguration:
    """Return what is asked for, for one client."""
    rounds = options.rounds or (COMPARED_ROUNDS if compared > 1 else 1)
    if options.requests is not None and options.rounds is None:
        rounds = min(rounds, options.requests)
    warm_up_s = options.warmup
    if warm_up_s is None:
        warm_up_s = min(1.0, options.duration / rounds / 4)
    return BenchmarkConfiguration(
        url=options.url,
        client=adapter.name,
        mode=mode,
        method=options.method,
        headers=read_headers(options.headers),
        body=read_body(options),
        name=name_of(options.name, adapter.name, mode, compared),
        concurrency=options.concurrency,
        duration_s=options.duration,
        requests=options.requests,
        rate_per_s=options.rate,
        rate_to_per_s=options.rate_to,
        warm_up_s=warm_up_s,
        rounds=rounds,
        timeout_s=options.timeout,
        verify_ssl=options.verify_ssl,
        http2=options.http2,
        expect_status=read_statuses(options.expect_status),
        expect_body=None if options.expect_body is None else options.expect_body.encode(),
    )


def name_of(given: str, client: str, mode: Mode, compared: int) -> str:
    """Return the name a result is kept under: the one given, with the client where there are several."""
    return f"{given} {client} {mode}" if given and compared > 1 else given
