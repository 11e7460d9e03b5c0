"""`http-benchmark report`: a page, or pictures, of results that are kept.

Without a word it is about what was measured last, all clients of it. Results of different runs can be put
beside each other; the verdict then says that they were not measured in turns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from http_benchmark.cli.chosen import HOW, add_database_option, choose
from http_benchmark.errors import BenchmarkError, UsageError
from http_benchmark.storage.store import ResultStorage

if TYPE_CHECKING:
    import argparse

    from http_benchmark.measurement.result import BenchmarkResult

_LOOKED_AT = 100
"""Of the newest results, to find those that were measured with the last."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("which", nargs="*", metavar="RESULT", help=f"{HOW}; default: the last measurement")
    add_database_option(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write one HTML file")
    parser.add_argument("--svg", type=Path, metavar="FOLDER", help="write each chart as an SVG picture")
    parser.add_argument("--png", type=Path, metavar="FOLDER", help="write each as PNG; needs Chromium")
    parser.add_argument(
        "--metric", default="rate", help="what the verdict goes by: rate, mean, p50, p99...; default rate"
    )


def run(options: argparse.Namespace) -> int:
    """Write what was asked for, tell the paths on stdout, and return the exit code."""
    from http_benchmark.report.html import write_report
    from http_benchmark.report.pictures import write_pngs, write_svgs
    from http_benchmark.statistics.comparison import compare_results

    if not (options.output or options.svg or options.png):
        raise UsageError("say what to write: -o report.html, --svg FOLDER or --png FOLDER")
    found = choose(options.which, options.database) if options.which else _last(options.database)
    results = list({each.id: each for each in found}.values())
    written: list[Path] = []
    try:
        if options.output:
            write_report(results, compare_results(results, options.metric), options.output)
            written.append(options.output)
        if options.svg:
            written += write_svgs(results, options.svg)
        if options.png:
            written += write_pngs(results, options.png)
    except OSError as error:
        raise BenchmarkError(
            f"{error.filename or 'the report'} cannot be written: {error.strerror}"
        ) from None
    finally:
        for path in written:
            print(path)
    return 0


def _last(database: str | None) -> list[BenchmarkResult]:
    """Return the newest result and those whose rounds took turns with its own, as they began."""
    store = ResultStorage(database)
    newest = store.get_all_results(limit=1)
    if not newest:
        raise UsageError(f"{store.path} has no results yet; measure something, or name a JSON file")
    start, end = newest[0].start_time, newest[0].end_time
    found = store.find_results(limit=_LOOKED_AT, with_rounds=False)
    together = [each for each in found if each.start_time < end and start < each.end_time]
    whole = [store.get_result_by_id(each.id) for each in reversed(together)]
    return sorted((each for each in whole if each is not None), key=lambda each: each.start_time)
