"""Uploads to a file system that is really full, or read-only: a small one of the server's own, in its own mounts."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.app.static.site import TEXT
from tests.e2e.serving import environment
from tests.server.harness import Client, request

_MOUNT = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
_ROOM = 400_000


@pytest.fixture
def in_mount(tmp_path):
    """`in_mount(options)`: a client's `ask` at `penstock static --uploads` for a tmpfs mounted with these options. Only
    the server sees it: it goes when the server does.
    """
    servers = []

    def start(options):
        (tmp_path / "www").mkdir()
        rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        unshare = ["unshare", *rights, "--mount", "sh", "-c", _MOUNT, "sh"]
        if subprocess.run([*unshare, options, tmp_path / "www", "true"], check=False).returncode:
            verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            verdict("a tmpfs cannot be mounted here, not even in a user namespace")
        flags = ["www", "--port", "0", "--uploads", "--listing", "--dotfiles", "--check-interval", "0"]
        command = [*unshare, options, "www", sys.executable, "-bb", "-m", "penstock", "static", *flags]
        server = subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True, errors="replace"
        )
        servers.append(server)
        log = ""
        while "  bounds " not in log:
            line = server.stderr.readline()
            assert line, log
            log += line
        port = int(re.search(r"http://[^:]+:(\d+)", log)[1])

        def ask(*words, **options):
            with Client(port) as client:
                return client.ask(*words, **options)

        ask.port = port
        return ask

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stderr.close()


def names_listed(ask):
    return sorted(set(re.findall(r'href="\./([^"]+)"', ask("/").content.decode())))


def test_a_full_file_system_is_507_and_leaves_nothing(in_mount):
    ask = in_mount(f"size={_ROOM}")
    assert ask("/old.txt", "PUT", body=TEXT).status == 201

    for _ in range(3):
        for target in ("/new.bin", "/old.txt"):
            assert ask(target, "PUT", body=bytes(2 * _ROOM)).status == 507
            assert names_listed(ask) == ["old.txt"] and ask("/old.txt").content == TEXT
    with Client(ask.port) as client:
        client.send(b"POST /chunked.bin HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send((b"%x\r\n" % (2 * _ROOM)) + bytes(2 * _ROOM) + b"\r\n0\r\n\r\n")
        assert client.take("POST").status == 507
    assert names_listed(ask) == ["old.txt"]

    fits = bytes(_ROOM // 2)  # all the room is there again
    assert ask("/fits.bin", "PUT", body=fits).status == 201 and ask("/fits.bin").content == fits


def test_a_client_that_waits_for_100_continue_hears_of_a_full_file_system(in_mount):
    ask = in_mount("size=8k,nr_inodes=2")
    assert ask("/a.txt", "PUT", body=b"a").status == 201

    with Client(ask.port) as client:  # no inode for another file: refused before any content
        client.send(request("/b.txt", "PUT", "Expect: 100-continue", "Content-Length: 5000"))
        assert client.take("PUT").status == 507 and client.interim == []
    assert names_listed(ask) == ["a.txt"]


def test_a_read_only_file_system_takes_no_file(in_mount):
    ask = in_mount("ro")

    assert ask("/new.txt", "PUT", body=b"x").status == 403
    assert ask("/").status == 200
