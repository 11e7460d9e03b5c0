"""The wheel, as a user gets it: built, installed into an empty environment, and run from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", "src")

pytest.importorskip("setuptools", reason="the build back end; `make test` installs it")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Away from the source tree: neither the folder nor the environment may lend its modules."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PENSTOCK_", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source / name)

    done = run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", folder, source),
        cwd=folder,
    )

    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    made = run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    assert made.returncode == 0, made.stderr
    done = run(
        *(sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python"),
        *("install", "--quiet", "--no-index", "--no-deps", wheel),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder / "venv" / "bin"


def test_the_wheel_is_pure_and_named(wheel):
    assert wheel.name == "penstock-0.1.0-py3-none-any.whl"


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert tops == {"penstock", "http_benchmark", "penstock-0.1.0.dist-info"}


def test_the_wheel_holds_every_module_the_pages_the_licence_and_the_typing_marks(wheel):
    source = {str(p.relative_to(ROOT / "src")) for p in (ROOT / "src").rglob("*.py")}
    for folder in ("penstock/app/docs/files", "http_benchmark/report/files"):
        source |= {f"{folder}/{p.name}" for p in (ROOT / "src" / folder).iterdir()}
    source.add("http_benchmark/export/result.schema.json")

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert source - names == set()
    assert {"penstock/py.typed", "http_benchmark/py.typed"} <= names
    assert "penstock-0.1.0.dist-info/licenses/LICENSE" in names


def test_the_wheel_requires_nothing(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("penstock-0.1.0.dist-info/METADATA").decode()

    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert [line for line in required if "extra ==" not in line] == []
    assert "Requires-Python: >=3.11" in metadata


@pytest.mark.parametrize("command", [["penstock"], ["python", "-m", "penstock"]])
def test_penstock_runs_from_the_wheel(installed, tmp_path, command):
    done = run(installed / command[0], *command[1:], "--version", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "0.1.0" in done.stdout


@pytest.mark.parametrize("command", [["http-benchmark"], ["python", "-m", "http_benchmark"]])
def test_http_benchmark_runs_from_the_wheel(installed, tmp_path, command):
    done = run(installed / command[0], *command[1:], "--version", cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "http-benchmark 0.1.0\n", "")


def test_the_installed_package_is_the_one_in_the_environment(installed, tmp_path):
    code = "import penstock; print(penstock.__file__); print(*map(repr, [penstock.App, penstock.Response]))"

    done = run(installed / "python", "-c", code, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed.parent))


def test_the_installed_command_makes_a_project(installed, tmp_path):
    done = run(installed / "penstock", "new", "shop", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    listed = run(installed / "penstock", "routes", "shop.web:app", cwd=tmp_path / "shop")
    assert "Notes.create" in listed.stdout, listed.stderr
