"""The public names are pinned: a new one is a decision, a lost one breaks users."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import http_benchmark

ROOT = Path(__file__).resolve().parents[2]

PUBLIC = {
    "BenchmarkConfiguration",
    "BenchmarkError",
    "BenchmarkResult",
    "BenchmarkRunner",
    "Histogram",
    "MissingLibrary",
    "NothingMeasured",
    "Progress",
    "ResultStorage",
    "StorageError",
    "UsageError",
    "compare_results",
    "measure_in_turns",
}


def test_the_public_names_are_these():
    assert set(http_benchmark.__all__) == PUBLIC
    assert len(http_benchmark.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_can_be_had_and_is_listed(name):
    assert getattr(http_benchmark, name) is not None
    assert name in dir(http_benchmark)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = http_benchmark.no_such_name


def test_importing_it_imports_nothing_else_of_it():
    code = "import http_benchmark, sys; print(*(n for n in sys.modules if n.startswith('http_benchmark.')))"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
