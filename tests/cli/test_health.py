"""`penstock health`: asked of real servers, of what is none, and of nobody."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from penstock.cli import main
from penstock.cli.health import read_url
from penstock.errors import ConfigError
from tests.cli.conftest import make_environment
from tests.e2e.serving import WAIT_S
from tests.e2e.workers import workers
from tests.server.certificates import Authority

APPLICATION = """
from pathlib import Path
from penstock import App, health_routes

app = App()
app.include(health_routes())

@app.check("database", every_s=0.05)
def database():
    return not Path("broken").exists()
"""


@pytest.fixture
def health(capsys, monkeypatch):
    """`health(url)` in this process: exit code, stdout and stderr."""
    monkeypatch.delenv("PENSTOCK_ADMIN", raising=False)

    def run(*words):
        return main(["health", *words]), *capsys.readouterr()

    return run


@contextmanager
def answering(*pieces, closes=True):
    """A server that takes one connection, reads a head and sends these; its port, and what it was sent."""
    seen = []

    def serve():
        client, _ = listener.accept()
        with client:
            received = b""
            while b"\r\n\r\n" not in received and (piece := client.recv(65_536)):
                received += piece
            seen.append(received)
            try:
                for piece in pieces:
                    client.sendall(piece)
                if not closes:
                    client.recv(1)
            except OSError:
                pass  # it has left

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], seen
        finally:
            thread.join(WAIT_S)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9100", (False, "127.0.0.1", 9100, "/readyz")),
        ("http://127.0.0.1:9100/", (False, "127.0.0.1", 9100, "/")),
        ("127.0.0.1:9100", (False, "127.0.0.1", 9100, "/readyz")),
        ("http://shop", (False, "shop", 80, "/readyz")),
        ("https://shop/livez?a=b", (True, "shop", 443, "/livez?a=b")),
        ("https://shop?a=b", (True, "shop", 443, "/readyz?a=b")),
        ("http://[::1]:9100/livez", (False, "::1", 9100, "/livez")),
        ("http://[::1]", (False, "::1", 80, "/readyz")),
        ("unix:/run/shop.sock", (False, "/run/shop.sock", None, "/readyz")),
        ("unix:shop.sock:/livez", (False, "shop.sock", None, "/livez")),
    ],
)
def test_urls(url, expected):
    assert tuple(read_url(url)) == expected


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://a",
            "http://",
            "http://a:",
            "http://a:b",
            "http://a:0",
            "http://a:65536",
            "http://a:99999999",
        ),
        *("http://u:p@a", "http://[::1", "http://::1:80", "http://a b", "http://a/b c", "http://a/\r\nX: 1"),
        *("http://a\r\nX: 1", "http://a/#b", "unix:", "http://ä", "http://a/ä", "http://a:٣"),
    ],
)
def test_what_is_no_url_is_a_mistake(health, url):
    with pytest.raises(ConfigError):
        read_url(url)
    code, out, err = health(url)

    assert (code, out) == (2, "")
    assert err.startswith("penstock: error: ")


@pytest.mark.parametrize(
    "words",
    [(), ("http://a", "http://b"), ("--wait",), ("http://a", "--timeout", "0"), ("http://a", "--timeout=x")],
)
def test_a_wrong_command_line_is_2(health, words):
    assert health(*words)[0] == 2


def test_it_asks_for_readiness_and_prints_one_line(health):
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", closes=False) as (port, seen):
        found = health(f"http://127.0.0.1:{port}")

    assert found == (0, "ready: 200 ok\n", "")
    assert seen[0].startswith(f"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())


@pytest.mark.parametrize(
    "status", ["301 Moved", "404 Not Found", "500 Oh", "503 Service Unavailable", "101 Up"]
)
def test_any_other_answer_is_1(health, status):
    with answering(f"HTTP/1.1 {status}\r\n\r\nfailing:\x1b[31m database\n".encode()) as (port, _):
        code, out, err = health(f"http://127.0.0.1:{port}")

    assert (code, err) == (1, "")
    assert out == f"not ready: {status[:3]} failing:?[31m database\n"


@pytest.mark.parametrize("octets", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 20", b"\xff" * 100_000])
def test_what_speaks_no_http_is_1(health, octets):
    with answering(octets) as (port, _):
        code, out, _ = health(f"http://127.0.0.1:{port}")

    assert code == 1
    assert out.startswith("not ready: ")


def test_nobody_there_is_1(health, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert health(f"http://127.0.0.1:{port}")[:2] == (
        1,
        f"not ready: http://127.0.0.1:{port}: Connection refused\n",
    )
    assert health(f"unix:{tmp_path}/none.sock")[0] == 1
    assert health(f"unix:{'x' * 200}")[0] == 1


@pytest.mark.parametrize(
    "pieces", [[], [b"HTTP/1.1 200 OK\r\n"], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"]]
)
def test_who_does_not_finish_in_time_is_1(health, pieces):
    with answering(*pieces, closes=False) as (port, _):
        code, out, _ = health(f"http://127.0.0.1:{port}", "--timeout", "0.2")

    assert (code, out) == (1, f"not ready: http://127.0.0.1:{port}: no answer within 0.2 s\n")


def test_a_trickle_does_not_restart_the_clock(health):
    with _trickling() as port:
        start = time.monotonic()
        code, out, _ = health(f"http://127.0.0.1:{port}", "--timeout", "0.3")
        took_s = time.monotonic() - start

    assert (code, "no answer within 0.3 s" in out) == (1, True)
    assert took_s < 5  # of what would take ten minutes


@contextmanager
def _trickling():
    """A server that sends an octet every few milliseconds, as long as somebody takes them."""

    def serve():
        client, _ = listener.accept()
        with client:
            try:
                while True:
                    client.sendall(b"x")
                    time.sleep(0.01)
            except OSError:
                pass  # it has left

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(WAIT_S)


def test_quiet_says_nothing(health, tmp_path):
    assert health("--quiet", f"unix:{tmp_path}/none.sock") == (1, "", "")


def test_of_a_real_server_on_both_its_addresses(health, tmp_path, monkeypatch):
    admin = f"unix:{tmp_path}/admin.sock"
    with workers(tmp_path, "--admin", admin, count=2, text=APPLICATION) as server:
        monkeypatch.setenv("PENSTOCK_ADMIN", admin)
        well = health(), health(server.url), health(f"{admin}:/livez")
        (tmp_path / "broken").touch()
        end = time.monotonic() + WAIT_S
        while (failing := health(admin))[0] == 0:
            assert time.monotonic() < end
        own = health(server.url)
        codes = health(f"{admin}:/livez")[0], health(f"{server.url}/nothing")[0]

    assert [found[0] for found in well] == [0, 0, 0]
    assert failing == (1, "not ready: 503 failing: database\n", "")
    assert own[0] == 1
    assert json.loads(own[1].removeprefix("not ready: 503 ")) == {"status": "failing", "failed": ["database"]}
    assert codes == (0, 1)


def test_https_with_a_certificate_nobody_knows(health, tmp_path):
    authority = Authority(tmp_path)
    cert, key = authority.issue("localhost")
    with workers(
        tmp_path, "--tls-cert", str(cert), "--tls-key", str(key), count=1, text=APPLICATION
    ) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        refused, taken = health(url), health(url, "--no-verify")

    assert refused[0] == 1
    assert "certificate" in refused[1]
    assert taken[:2] == (0, 'ready: 200 {"status":"ok"}\n')


def test_it_imports_nothing_of_the_server_and_takes_less_than_100_ms(tmp_path):
    program = (
        "import sys, time; from penstock.cli import main; code = main(['health', sys.argv[1]]);"
        "print(code, [name for name in sys.modules if name.startswith(('penstock.server', 'penstock.app',"
        " 'asyncio', 'http', 'ssl', 'email'))], time.process_time())"
    )
    words = [sys.executable, "-c", program, f"unix:{tmp_path}/none.sock"]
    times_s = []
    for _ in range(5):
        done = subprocess.run(
            words, cwd=tmp_path, env=make_environment(), capture_output=True, check=True, text=True
        )
        code, rest = done.stdout.splitlines()[-1].split(" ", 1)
        modules, _, time_s = rest.rpartition(" ")
        assert (code, modules) == ("1", "[]")
        times_s.append(float(time_s))

    # Time of the processor, which others do not add to; the best of several.
    assert min(times_s) < 0.1


def test_help_explains_it(health, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["health", "--help"])

    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "PENSTOCK_ADMIN" in text
    assert "--no-verify" in text
