"""`penstock(...)` runs the command in a process of its own, in an empty folder, without settings around it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"


def make_environment(**variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return kept | {"PYTHONPATH": str(SOURCE), "COLUMNS": "100", "PYTHONWARNINGS": "error"} | variables


def start(folder, application, *words, **variables):
    """`penstock run` on the source text `application`, not waited for."""
    (folder / "shop.py").write_text(application)
    command = [sys.executable, "-bb", "-m", "penstock", "run", "shop:app", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        command, cwd=folder, env=make_environment(**{"PENSTOCK_LOG_FORMAT": "text"} | variables), **pipes
    )


@contextmanager
def running(folder, application, *words, **variables):
    """`start`, and wait until it is ready: the process, and the lines of its banner."""
    with start(folder, application, *words, **variables) as child:
        lines = []
        try:
            while not lines or "bounds" not in lines[-1]:
                line = child.stderr.readline()
                assert line, "".join(lines)
                lines.append(line)
            yield child, lines
        finally:
            child.kill()


def find_url(lines):
    return re.search(r"http://\S+", "".join(lines))[0]


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
