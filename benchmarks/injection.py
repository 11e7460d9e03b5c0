"""A handler and five dependencies, two of them with `yield`, beside the same in FastAPI.

The functions are the same in both, once all `async def` and once all `def`. Measured as `servers` measures:
each server alone on one processor, the load on another, in turns.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.servers import measure_workloads
from benchmarks.subjects import INJECTION

if TYPE_CHECKING:
    from benchmarks.report import Options, Report


def measure(options: Options) -> Report:
    """Run both kinds, and those of FastAPI if it is there."""
    return measure_workloads(options, (INJECTION,))


if __name__ == "__main__":
    sys.exit(main(["injection"]))
