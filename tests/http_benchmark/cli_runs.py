"""Running the command as its users do: a process of its own, in an empty folder, with an environment that is known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def environment(folder, **more):
    """That of a user who has set nothing; `folder` is where reports go."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HTTP_BENCHMARK_")}
    return (
        kept
        | {"PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1"}
        | more
    )


def run(folder, *words, code=None, timeout=120, **more):
    """Run `http-benchmark WORDS` in the folder; `code` is the exit code it must have."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "http_benchmark.cli", *words],
        cwd=work,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert code is None or done.returncode == code, (
        f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return Ran(done.returncode, done.stdout, done.stderr)
