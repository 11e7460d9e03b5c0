"""The command line, the same for one benchmark and for all."""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Options, Report, write_reports

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = (
    "head",
    "serialise",
    "trace",
    "access_log",
    "routing",
    "many_routes",
    "plan",
    "redaction",
    "hooks",
    "validation",
    "request_path",
    "compression",
    "cache",
    "import_time",
    "cold_start",
    "memory",
    "metrics",
    "files",
    "multipart",
    "many_clients",
    "websocket",
    "observing",
    "servers",
    "injection",
    "tls",
    "rightness_clients",
    "rightness_engine",
    "rightness_load",
    "rightness_monitor",
    "rightness_servers",
    "rightness_targets",
)
"""Each a module with `measure(options) -> Report`."""


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main(names: Sequence[str] = ()) -> int:
    """Run the benchmarks named, by the caller or on the command line, and print one table.

    Return 1 when one of them measured nothing.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks{''.join(f'.{name}' for name in names)}",
        description="Measures Penstock, and whichever peers are installed.",
    )
    if not names:
        parser.add_argument(
            "names",
            nargs="*",
            choices=[[], *NAMES],
            metavar="NAME",
            help=f"one of {', '.join(NAMES)}; all of them",
        )
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works")
    parser.add_argument(
        "--peers", type=Path, metavar="DIR", help="virtual environment in which peers are installed"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)  # so that servers under test are ended
    options = Options(given.quick, given.peers)
    reports: dict[str, Report] = {}
    for name in names or given.names or NAMES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        reports[name] = import_module(f"benchmarks.{name}").measure(options)
    write_reports(reports, sys.stdout)
    return 0 if all(report.figures for report in reports.values()) else 1
