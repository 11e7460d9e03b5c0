"""What systemd passes: sockets by number and by name, for this process alone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from penstock.server.systemd import Notifier, take_sockets
from tests.e2e.serving import ROOT, WAIT_S, environment, serving
from tests.server.certificates import Authority

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


@pytest.mark.parametrize(("pid", "count"), [("1", "1"), ("", "1"), ("own", ""), ("own", "x")])
def test_those_of_another_process_are_not_taken(variables, pid, count):
    variables(LISTEN_PID=str(os.getpid()) if pid == "own" else pid, LISTEN_FDS=count)

    assert take_sockets() == {}


class Systemd:
    """The socket services report to."""

    def __init__(self, path):
        self.variables = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(WAIT_S)
        self.beats = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._socket.close()

    def take(self):
        """The next report that is not a sign of life."""
        while (text := self._socket.recv(4096).decode()) == "WATCHDOG=1":
            self.beats += 1
        return text

    def take_beats(self, count):
        while count:
            count -= self._socket.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_systemd_hears_of_start_reload_and_stop(tmp_path, words):
    certificate, key = Authority(tmp_path).issue("server")
    words = [*words, "--tls-cert", str(certificate), "--tls-key", str(key), "--drain-timeout", "5"]
    command = [sys.executable, "-m", "penstock", "run", "tests.server.mixed_app:app", "--port", "0", *words]

    with (
        Systemd(tmp_path / "notify") as systemd,
        subprocess.Popen(
            command, cwd=ROOT, env=environment() | systemd.variables, stderr=subprocess.DEVNULL
        ) as child,
    ):
        try:
            started = systemd.take()
            systemd.take_beats(3)
            child.send_signal(signal.SIGHUP)
            reloading, reloaded = systemd.take(), systemd.take()
            child.terminate()
            stopping = systemd.take()
            status = child.wait(WAIT_S)
        finally:
            child.kill()

    assert started.startswith("READY=1\nSTATUS=serving https://127.0.0.1:")
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=[0-9]+", reloading)
    assert reloaded == started
    assert stopping.startswith("STOPPING=1")
    assert status == 0


def test_a_reload_of_one_process_without_tls_does_not_end_it(tmp_path):
    with (
        Systemd(tmp_path / "notify") as systemd,
        serving("tests.server.mixed_app:app", **systemd.variables) as server,
    ):
        started = systemd.take()
        server.process.send_signal(signal.SIGHUP)

        assert systemd.take().startswith("RELOADING=1")
        assert systemd.take() == started
        with urllib.request.urlopen(server.url, timeout=20) as reply:
            assert reply.status == 200


def test_nobody_who_listens_is_no_reason_not_to_serve(tmp_path):
    with (
        serving("tests.server.mixed_app:app", NOTIFY_SOCKET=str(tmp_path / "none")) as server,
        urllib.request.urlopen(server.url, timeout=20) as reply,
    ):
        assert reply.status == 200


def test_a_sign_of_life_is_not_asked_of_another_process(variables):
    variables(WATCHDOG_USEC="1000000", WATCHDOG_PID="1", NOTIFY_SOCKET="/none")

    assert Notifier()._beat_s == 0.0


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
