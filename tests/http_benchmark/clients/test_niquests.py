"""niquests brings another urllib3, so it is installed beside the environment, and used by processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from http_benchmark.clients.registry import doubt_about, find_adapter

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """The environment of a process that has niquests."""
    folder = str(tmp_path_factory.mktemp("niquests"))
    words = ["-m", "pip", "install", "--quiet", "--no-compile", "--target", folder, "niquests>=3,<4"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        verdict(f"niquests cannot be installed for this test: {done.stderr.strip()[-300:]}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return kept | {"PYTHONPATH": os.pathsep.join((folder, str(ROOT / "src"), str(ROOT)))}


def test_niquests_does_what_every_client_does(environment):
    # Without -bb: its HTTP/2 compares octets with text while it is imported.
    files = ["tests/http_benchmark/clients/test_clients.py", "tests/http_benchmark/clients/test_http2.py"]
    words = ["-m", "pytest", "-p", "no:cacheprovider", "-q", "-k", "niquests", *files]
    done = subprocess.run(
        [sys.executable, *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]
    assert "niquests" not in done.stdout  # nothing was skipped
    assert " passed" in done.stdout


def test_whose_figures_those_of_requests_and_urllib3_are_is_told(environment):
    done = subprocess.run(
        [sys.executable, "-m", "http_benchmark", "clients"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    said = "CAUTION: urllib3 is replaced by urllib3-future"
    assert (done.returncode, done.stderr, done.stdout.count(said)) == (0, "", 2)


@pytest.mark.parametrize("name", ["requests", "urllib3"])
def test_without_it_there_is_nothing_to_tell(name):
    assert doubt_about(find_adapter(name)) == ""
