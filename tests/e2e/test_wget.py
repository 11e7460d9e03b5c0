"""wget, which speaks to a server in its own way: keep-alive, HEAD with --spider, --content-on-error."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.app import LARGE


@pytest.fixture
def wget(need_tool, server, tmp_path):
    """`wget("-S", "/path")`: the finished process."""

    def run(*words):
        command = [need_tool("wget"), "--no-config", "--tries=1", "--timeout=30", "-q", "-O", "-"]
        command += [server.url + word if word.startswith("/") else word for word in words]
        return subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=tmp_path)

    return run


@pytest.mark.parametrize(
    ("path", "content"), [("/", b"Hello, World!"), ("/large", LARGE), ("/stream", LARGE)]
)
def test_get(wget, path, content):
    done = wget(path)

    assert (done.returncode, done.stdout) == (0, content)


def test_several_over_one_connection(wget):
    done = wget("/", "/large", "/stream", "/thread")

    assert done.stdout == b"Hello, World!" + LARGE + LARGE + b"Hello, World!"


def test_head(wget):
    done = wget("--spider", "-S", "/large")

    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Content-Length: 1048576" in done.stderr


def test_post(wget):
    assert wget("--post-data=content", "/echo").stdout == b"content"


def test_redirect_is_followed(wget):
    assert wget("/moved").stdout == b"Hello, World!"


def test_error_is_told(wget):
    done = wget("--content-on-error", "/missing")

    assert done.returncode == 8  # the server answered with an error
    assert b'"status":404' in done.stdout
