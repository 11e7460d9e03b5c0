"""The command `http-benchmark`: argument parsing only.

It measures nothing yet, and says so: whatever is asked of it but `--help` and `--version` ends with exit
code 2, so that no script takes an empty answer for a measurement.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_YET = "measurements arrive in a later version; this one answers --help and --version only"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of one call: 0 after `--help` or `--version`, else 2 and one line on stderr."""
    from penstock import __version__

    parser = argparse.ArgumentParser(
        prog="http-benchmark",
        description=f"Measure HTTP clients and servers, with how sure the result is. {NOT_YET.capitalize()}.",
    )
    parser.add_argument("--version", action="version", version=f"http-benchmark {__version__}")
    parser.parse_known_args(argv)
    print(f"http-benchmark: {NOT_YET}", file=sys.stderr)
    return 2
