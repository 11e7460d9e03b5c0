"""`penstock(...)` runs the command in a process of its own, in an empty folder, without settings around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"


def make_environment(**variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return kept | {"PYTHONPATH": str(SOURCE), "COLUMNS": "100", "PYTHONWARNINGS": "error"} | variables


@pytest.fixture
def penstock(tmp_path):
    """`penstock("check", PENSTOCK_PORT="1")`: the finished process, its output as text."""

    def run(*words, **variables):
        return subprocess.run(
            [sys.executable, "-bb", "-m", "penstock", *words],
            cwd=tmp_path,
            env=make_environment(**variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory for a command run in this process, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("PENSTOCK_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if not name.startswith("penstock"):
            del sys.modules[name]
