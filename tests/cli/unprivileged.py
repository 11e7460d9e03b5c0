"""Servers that root starts for another user: a folder everybody can read, and a Python everybody can run.

Interpreters below root's home are out of reach for the user nobody; then the system's own takes their place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import SOURCE, make_environment

USER = "nobody"
APPLICATION = """
import os
from penstock import App

app = App()

def try_to_return():
    for call in (os.setuid, os.seteuid, os.setgid):
        try:
            call(0)
        except PermissionError:
            continue
        return True
    return False

imported_by = os.getuid()

@app.get("/")
def who() -> dict:
    return {
        "users": os.getresuid(), "groups": os.getresgid(), "more": sorted(os.getgroups()),
        "imported_by": imported_by, "returns": try_to_return(), "home": os.environ["HOME"],
        "parent": os.stat(f"/proc/{os.getppid()}").st_uid,
    }
"""


def is_public(path):
    """Whether everybody may go there."""
    return all(part.stat().st_mode & 0o005 == 0o005 for part in [*Path(path).resolve().parents])


def find_python():
    """An interpreter that every user can run; the test skips without one, and fails under CI=true."""
    for name in (sys.executable, "/usr/bin/python3"):
        asks = "import sys, logging; print(sys.version_info >= (3, 11), logging.__file__)"
        if shutil.which(name):
            done = subprocess.run([name, "-c", asks], capture_output=True, text=True, check=True)
            is_new, _, library = done.stdout.strip().partition(" ")
            if is_new == "True" and is_public(library) and is_public(name):
                return name
    return give_up("there is no Python 3.11 that the user nobody can run")


def give_up(reason):
    verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    return verdict(reason)


@contextmanager
def public_folder():
    """A folder that everybody can read, with the package in it."""
    if os.geteuid() != 0:
        give_up("only root can become another user")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        shutil.copytree(
            SOURCE / "penstock", folder / "penstock", ignore=shutil.ignore_patterns("__pycache__")
        )
        yield folder


def run(folder, *words, **options):
    """The finished command."""
    return subprocess.run(
        [find_python(), "-bb", "-m", "penstock", *words],
        cwd=folder,
        env=make_environment(PYTHONPATH=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@contextmanager
def serving(folder, *words, application=APPLICATION, **options):
    """A server that runs inside the block: the process, and its URL."""
    (folder / "shop.py").write_text(application)
    command = [find_python(), "-bb", "-m", "penstock", "run", "shop:app", "--port", "0", *words]
    environment = make_environment(PYTHONPATH=str(folder), PENSTOCK_LOG_FORMAT="text")
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, **options
    ) as child:
        lines = []
        try:
            while not lines or "bounds" not in lines[-1]:
                line = child.stderr.readline()
                assert line, "".join(lines)
                lines.append(line)
            yield child, re.search(r"https?://[^\s,]+", "".join(lines))[0]
            child.terminate()
            child.wait(30)
        finally:
            child.kill()


def ask(url, **options):
    from urllib.request import urlopen

    with urlopen(url, timeout=20, **options) as reply:
        return json.loads(reply.read())
