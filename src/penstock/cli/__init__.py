"""The command `penstock`: `run`, `dev`, `routes`, `openapi`, `static`, `ctl`, `top`, `health`, `check`.

Only arguments are dealt with here; what a command does lies in `server` and `app`. A mistake on the command
line, in a setting or in the application at start-up is one line on stderr, `penstock: error: ...`, and exit
code 2, never a traceback. Imports stand where they are used: `penstock --version` pays for nothing else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError, ConfigError, MissingExtra, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

UNREACHABLE = 1
MISTAKE = 2  # argparse's code for a wrong command line
INTERRUPTED = 130  # 128 + SIGINT, what shells make of it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments`, by default the process's own; the result is the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(words)
    except (ApplicationError, ConfigError, MissingExtra, ServerUnreachable) as error:
        lines = (line.strip() for line in str(error).splitlines())
        print("penstock: error:", "; ".join(line for line in lines if line), file=sys.stderr)
        return UNREACHABLE if isinstance(error, ServerUnreachable) else MISTAKE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `penstock routes app:app | head`
        return _leave_broken_pipe()


def _run(words: list[str]) -> int:
    if words in (["--version"], ["-V"]):
        from penstock import __version__

        print(f"penstock {__version__}")
        return 0
    if words[:1] == ["health"]:
        from penstock.cli.health import main as ask_health

        return ask_health(words[1:])
    from penstock.cli.parser import parse

    options = parse(words)
    code: int = options.command(options)
    sys.stdout.flush()  # here, where a closed pipe can still be answered
    return code


def _leave_broken_pipe() -> int:
    import os

    os.dup2(
        os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
    )  # the interpreter flushes once more at exit
    return 0
