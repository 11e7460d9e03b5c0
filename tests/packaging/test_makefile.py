"""The verbs of the Makefile on a machine that has little: python3, make, and perhaps no ensurepip."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20


def environment(**extra: str) -> dict[str, str]:
    """Without what a `make` around this test hands down: its variables would overrule ours."""
    handed_down = ("MAKE", "MFLAGS", "PYTHON", "VENV", "HOST", "PORT", "ARGS", "JOBS")
    return {name: value for name, value in os.environ.items() if not name.startswith(handed_down)} | extra


def make(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        env=environment(**extra),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


@pytest.fixture
def without_ensurepip(tmp_path: Path) -> str:
    """A folder that, on PYTHONPATH, makes python as Debian ships it without python3-venv."""
    folder = tmp_path / "lacking"
    folder.mkdir()
    (folder / "ensurepip.py").write_text("raise ModuleNotFoundError(__name__)\n")
    return str(folder)


pytestmark = pytest.mark.need_tool("make")


def test_run_serves_the_demo_with_nothing_installed_and_ends_with_make():
    port = free_port()
    command = ["make", "run", f"PYTHON={sys.executable} -S", f"PORT={port}"]  # -S: no site-packages

    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        end = time.monotonic() + DEADLINE_S
        while not (served := answers(port)) and child.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        child.terminate()
        said = child.communicate(timeout=DEADLINE_S)[1]

    assert served, said
    assert not answers(port)


def test_without_ensurepip_test_says_the_one_command_that_mends_it(without_ensurepip, tmp_path):
    venv = tmp_path / "venv"

    done = make("test", f"PYTHON={sys.executable}", f"VENV={venv}", PYTHONPATH=without_ensurepip)

    version = "{}.{}".format(*sys.version_info)
    commands = [line.strip() for line in done.stderr.splitlines() if line.startswith("    ")]
    assert done.returncode != 0
    assert [command.removeprefix("sudo ") for command in commands] == [f"apt install python{version}-venv"]
    assert not venv.exists()


def test_a_folder_that_is_no_environment_stays_untouched(tmp_path):
    (tmp_path / "precious").write_text("")

    done = make("test", f"PYTHON={sys.executable}", f"VENV={tmp_path}")
    cleaned = make("--dry-run", "clean", f"VENV={tmp_path}")

    assert done.returncode != 0
    assert "stays untouched" in done.stderr
    assert f"if [ -f {tmp_path}/pyvenv.cfg ]" in cleaned.stdout
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize("verb", ["run", "test", "bench"])
def test_a_python_that_is_absent_is_named(verb, tmp_path):
    done = make(verb, "PYTHON=no-such-python", f"VENV={tmp_path / 'venv'}")

    assert done.returncode != 0
    assert "no-such-python is absent or older than 3.11" in done.stderr
    assert "Traceback" not in done.stderr
