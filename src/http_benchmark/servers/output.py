"""Where figures of servers go: a table on stdout, files, a page, a database."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from http_benchmark.errors import StorageError, UsageError
from http_benchmark.servers.figures import figures_of, results_of, warnings_of
from http_benchmark.servers.page import section, update_page
from http_benchmark.servers.table import left_out, legend, text_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from http_benchmark.measurement.result import BenchmarkResult
    from http_benchmark.servers.figures import Figures
    from http_benchmark.servers.load_process import Load
    from http_benchmark.servers.rounds import Measured

STDOUT: Final = "-"
_MANY: Final = 5


def print_tables(found: Mapping[str, Sequence[Measured]], stream: TextIO) -> None:
    """Write a table for each workload, what it means and what makes it doubtful."""
    for number, (workload, measured) in enumerate(found.items()):
        if number:
            stream.write("\n")
        if len(found) > 1:
            stream.write(f"{workload}\n")
        figures = figures_of(measured)
        lines = text_table(figures) if figures else []
        if len(figures) > 1:
            lines += ["", legend(figures[0].name), *sentences_of(figures)]
        lines += [f"warning: {text}" for text in warnings_of(figures)]
        lines += [f"left out: {line}" for line in left_out(measured)]
        stream.writelines(f"{line}\n" for line in lines)


def sentences_of(figures: Sequence[Figures]) -> list[str]:
    """Return each comparison of rates in plain English; of many none, for the table says as much."""
    verdicts = [each.rate_verdict for each in figures if each.rate_verdict is not None]
    return [verdict.sentence for verdict in verdicts] if len(verdicts) <= _MANY else []


def write_all(
    found: Mapping[str, Sequence[Measured]],
    load: Load,
    options: argparse.Namespace,
    *,
    command: str,
    environment: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> int:
    """Write whatever the options ask for; return the exit code. `warnings` are of the machine."""
    from http_benchmark.export.csv_form import write_csv
    from http_benchmark.export.json_form import dump

    results = [
        result
        for measured in found.values()
        for result in results_of(measured, load, options.generator, environment, warnings)
    ]
    date = datetime.now(UTC).date().isoformat()
    pages = {
        workload: section(
            measured, load, command=command, date=date, environment=environment, warnings=warnings
        )
        for workload, measured in found.items()
    }
    if STDOUT not in {options.json, options.csv, options.markdown}:
        print_tables(found, sys.stdout)
        print(*(f"warning: {text}" for text in warnings), sep="\n", end="\n" if warnings else "")
    code = _keep(results, options.output) if options.output else 0
    if options.json:
        with _open(options.json) as stream:
            stream.write(dump(results))
    if options.csv:
        with _open(options.csv) as stream:
            write_csv(results, stream)
    if options.markdown:
        with _open(options.markdown) as stream:
            stream.write("\n\n".join(f"## {name}\n{text}" for name, text in pages.items()) + "\n")
    if options.update:
        update_page(options.update, pages)
    return code


def check_paths(options: argparse.Namespace) -> None:
    """Say what could not be written, before anything is measured."""
    given = [options.json, options.csv, options.markdown, options.output]
    if given[:3].count(STDOUT) > 1:
        raise UsageError("only one of --json, --csv and --markdown can go to stdout; give the others a path")
    for path in (Path(each) for each in given if each not in {None, STDOUT}):
        if path.is_dir():
            raise UsageError(f"{path} cannot be written: it is a folder")
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")


def _keep(results: Sequence[BenchmarkResult], database: str) -> int:
    from http_benchmark.export.fallback import keep

    return keep(results, database, sys.stderr).exit_code


def _open(path: str) -> AbstractContextManager[TextIO]:
    if path == STDOUT:
        return nullcontext(sys.stdout)
    try:
        return Path(path).open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None
