"""`penstock new`: what it makes works, and it makes nothing where something is."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import urllib.request

import pytest

from penstock.cli.new import make_project
from penstock.errors import ConfigError
from tests.e2e.serving import environment, serving


def penstock(*words, cwd):
    return subprocess.run(
        [sys.executable, "-bb", "-m", "penstock", *words],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("projects")
    done = penstock("new", "web-shop", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "penstock dev web_shop.web:app" in done.stdout
    return folder / "web-shop"


def test_its_tests_pass(project):
    done = subprocess.run(
        [sys.executable, "-bb", "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env=environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


def test_it_serves_with_the_settings_of_its_file_and_environment(project):
    with serving("web_shop.web:app", cwd=project, WEB_SHOP_GREETING="Hello.") as server:
        with urllib.request.urlopen(f"{server.url}/", timeout=30) as reply:
            assert json.load(reply) == {"name": "web-shop", "greeting": "Hello."}
        asked = urllib.request.Request(
            f"{server.url}/notes", b'{"text": "milk"}', {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=30) as reply:
            assert (reply.status, json.load(reply)) == (201, {"note_id": 1, "text": "milk"})
        assert "drain 20 s" in server.log


def test_a_wrong_setting_is_one_line(project):
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "check", "web_shop.web:app"],
        cwd=project,
        env=environment() | {"WEB_SHOP_NOTES_LIMIT": "none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert "WEB_SHOP_NOTES_LIMIT: expected an integer" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_its_files_say_its_name_and_none_has_a_mark_left(project):
    written = {
        path.relative_to(project).as_posix(): path.read_text()
        for path in project.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert sorted(written) == [
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "penstock.toml",
        "pyproject.toml",
        "tests/test_web.py",
        "web_shop/__init__.py",
        "web_shop/notes.py",
        "web_shop/settings.py",
        "web_shop/web.py",
    ]
    assert not [name for name, text in written.items() if re.search(r"@\w+@|\.tmpl", text)]
    declared = tomllib.loads(written["pyproject.toml"])
    assert declared["project"]["name"] == "web-shop"
    assert declared["tool"]["setuptools"]["packages"] == ["web_shop"]


def test_the_container_is_built_of_files_there_are_and_runs_as_nobody_special(project):
    lines = project.joinpath("Dockerfile").read_text().splitlines()
    ignored = project.joinpath(".dockerignore").read_text().splitlines()
    copied = [shlex.split(line)[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]

    assert all(project.joinpath(name).exists() for names in copied for name in names)
    assert all(f"!{name}" in ignored for names in copied for name in names)
    assert sum(line.startswith("FROM") for line in lines) == 2
    assert "USER 10001" in lines
    command = json.loads(lines[-1].removeprefix("CMD "))
    assert command[:3] == ["penstock", "run", "web_shop.web:app"]


def test_the_probe_of_the_container_asks_the_server_in_it(project, tmp_path):
    text = project.joinpath("Dockerfile").read_text()
    variables = dict(re.findall(r"(PENSTOCK_\w+)=(\S*)", text))
    probe = json.loads(re.search(r"HEALTHCHECK .* CMD (\[.*\])", text)[1])
    assert variables == {"PENSTOCK_RELEASE": "$RELEASE", "PENSTOCK_ADMIN": "127.0.0.1:9100"}
    inside = {
        "PENSTOCK_RELEASE": "",
        "PENSTOCK_ADMIN": f"unix:{tmp_path}/admin.sock",
    }  # no port that others use

    def ask():
        words = [sys.executable, "-m", *probe]
        done = subprocess.run(
            words, env=environment() | inside, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout

    with serving("web_shop.web:app", cwd=project, **inside):
        ready = ask()
    gone = ask()

    assert ready == (0, "ready: 200 ok\n")
    assert gone[0] == 1


def test_what_is_there_is_left_alone(tmp_path):
    tmp_path.joinpath("shop").mkdir()
    tmp_path.joinpath("shop", "mine.txt").write_text("mine")

    done = penstock("new", "shop", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("penstock: error: 'shop' is there already")
    assert [path.name for path in tmp_path.rglob("*")] == ["shop", "mine.txt"]


def test_a_file_of_the_name_is_left_alone(tmp_path):
    tmp_path.joinpath("shop").write_text("mine")

    with pytest.raises(ConfigError, match="there already"):
        make_project("shop", tmp_path)
    assert tmp_path.joinpath("shop").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        *("", "Shop", "1shop", "shop!", "../shop", "a/b", "/tmp/x", ".", "shop.py", "-shop", "shop-", "a--b"),
        *("import", "json", "penstock", "tests", "test", "café", "x" * 41),
    ],
)
def test_a_bad_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError):
        make_project(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot make the directory"):
        make_project("shop", tmp_path / "none")


def test_nothing_is_left_when_the_disk_is_full(tmp_path, monkeypatch):
    from pathlib import Path

    written = []

    def full(path, *args, **kwargs):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_text", full)

    with pytest.raises(ConfigError, match="No space left"):
        make_project("shop", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("new",), "new what? Name the project: penstock new shop"),
        (("new", "a", "b"), "unexpected argument 'b'"),
        (("new", "a", "--port", "80"), "unknown flag '--port'"),
    ],
)
def test_a_wrong_command_line_is_one_line(tmp_path, words, told):
    done = penstock(*words, cwd=tmp_path)

    assert done.returncode == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []
