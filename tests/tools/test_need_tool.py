"""`need_tool`, as a test file elsewhere would use it, in a run of pytest of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

TESTS = """
import pytest

@pytest.mark.need_tool("sh", "no-such-command")
def test_marker(): ...

def test_fixture(need_tool):
    need_tool("no-such-command")

def test_present(need_tool):
    assert need_tool("sh").endswith("/sh")
"""


def run_pytest(folder: Path, **environment: str) -> str:
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers = need_tool(*names): x\naddopts = -ra --strict-markers\n"
    )
    clean = {
        name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_an_absent_tool_skips_and_says_so(tmp_path):
    out = run_pytest(tmp_path)

    assert "1 passed, 2 skipped" in out
    assert "the command 'no-such-command' is not installed" in out


def test_an_absent_tool_fails_under_ci(tmp_path):
    out = run_pytest(tmp_path, CI="true")

    assert "1 passed" in out
    assert "skipped" not in out
    assert out.count("Failed: the command 'no-such-command' is not installed") >= 2
