from __future__ import annotations

import getpass
import json
import os
import platform
import shutil
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from http_benchmark.storage.environment import differences, look_at_environment

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    (folder / "file").write_text("1")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*GIT, *words], check=True, timeout=30)
    return folder


def test_it_says_what_the_machine_and_the_interpreter_are():
    found = look_at_environment(["pytest", "", "no-such-library"])

    assert found["cpu_count"] == os.cpu_count()
    assert found["cpus_usable"] == len(os.sched_getaffinity(0))
    assert found["cpu_model"]
    assert found["kernel"] == f"Linux {os.uname().release}"
    assert found["python"] == platform.python_version()
    assert found["has_gil"] is True
    assert found["libraries"] == {"pytest": version("pytest"), "no-such-library": None}
    assert len(found["load_average"]) == 3
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found["memory_mb"] == pytest.approx(pages / 10**6, rel=0.05)
    assert 0 < found["memory_available_mb"] <= found["memory_mb"]


def test_it_says_nothing_of_who_and_where():
    text = json.dumps(look_at_environment(["pytest"]))

    assert json.loads(text) == look_at_environment(["pytest"]) | {
        key: value
        for key, value in json.loads(text).items()
        if key in {"load_average", "memory_available_mb"}
    }
    for secret in {socket.gethostname(), str(Path.cwd()), str(Path.home())} - {"localhost", "/"}:
        assert secret not in text
    if len(getpass.getuser()) > 4:
        assert getpass.getuser() not in text


@pytest.mark.need_tool("git")
def test_it_knows_the_revision_and_whether_files_differ(repository):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()

    found = look_at_environment()
    assert (found["git_revision"], found["git_is_changed"]) == (head, False)

    (repository / "unknown").write_text("")  # as the database itself is
    assert look_at_environment()["git_is_changed"] is False
    (repository / "file").write_text("2")
    assert look_at_environment()["git_is_changed"] is True


@pytest.mark.need_tool("git")
def test_it_starts_nothing_a_repository_names(repository):
    script = repository.parent / "started"
    subprocess.run(["git", "config", "core.fsmonitor", f"touch {script}; false"], check=True, timeout=30)

    look_at_environment()

    assert not script.exists()


def test_without_git_and_outside_of_a_repository_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert look_at_environment()["git_revision"] is None

    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("git") is None
    found = look_at_environment()
    assert (found["git_revision"], found["git_is_changed"]) == (None, None)


def test_differences_are_told_and_what_changes_anyway_is_not():
    before = {
        "cpu_model": "A",
        "load_average": [0],
        "git_revision": "a",
        "libraries": {"x": "1", "y": "1", "z": None},
    }
    after = {
        "cpu_model": "B",
        "load_average": [5],
        "git_revision": "b",
        "libraries": {"x": "2", "y": "1"},
        "kernel": "K",
    }

    assert differences(before, after) == ["cpu model was A and is B", "x was 1 and is 2"]
    assert differences(before, before) == differences({}, after) == []
