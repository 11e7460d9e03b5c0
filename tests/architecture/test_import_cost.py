"""What an import costs: no third-party module, and at most 60 ms of the processor. Each measurement is a fresh interpreter."""

from __future__ import annotations

import json
import os
import pkgutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
CEILING_MS = 60.0
ROUNDS = 7

TIMED = """
import time
start = time.process_time()
{statement}
print((time.process_time() - start) * 1000)
"""

LOADED = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""

# Not for `import penstock`: who only imports it serves nothing and parses no command line.
HEAVY = {"argparse", "asyncio", "concurrent", "multiprocessing", "socket", "ssl", "tomllib"}


def run_fresh(code: str, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(statement: str) -> set[str]:
    return set(json.loads(run_fresh(LOADED.format(statement=statement))))


def every_module() -> list[str]:
    found = pkgutil.walk_packages([str(SOURCE / "penstock")], prefix="penstock.", onerror=lambda _: None)
    return ["penstock", *(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.mark.parametrize("statement", ["import penstock", "from penstock import App"])
def test_import_takes_60_ms_at_most(statement, tmp_path):
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    run_fresh(statement, **bytecode)  # writes it: an installed package has it

    # Of the processor's time, and the best of several: what other processes do on the machine only ever adds.
    times = [float(run_fresh(TIMED.format(statement=statement), **bytecode)) for _ in range(ROUNDS)]

    print(f"{statement}: best {min(times):.1f} ms, median {statistics.median(times):.1f} ms of {ROUNDS}")
    assert min(times) <= CEILING_MS


def test_import_penstock_loads_nothing_heavy():
    assert loaded_by("import penstock") & HEAVY == set()


def test_the_public_names_load_no_third_party_module():
    loaded = loaded_by("import penstock; [getattr(penstock, name) for name in penstock.__all__]")

    assert loaded - sys.stdlib_module_names == {"penstock"}


EACH = """
import importlib, json, sys
before, guilty = set(sys.modules), {{}}
for name in {names!r}:
    importlib.import_module(name)
    new, before = set(sys.modules) - before, set(sys.modules)
    guilty[name] = sorted({{one.partition(".")[0] for one in new}} - sys.stdlib_module_names - {{"penstock"}})
print(json.dumps({{name: modules for name, modules in guilty.items() if modules}}))
"""


def test_no_module_loads_a_third_party_module():
    # One interpreter for all of them, which tells what each one added.
    assert json.loads(run_fresh(EACH.format(names=every_module()))) == {}


def test_the_app_does_not_load_the_server():
    code = "import sys; from penstock import App; App(); print(*(n for n in sys.modules if n.startswith('penstock.server')))"

    assert run_fresh(code).strip() == ""
