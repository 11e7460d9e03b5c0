"""What `import penstock` costs: wall time in a fresh process beyond that of a bare interpreter, and what else
it loads.

Bare and importing processes alternate. "every public name" also loads what the package defers until a name
is used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.command import main
from benchmarks.report import Options, Report
from benchmarks.timing import Figure, summarise

_ROUNDS = 25
_QUICK_ROUNDS = 3
STATEMENTS = {
    "import penstock": "import penstock",
    "every public name": "from penstock import *",
    "the server": "from penstock.server.serve import serve",
}
_LIST_NEW = """
import sys; before = set(sys.modules)
{statement}
known = sys.stdlib_module_names | {{'penstock'}}
print(*(name for name in set(sys.modules) - before if name.partition('.')[0] not in known))
"""


def _environment() -> dict[str, str]:
    import penstock

    return os.environ | {"PYTHONPATH": str(Path(penstock.__file__).parent.parent)}


def _time_ms(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], env=_environment(), check=True)
    return (time.perf_counter() - started) * 1e3


def third_party_modules(statement: str) -> list[str]:
    """Return the modules a statement loads that are neither the standard library's nor ours."""
    program = _LIST_NEW.format(statement=statement)
    found = subprocess.run(
        [sys.executable, "-c", program], env=_environment(), check=True, capture_output=True, text=True
    )
    return sorted(found.stdout.split())


def measure(options: Options) -> Report:
    """Time each statement, and name what it should not load."""
    samples_ms: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for statement in STATEMENTS.values():
        _time_ms(statement)  # writes the .pyc files
    for _ in range(_QUICK_ROUNDS if options.is_quick else _ROUNDS):
        for name, statement in STATEMENTS.items():
            bare_ms = _time_ms("pass")
            samples_ms[name].append(_time_ms(statement) - bare_ms)
    figures = [summarise(name, "penstock", samples, "ms") for name, samples in samples_ms.items()]
    for name, statement in STATEMENTS.items():
        count = len(third_party_modules(statement))
        figures.append(Figure(name, "penstock", count, count, count, "third-party modules"))
    return Report(figures)


if __name__ == "__main__":
    sys.exit(main(["import_time"]))
