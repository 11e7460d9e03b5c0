"""Where results go: a table on stdout, a database, files of JSON and CSV, a report.

The same options for every command that measures. `--output` decides by the ending of its path what is
written; the rest are for those who want several. Whatever cannot be written is said before anything is
measured, where it can be known; what fails afterwards is kept elsewhere (`export/fallback.py`), because
figures are dear.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from http_benchmark.errors import MissingLibrary, UsageError
from http_benchmark.settings import read_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.statistics.comparison import Verdict

STDOUT: Final = "-"
_KINDS: Final = {
    ".json": "json",
    ".csv": "csv",
    ".html": "report",
    ".db": "database",
    ".sqlite": "database",
    ".sqlite3": "database",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where results go."""
    group = parser.add_argument_group("the results")
    path = read_settings().sqlite_db_path
    group.add_argument(
        "--output",
        metavar="PATH",
        help="by its ending: .json, .csv, .html (a report), or .db, .sqlite, .sqlite3: "
        f"the database that keeps results instead of {path}",
    )
    group.add_argument("--no-save", action="store_true", help="keep nothing in the database")
    group.add_argument(
        "--json",
        nargs="?",
        const=STDOUT,
        metavar="PATH",
        help="write JSON, to stdout instead of the table when no path follows",
    )
    group.add_argument("--csv", nargs="?", const=STDOUT, metavar="PATH", help="as --json, in CSV")
    group.add_argument("--report", type=Path, metavar="PATH", help="where the HTML report goes")
    group.add_argument("--no-report", action="store_true", help="make no report")
    group.add_argument("--quiet", action="store_true", help="no progress on stderr")


def add_metric_option(parser: argparse.ArgumentParser) -> None:
    """Add what a comparison goes by."""
    parser.add_argument(
        "--metric", default="rate", help="what is compared: rate, mean, p50 to p99.99, max; default rate"
    )


def check(options: argparse.Namespace) -> None:
    """Say what could not be written; put `--output` where it belongs."""
    if options.output is not None:
        kind = _KINDS.get(Path(options.output).suffix.lower())
        if kind is None:
            raise UsageError(f"--output {options.output}: the ending says what to write: {', '.join(_KINDS)}")
        setattr(options, kind, Path(options.output) if kind == "report" else options.output)
    options.database = getattr(options, "database", None) or read_settings().sqlite_db_path
    if options.json == STDOUT and options.csv == STDOUT:
        raise UsageError("--json and --csv cannot both go to stdout; give one of them a path")
    for flag, path in (("--json", options.json), ("--csv", options.csv), ("--report", options.report)):
        if path is not None and path != STDOUT:
            _check_file(flag, Path(path))
    if (metric := getattr(options, "metric", None)) is not None:
        from http_benchmark.statistics.metrics import find_metric

        find_metric(metric)
    if not options.no_save:
        from http_benchmark.storage.database import check_writable

        check_writable(Path(options.database))


def _check_file(flag: str, path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{flag} {path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UsageError(f"{flag} {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{flag} {path} cannot be written: permission denied")


def deliver(
    results: Sequence[BenchmarkResult], verdicts: Sequence[Verdict], options: argparse.Namespace
) -> int:
    """Print, keep and write what was measured; return the exit code, 1 when it is not where it was to be."""
    from http_benchmark.export.csv_form import write_csv
    from http_benchmark.export.json_form import dump
    from http_benchmark.report.table import print_results

    code, saved = (0, None) if options.no_save else _keep(results, options.database)
    written: list[str] = []
    if options.json is not None:
        code |= _write("json", options.json, lambda stream: stream.write(dump(results)), written)
    if options.csv is not None:
        code |= _write("csv", options.csv, lambda stream: write_csv(results, stream), written)
    report = None
    if options.report or not options.no_report:
        report, failed = _report(results, verdicts, options.report)
        code |= failed
    if STDOUT in {options.json, options.csv}:
        paths = {"report": report, "saved": saved}
        written = [f"{name}: {path}" for name, path in paths.items() if path is not None] + written
        print(*written, sep="\n", end="\n" if written else "", file=sys.stderr)
    else:
        print_results(results, verdicts, sys.stdout, report=report, saved=saved)
        for line in written:
            print(line)
    return code


def _keep(results: Sequence[BenchmarkResult], database: str) -> tuple[int, str | None]:
    from http_benchmark.export.fallback import keep

    kept = keep(results, database, sys.stderr)
    return kept.exit_code, database if kept.ids else None


def _write(kind: str, path: str, write: Callable[[TextIO], object], written: list[str]) -> int:
    """Write to a file or stdout; what fails is told, because the table is still to come."""
    from http_benchmark.report.writing import write_file

    if path == STDOUT:
        write(sys.stdout)
        return 0
    text = io.StringIO(newline="")
    write(text)
    try:
        write_file(path, text.getvalue().encode(errors="backslashreplace"))
    except OSError as error:
        print(f"http-benchmark: {path} could not be written: {error.strerror}", file=sys.stderr)
        return 1
    written.append(f"{kind}: {path}")
    return 0


def _report(
    results: Sequence[BenchmarkResult], verdicts: Sequence[Verdict], path: Path | None
) -> tuple[str | None, int]:
    """Write the report; return where it is and the exit code. One that was not asked for may be missing."""
    from http_benchmark.report.html import write_report

    target = path or _report_folder() / f"{time.strftime('%Y%m%d-%H%M%S')}-{results[0].id[:8]}.html"
    try:
        write_report(results, verdicts, target)
    except (MissingLibrary, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        print(f"http-benchmark: no report could be written: {said}", file=sys.stderr)
        return None, 1 if path else 0
    return str(target), 0


def _report_folder() -> Path:
    """Outside the working folder, into which nothing is written unasked."""
    try:
        home = os.environ.get("XDG_STATE_HOME") or (Path.home() / ".local" / "state")
        folder = Path(home) / "http-benchmark" / "reports"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no folder can be made, or there is no home at all
        folder = Path(tempfile.gettempdir())
    return folder
