from __future__ import annotations

import os
import resource
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from http_benchmark.errors import BenchmarkError, UsageError
from http_benchmark.targets.embedded import ask, embedded
from http_benchmark.targets.trouble import trouble

SOURCE = Path(__file__).resolve().parents[3] / "src"
WAIT_S = 30


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition):
    limit = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_it_serves_and_ends(capfd):
    with embedded() as target:
        with urllib.request.urlopen(f"{target.url}get?a=1", timeout=WAIT_S) as reply:
            assert reply.status == 200
            assert b'"a":"1"' in reply.read()
        assert target.url.startswith("http://127.0.0.1:")

    assert not is_alive(target.pid)
    assert capfd.readouterr() == ("", "")


@pytest.mark.need_tool("openssl")
def test_it_speaks_tls_with_a_certificate_to_trust(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with embedded(tls=True) as target:
        context = ssl.create_default_context(cafile=target.certificate)
        with urllib.request.urlopen(f"{target.url}get", timeout=WAIT_S, context=context) as reply:
            assert b'"url":"https://127.0.0.1:' in reply.read()


def test_it_listens_on_a_unix_socket(tmp_path):
    path = str(tmp_path / "it.sock")

    with embedded(unix=path) as target:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(path)
            client.sendall(b"GET /ip HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            reply = b"".join(iter(lambda: client.recv(4096), b""))
        assert (target.url, target.unix) == ("http://localhost/", path)

    assert reply.endswith(b'{"origin":""}')
    assert not Path(path).exists()


def test_it_ends_when_its_owner_is_killed():
    script = (
        "import sys\nfrom http_benchmark.targets.embedded import embedded\n"
        "with embedded() as target:\n    print(target.pid, flush=True)\n    sys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        pid = int(owner.stdout.readline())
        owner.kill()

    wait_until(lambda: not is_alive(pid))


def test_settings_for_a_penstock_of_the_user_do_not_reach_it(monkeypatch):
    monkeypatch.setenv("PENSTOCK_ROOT_PATH", "/shop")
    monkeypatch.setenv("PENSTOCK_PORT", "none")

    with embedded() as target, urllib.request.urlopen(f"{target.url}get", timeout=WAIT_S) as reply:
        assert reply.status == 200


def test_the_folder_it_is_started_in_is_of_no_account(tmp_path, monkeypatch):
    (tmp_path / "penstock.toml").write_text("workers = 0\n")
    (tmp_path / "http.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)

    with embedded() as target, urllib.request.urlopen(f"{target.url}get", timeout=WAIT_S) as reply:
        assert reply.status == 200


def test_a_flag_there_is_none_of_is_told():
    with (
        pytest.raises(BenchmarkError, match=r"does not start: .*--no-such-flag"),
        embedded(flags=["--no-such-flag"]),
    ):
        pass


def test_without_openssl_there_is_no_tls(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="openssl is needed"), embedded(tls=True):
        pass


def test_who_answers_wrong_is_not_ready(target):
    host, port = target.host.split(":")

    with pytest.raises(OSError, match="it answers 404"):
        ask((host, int(port)), WAIT_S, "/none")


def test_more_connections_may_be_open_than_a_shell_lets_be():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        with embedded() as target, trouble() as server:
            limits = [Path(f"/proc/{each.pid}/limits").read_text("ascii") for each in (target, server)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    for text in limits:
        (line,) = (line for line in text.splitlines() if line.startswith("Max open files"))
        assert line.split()[3:5] == [str(hard)] * 2
