from __future__ import annotations

import http.client
import os
import signal
import ssl
import subprocess
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from http_benchmark.cli import main
from http_benchmark.targets import nginx
from http_benchmark.targets.process import open_listener
from tests.http_benchmark.cli.serving import WAIT_S, Serving, wait_until


def connect(serving):
    parts = urlsplit(serving.url)
    if parts.scheme == "http":
        return closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=WAIT_S))
    context = ssl.create_default_context(cafile=str(serving.certificate))
    return closing(http.client.HTTPSConnection(parts.hostname, parts.port, timeout=WAIT_S, context=context))


def fetch(connection, path="/get", method="GET", content=None):
    connection.request(method, path, content)
    reply = connection.getresponse()
    return reply, reply.read()


@pytest.fixture
def serve(tmp_path):
    """`serve(*flags)` starts the command, which ends with the test."""
    with ExitStack() as stack:

        def start(*flags):
            serving = Serving(tmp_path, *flags)
            stack.callback(serving.end, signal.SIGTERM)
            return serving

        yield start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_it_serves_until_a_signal_ends_it(serve, number):
    serving = serve()

    with connect(serving) as connection:
        assert fetch(connection)[0].status == 200
    code = serving.end(number)

    assert code == 0
    assert serving.log == "1 instance; Ctrl-C ends it\n"
    assert serving.left == []


@pytest.mark.need_tool("openssl")
def test_instances_share_a_socket_and_are_started_again(serve):
    serving = serve("--instances", "2", "--tls")
    first, second = serving.instances()

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in serving.instances() and len(serving.instances()) == 2)
    for _ in range(10):
        with connect(serving) as connection:
            assert fetch(connection)[0].status == 200
    code = serving.end(signal.SIGTERM)

    assert code == 0
    assert second in serving.started
    assert "ended (signal 9), and is started again" in serving.log


def test_an_end_that_nobody_could_see_coming_ends_its_processes_too(serve):
    assert serve().end(signal.SIGKILL) == -signal.SIGKILL


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    serving = Serving(tmp_path_factory.mktemp("behind"), "--instances", "3", "--tls", "--behind", "nginx")
    yield serving
    assert serving.end(signal.SIGTERM) == 0
    assert serving.left == []


@pytest.mark.need_tool("nginx", "openssl")
class TestBehindNginx:
    def test_all_instances_get_requests_over_tls(self, behind):
        seen = Counter()
        with connect(behind) as connection:
            for _ in range(12):
                reply, content = fetch(connection, "/anything?a=1")
                seen[reply.headers["X-Instance"]] += 1

        assert len(seen) == 3
        assert f'"url":"{behind.url}/anything?a=1"'.encode() in content
        assert b'"origin":"127.0.0.1"' in content

    def test_large_content_passes_both_ways(self, behind):
        with connect(behind) as connection:
            reply, content = fetch(connection, "/post", "POST", b"x" * 3_000_000)
            assert fetch(connection, "/bytes/3000000")[0].status == 200

        assert (reply.status, content.count(b"x" * 3_000_000)) == (200, 1)

    def test_no_request_is_lost_when_an_instance_is_killed(self, behind):
        statuses, stop = Counter(), threading.Event()

        def work():
            with connect(behind) as connection:
                while not stop.is_set():
                    statuses[fetch(connection)[0].status] += 1
                    statuses[fetch(connection, "/post", "POST", b"a")[0].status] += 1

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        killed = behind.instances()[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in behind.instances() and len(behind.instances()) == 3)
        before = sum(statuses.values())
        wait_until(lambda: sum(statuses.values()) > before + 50)
        wait_until(lambda: self.used(behind) == 3)
        stop.set()
        for worker in workers:
            worker.join()

        assert set(statuses) == {200}
        assert behind.log.count("ended (signal 9), and is started again") == 1

    @staticmethod
    def used(behind):
        """How many instances answer."""
        with connect(behind) as connection:
            return len({fetch(connection)[0].headers["X-Instance"] for _ in range(12)})


@pytest.mark.need_tool("nginx")
def test_when_nginx_ends_all_ends(serve):
    serving = serve("--behind", "nginx")
    # The first: a worker has the same title until it gets its own.
    master = next(pid for pid, words in serving.started.items() if words.startswith("nginx: master"))

    os.kill(master, signal.SIGKILL)
    serving.process.wait(WAIT_S)

    assert serving.end(signal.SIGTERM) == 1
    assert serving.log.splitlines()[-1] == "http-benchmark: nginx has ended: signal 9"
    assert serving.left == []


@pytest.mark.need_tool("nginx")
def test_nginx_needs_no_rights(need_tool):
    with tempfile.TemporaryDirectory() as made, open_listener() as listener:
        folder = Path(made)
        configuration = folder / "nginx.conf"
        paths = [folder / "a.sock", folder / "b.sock"]
        configuration.write_text(nginx.compose_configuration(folder, listener.getsockname(), paths))
        user = {}
        if os.geteuid() == 0:
            folder.chmod(0o777)
            user = {"user": 65534, "group": 65534, "extra_groups": []}
        listener.close()
        done = subprocess.run(
            [need_tool("nginx"), "-e", "stderr", "-t", "-p", made, "-c", str(configuration)],
            capture_output=True,
            text=True,
            check=False,
            **user,
        )

    assert done.returncode == 0, done.stderr
    assert "test is successful" in done.stderr


def test_without_nginx_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nginx, "_SYSTEM", str(tmp_path))

    assert main(["serve", "--behind", "nginx"]) == 2
    assert capsys.readouterr() == (
        "",
        "http-benchmark: nginx is not installed: apt install nginx-light, or leave out --behind nginx\n",
    )


def test_an_nginx_that_is_too_old_is_told(tmp_path, monkeypatch, capsys):
    old = tmp_path / "nginx"
    old.write_text("#!/bin/sh\necho 'nginx version: nginx/1.18.0' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["serve", "--behind", "nginx"]) == 2
    assert "nginx 1.18.0 is too old for --behind nginx: 1.19.5 is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--instances", "0"], "--instances must be from 1 to 64, not 0"),
        (["--port", "70000"], "--port must be from 0 to 65535, not 70000"),
        (["--host", "no such host"], "--host 'no such host' is no address of this machine"),
        (["--host", "192.0.2.1"], "cannot listen at 192.0.2.1:8080: Cannot assign requested address"),
        (["--behind", "apache"], "invalid choice: 'apache'"),
        (["--instances", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words, said, capsys):
    assert main(["serve", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_port_that_is_taken_is_told(capsys):
    with open_listener() as listener:
        port = listener.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2

    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in capsys.readouterr().err


def test_an_instance_that_ends_again_and_again_is_given_up(tmp_path):
    from queue import SimpleQueue

    from http_benchmark.errors import BenchmarkError
    from http_benchmark.targets.instances import Instance

    events = SimpleQueue()
    instance = Instance(1, "fd://nothing", [], [], events)
    said = r"instance 1 ends again and again: penstock: error: .*fd://nothing"
    try:
        events.get(timeout=WAIT_S).start_again()
        events.get(timeout=WAIT_S).start_again()
        last = events.get(timeout=WAIT_S)
        with pytest.raises(BenchmarkError, match=said):
            last.start_again()
    finally:
        instance.stop()
