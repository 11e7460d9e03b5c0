"""`http-benchmark compare`: results that were kept beside each other, with a verdict.

Results measured in turns are compared round by round; others as two heaps, and what differs between the
machines they were measured on is told, because that may be the whole difference.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from http_benchmark.cli import outputs
from http_benchmark.cli.chosen import HOW, add_database_option, choose
from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from http_benchmark.measurement.result import BenchmarkResult

_CONDITIONS: Final = ("concurrency", "method", "url", "rate_per_s", "http2", "body")
"""What must be alike for a difference to be that of the clients."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("results", nargs="+", metavar="RESULT", help=f"two or more: {HOW}")
    add_database_option(parser)
    outputs.add_metric_option(parser)
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")


def run(options: argparse.Namespace) -> int:
    """Print results and verdicts."""
    from http_benchmark.report.table import print_results
    from http_benchmark.statistics.comparison import compare_results
    from http_benchmark.statistics.metrics import find_metric

    metric = find_metric(options.metric).name
    results = choose(options.results, options.database)
    if len(results) < 2:
        raise UsageError("there is one result to compare, and two are needed")
    verdicts = compare_results(results, metric)
    if options.json:
        print(json.dumps([verdict.to_dict() for verdict in verdicts], indent=1))
        return 0
    print_results(results, verdicts, sys.stdout)
    for line in differing(results):
        print(f"note: {line}", file=sys.stderr)
    return 0


def differing(results: Sequence[BenchmarkResult]) -> list[str]:
    """Return a line for each condition in which results differ beside their clients."""
    found = []
    for name in _CONDITIONS:
        values = {json.dumps(each.config_snapshot.get(name), default=str) for each in results}
        if len(values) > 1:
            found.append(f"{name.replace('_', ' ')} differs: {', '.join(sorted(values))}")
    return found
