"""The command `http-benchmark`, also `python -m http_benchmark` and `python -m http_benchmark.cli`.

Two forms: a subcommand, each a module here with `describe(parser)` and `run(options)`; and the flat one
(`measure.py`), which measures client libraries. Results go to stdout, all else to stderr. Exit codes: 0; 1
when nothing was measured, kept or a gate is shut; 2 when the call cannot be meant; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from http_benchmark.errors import BenchmarkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final[dict[str, str]] = {
    "load": "load a server with raw requests over many connections",
    "report": "write a page or pictures of results that are kept",
    "compare": "compare results that were kept: is the difference more than noise?",
    "serve": "serve the httpbin-compatible target, alone or behind nginx",
    "history": "list what was measured so far, and tell whether the latest is out of the ordinary",
    "show": "show all of one stored result",
    "gate": "compare a result with its baseline, for CI: shut on a regression",
    "servers": "measure servers beside each other: started, checked, loaded in turns",
    "clients": "list the client libraries that can be measured here, and how they are made equal",
}
"""Subcommand (a module of this folder) -> what it does, in one line."""

PROGRAM: Final = "http-benchmark"


class Parser(argparse.ArgumentParser):
    """One whose errors are one line, as all others of this command."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one call and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    _open_closed_streams()
    try:
        try:
            return _run(words)
        finally:
            sys.stdout.flush()  # here, where it can be said: at exit it is too late
    except BenchmarkError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        with suppress(OSError):
            sys.stderr.close()
        _give_up_stdout()
        return 1
    except OSError as error:
        _give_up_stdout()
        named = f"{error.filename}: " if error.filename else ""
        print(f"{PROGRAM}: {named}{error.strerror or error}", file=sys.stderr)
        return 1


def _run(words: Sequence[str]) -> int:
    name = _subcommand(words)
    if name is None:
        from http_benchmark.cli import measure

        return measure.run(measure.make_parser(COMMANDS).parse_args(words))
    module = import_module(f"http_benchmark.cli.{name}")
    parser = Parser(prog=f"{PROGRAM} {name}", description=COMMANDS[name], allow_abbrev=False)
    module.describe(parser)
    return int(module.run(parser.parse_args(words[1:], argparse.Namespace(words=words))))


def _open_closed_streams() -> None:
    """Have somewhere to print to: without stderr, print(file=None) would mix errors into results."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # open until the end
            setattr(sys, name, nowhere)


def _give_up_stdout() -> None:
    """Have the interpreter not try at exit to write what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _subcommand(words: Sequence[str]) -> str | None:
    """Return the subcommand a call is meant for; None for the flat form."""
    if not words or words[0].startswith("-"):
        return None
    if words[0] in COMMANDS:
        return words[0]
    close = get_close_matches(words[0], COMMANDS, 1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}."
    raise UsageError(f"no subcommand {words[0]!r}; {meant} (A URL to measure goes behind --url.)")
