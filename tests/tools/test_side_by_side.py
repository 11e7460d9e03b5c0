"""Tests in several processes, `make test`: each of them is as strict as one alone, and all name the tests alike."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
TESTS = """
import os, sys
import pytest

@pytest.mark.parametrize("letter", set("abcdefghijklmnop"))
def test_named_by_the_order_of_a_set(letter, worker_id):
    assert worker_id != "master"
    with pytest.raises(BytesWarning):
        b"a" == "a"
"""
ADDRESS = """
import pytest

@pytest.mark.parametrize("value", [object()], ids=repr)
def test_named_by_an_address(value): ...
"""


def run_pytest(folder: Path, tests: str, *words: str) -> str:
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = need_tool(*names): x\nfilterwarnings = error\n")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PYTHONHASHSEED"))
    }
    done = subprocess.run(
        [sys.executable, "-bb", "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist", *words],
        cwd=folder,
        env=kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout + done.stderr


def test_they_compare_octets_with_text_as_strictly(tmp_path):
    out = run_pytest(tmp_path, TESTS, "-n", "2")

    assert "16 passed" in out, out


@pytest.mark.parametrize("jobs", ["0", "2"])
def test_a_name_that_differs_in_each_process_is_refused(tmp_path, jobs):
    out = run_pytest(tmp_path, ADDRESS, "-n", jobs)

    assert "the name differs in each process; give the parameters `ids`" in out, out
