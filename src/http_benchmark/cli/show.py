"""`http-benchmark show`: all there is to say of one stored result."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from http_benchmark.cli.chosen import HOW, add_database_option, choose_one
from http_benchmark.export.json_form import to_json
from http_benchmark.report.figures import fit, show_column_ms, show_harmless, show_number
from http_benchmark.report.grid import Column, lay_out
from http_benchmark.report.table import print_results

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from http_benchmark.histogram.histogram import Histogram
    from http_benchmark.measurement.result import BenchmarkResult

_NS = 1e9
_UNBOUNDED = 10_000


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("result", nargs="?", default="last", metavar="RESULT", help=f"{HOW}; default last")
    parser.add_argument("--json", action="store_true", help="print it whole, as JSON")
    add_database_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print one result and return the exit code."""
    result = choose_one(options.result, options.database)
    if options.json:
        print(json.dumps(to_json(result), allow_nan=False))
        return 0
    _say(f"{result.name}  {result.id}  {result.created_at}")
    print_results([result], [], sys.stdout)
    if len(result.rounds) > 1:
        print()
        for line in lay_out(_round_columns(result), _UNBOUNDED, lambda text, _style: text):
            print(line)
    _section("environment", result.environment)
    _section("configuration", result.config_snapshot)
    return 0


def _round_columns(result: BenchmarkResult) -> list[Column]:
    rounds = result.rounds

    def times(pick: Callable[[Histogram], int]) -> list[str]:
        return show_column_ms([pick(each.latency) / _NS if each.requests else None for each in rounds])

    return [
        Column("round", [f"{each.number}{', cut short' * each.was_interrupted}" for each in rounds]),
        Column("seconds", [show_number(each.duration_s) for each in rounds]),
        Column("requests", [f"{each.requests:,}" for each in rounds]),
        Column("requests/s", [show_number(each.rate_per_s) for each in rounds]),
        Column("p50 ms", times(lambda latency: latency.percentile(50))),
        Column("p99 ms", times(lambda latency: latency.percentile(99))),
        Column("max ms", times(lambda latency: latency.max_ns)),
        Column("errors", [f"{each.error_count:,}" for each in rounds]),
    ]


def _section(title: str, values: Mapping[str, Any]) -> None:
    """Print what is known and not empty."""
    known = {key: value for key, value in values.items() if value not in (None, "", [], {})}
    if not known:
        return
    print(f"\n{title}")
    for key, value in known.items():
        if isinstance(value, dict):
            text = ", ".join(f"{name} {each}" for name, each in value.items() if each is not None)
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        _say(f"  {key.replace('_', ' ')}: {text}")


def _say(line: str) -> None:
    indent = line[: len(line) - len(line.lstrip())]
    print(fit(f"{indent}{show_harmless(line)}", sys.stdout))
