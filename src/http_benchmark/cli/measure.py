"""The flat form of the command: client libraries against a URL."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from http_benchmark.cli import Parser
from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_parser(commands: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser of the flat form, whose help names the subcommands too."""
    from penstock import __version__

    listed = "".join(f"\n  {name:10} {text}" for name, text in commands.items())
    parser = Parser(
        prog="http-benchmark",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure HTTP clients and servers, and say how sure the result is.",
        epilog=f"subcommands: {{{','.join(commands)}}}{listed}" if commands else None,
    )
    parser.add_argument("--version", action="version", version=f"http-benchmark {__version__}")
    return parser


def run(_options: argparse.Namespace) -> int:
    """Measure and return the exit code."""
    raise UsageError("clients cannot be measured yet")
