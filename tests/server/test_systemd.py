"""What systemd passes: sockets by number and by name, for this process alone."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request

import pytest

from penstock.server.systemd import take_sockets
from tests.e2e.serving import ROOT, environment

# The parent cannot know the child's number before it is there, so the child sets it, as systemd does after fork.
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="web")
sys.argv = ["penstock", "run", "tests.server.mixed_app:app", *sys.argv[2:]]
from penstock.cli import main
sys.exit(main())
"""


@pytest.fixture
def variables(monkeypatch):
    def set_all(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_sockets_go_by_name_or_number(variables):
    variables(LISTEN_PID=str(os.getpid()), LISTEN_FDS="4", LISTEN_FDNAMES="web:unknown:web")

    assert take_sockets() == {"web": 3, "4": 4, "5": 5, "6": 6}


def test_they_are_taken_once(variables):
    variables(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")

    assert take_sockets() == {"3": 3}
    assert take_sockets() == {}
    assert not [name for name in os.environ if name.startswith("LISTEN_")]


@pytest.mark.parametrize(
    ("pid", "count"), [("1", "1"), ("", "1"), (str(os.getpid()), ""), (str(os.getpid()), "x")]
)
def test_those_of_another_process_are_not_taken(variables, pid, count):
    variables(LISTEN_PID=pid, LISTEN_FDS=count)

    assert take_sockets() == {}


@pytest.mark.parametrize("words", [[], ["--bind", "fd://web"], ["--bind", "fd://3"]])
def test_a_server_serves_the_socket_it_was_passed(words):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        command = [sys.executable, "-c", START, str(sock.fileno()), *words]
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            pass_fds=[sock.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with child:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as reply:
                    assert reply.status == 200
            finally:
                child.terminate()
                log = child.communicate()[1]

    assert re.search(rf"address +http://127\.0\.0\.1:{port}$", log, re.MULTILINE)
