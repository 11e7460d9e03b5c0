"""What `import penstock` costs: wall time in a fresh process beyond that of a bare interpreter, and what else
it loads.

Bare and importing processes alternate. Where others use the machine too, their CPU time says more than the
wall clock. "every public name" also loads what the package defers until a name is used.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise

_ROUNDS = 25
_QUICK_ROUNDS = 3
STATEMENTS = {
    "import penstock": "import penstock",
    "every public name": "from penstock import *",
    "the server": "from penstock.server.serve import Server",
}
_LIST_NEW = """
import sys; before = set(sys.modules)
{statement}
known = sys.stdlib_module_names | {{'penstock', '__mp_main__'}}  # the last is another name of __main__
print(*(name for name in set(sys.modules) - before if name.partition('.')[0] not in known))
"""


def _environment() -> dict[str, str]:
    import penstock

    return os.environ | {"PYTHONPATH": str(Path(penstock.__file__).parent.parent)}


class Cost(NamedTuple):
    """What a process took from start to end."""

    wall_ms: float
    cpu_ms: float


def _run(statement: str) -> Cost:
    cpu_s = _children_s()
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], env=_environment(), check=True)
    return Cost((time.perf_counter() - started) * 1e3, (_children_s() - cpu_s) * 1e3)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def third_party_modules(statement: str) -> list[str]:
    """Return the modules a statement loads that are neither the standard library's nor ours."""
    program = _LIST_NEW.format(statement=statement)
    found = subprocess.run(
        [sys.executable, "-c", program], env=_environment(), check=True, capture_output=True, text=True
    )
    return sorted(found.stdout.split())


def measure(options: Options) -> Report:
    """Time each statement, and name what it should not load."""
    samples: dict[str, list[Cost]] = {name: [] for name in STATEMENTS}
    for statement in STATEMENTS.values():
        _run(statement)  # writes the .pyc files
    for _ in range(_QUICK_ROUNDS if options.is_quick else _ROUNDS):
        for name, statement in STATEMENTS.items():
            bare, whole = _run("pass"), _run(statement)
            samples[name].append(Cost(whole.wall_ms - bare.wall_ms, whole.cpu_ms - bare.cpu_ms))
    figures = []
    for name, costs in samples.items():
        figures.append(summarise(name, "penstock", [cost.wall_ms for cost in costs], "ms"))
        figures.append(summarise(name, "penstock", [cost.cpu_ms for cost in costs], "ms CPU"))
    for name, statement in STATEMENTS.items():
        count = len(third_party_modules(statement))
        figures.append(Figure(name, "penstock", count, count, count, "third-party modules"))
    return Report(figures)


if __name__ == "__main__":
    sys.exit(main(["import_time"]))
