"""Secrets thrown through every path, and looked for in everything that leaves the process.

Each secret is sent once, by one way, so that one that is found names its way. What is searched: stderr, log files in
each format, replies, pages of the admin endpoint, and what development shows.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import quote

import pytest

from tests.apps.hush import BUILT_IN, STORE_PASSWORD
from tests.e2e.serving import WAIT_S, environment, receive, serving
from tests.websocket.frames import TEXT, Peer, frame

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJIdXNoMDAifQ.SHVzaEh1c2hIdXNo"
CARD = "4242 4242 4242 4242"


def hush(number):
    """A secret that is found by its first letters, whatever happens to the others."""
    return f"Hush{number:02}x7Qv"


BASIC = base64.b64encode(f"bob:{hush(1)}".encode()).decode()
FIELDS = {
    "Authorization": f"Basic {BASIC}",
    "Proxy-Authorization": f"Bearer {hush(2)}",
    "Cookie": f"session={hush(3)}; theme=dark; csrf={hush(4)}",
    "X-Api-Key": hush(5),
    "X-Auth-Token": hush(6),
    "Referer": f"https://shop.example/reset?access_token={hush(7)}&page=2",
    "User-Agent": f"bot/1 password={hush(8)}",
}
JSON_BODY = {
    "user": "bob",
    "password": hush(20),
    "pin": 7,
    "more": {"apiKey": hush(21), "list": [{"secret": hush(22)}]},
}
MULTIPART = (
    '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n' + hush(25) + "\r\n"
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    + hush(26)
    + "\r\n--b--\r\n"
)
TARGETS = [
    f"/boom?password={hush(30)}",
    f"/thread/{JWT}?password={hush(31)}&next={quote(f'/x?token={hush(32)}', safe='')}",
    f"/process?password={hush(33)}",
    f"/wsgi/x?password={hush(34)}",
    f"/asgi/x?password={hush(35)}",
    f"/background?password={hush(36)}",
    f"/refuse?password={hush(37)}",
    f"/missing/{quote(CARD)}?token={hush(38)}",
    f"/json?token={hush(39)}",
    "/cached",
]
EXACT = [JWT, JWT.rpartition(".")[2], CARD, quote(CARD), BASIC, STORE_PASSWORD, BUILT_IN]


def head(method, target, *more):
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: test",
        *(f"{name}: {value}" for name, value in FIELDS.items()),
    ]
    return "\r\n".join([*lines, *more, "Connection: close", "", ""]).encode()


def posted(target, kind, content):
    octets = content.encode()
    return head("POST", target, f"Content-Type: {kind}", f"Content-Length: {len(octets)}") + octets


def requests():
    """Every request, well formed and not."""
    yield from (head("GET", target) for target in TARGETS)
    yield posted("/json", "application/json", json.dumps(JSON_BODY))
    yield posted(
        "/json", "application/json", json.dumps({"user": 5, "password": [hush(40)], "pin": hush(41)})
    )
    yield posted("/json", "application/json", '{"password": "' + hush(42))
    yield posted("/form", "application/x-www-form-urlencoded", f"user=bob&password={hush(43)}")
    yield posted("/upload", "multipart/form-data; boundary=b", MULTIPART)
    yield f"GET /x?token={hush(50)} y HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\nHost: test\r\nAuthorization Bearer {hush(51)}\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\nHost: test\r\nX-Api-Key : {hush(52)}\r\n\r\n".encode()
    yield f"GET /?a=%zz&password={hush(53)} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode()
    yield f"BREW /?token={hush(54)} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


def exchange(server, octets):
    client = server.connect()
    client.sendall(octets)
    return receive(client).decode("utf-8", "replace")


def throw_all(server):
    """Send all there is, and return what came back."""
    replies = [exchange(server, octets) for octets in requests()]
    peer = Peer(server.port, f"/ws?token={hush(60)}")
    with peer.socket:
        peer.send(frame(TEXT, f"password={hush(61)}".encode()))
        assert peer.take() is not None  # the close
    return replies


def found_in(text):
    """The secrets in a text, with what stands around the first of each."""
    places = {match[0]: match.start() for match in reversed(list(re.finditer(r"Hush\d\d", text)))}
    places |= {one: text.index(one) for one in EXACT if one in text}
    return {one: text[max(0, at - 160) : at + 40] for one, at in places.items()}


def ask_unix(path, target, accept="*/*"):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        fields = f"Host: test\r\nAccept: {accept}\r\nConnection: close"
        client.sendall(f"GET {target} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        received = b""
        while piece := client.recv(65_536):
            received += piece
        return received.decode()


def pages_of(path):
    """Every page of the admin endpoint, the dashboard's feed with them."""
    targets = [
        "/status",
        "/metrics",
        "/live",
        "/livez",
        "/readyz",
        "/health",
        "/debug/requests",
        "/dashboard",
    ]
    forms = ["*/*", "application/json", "text/plain", "text/html"]
    return "".join(ask_unix(path, target, accept) for target in targets for accept in forms)


def wait_for_requests(server, path):
    """Leave a request under way, and wait until the admin endpoint tells of it."""
    client = server.connect()
    client.sendall(head("GET", f"/wait?token={hush(70)}").replace(b"Connection: close\r\n", b""))
    end = time.monotonic() + WAIT_S
    while "/wait" not in ask_unix(path, "/status"):
        assert time.monotonic() < end
        time.sleep(0.05)
    return client


def test_no_secret_is_told_by_workers_their_log_and_their_pages(tmp_path):
    admin = tmp_path / "admin.sock"
    with serving(
        "tests.apps.hush:app",
        "--workers",
        "2",
        "--drain-timeout",
        "0.5",
        "--admin",
        f"unix:{admin}",
        may_fail=True,
    ) as server:
        replies = throw_all(server)
        with wait_for_requests(server, admin):
            pages = pages_of(admin)
            server.process.send_signal(signal.SIGUSR2)
            server.wait_for_log("SIGUSR2: 1 requests? in flight")

    assert [found_in(reply) for reply in replies if found_in(reply)] == []
    assert found_in(pages) == {}
    assert found_in(server.log) == {}
    assert "LookupError" in server.log
    assert "password=[redacted]" in server.log
    assert pages.count("GET /wait?token=[redacted] HTTP/1.1") >= 2
    assert "404 Not Found" not in pages


def test_no_secret_is_shown_by_the_pages_of_development(tmp_path):
    with serving("tests.apps.hush:app", "--development", may_fail=True) as server:
        replies = []
        for accept in ("text/html", "text/plain", "application/json"):
            FIELDS["Accept"] = accept
            replies += throw_all(server)
        del FIELDS["Accept"]

    assert [found_in(reply) for reply in replies if found_in(reply)] == []
    assert found_in(server.log) == {}
    assert any("no such login" in reply for reply in replies)
    assert any("<summary>Variables</summary>" in reply for reply in replies)


APACHE = '%h "%r" %q %U %{Authorization}i %{Cookie}i %{X-Api-Key}i %{Referer}i %{User-agent}i %{Set-Cookie}o'


@pytest.mark.parametrize(
    "flags",
    [
        ["--log-format", "json", "--access-log-format", "json"],
        ["--log-format", "text", "--access-log-format", APACHE],
    ],
    ids=["json", "text"],
)
def test_no_secret_gets_into_a_file_whatever_its_format(tmp_path, flags):
    log, access = tmp_path / "server.log", tmp_path / "access.log"
    flags = [*flags, "--log-file", str(log), "--access-log-file", str(access), "--slow-request", "0.01"]

    with serving("tests.apps.hush:app", *flags, may_fail=True) as server:
        for target in TARGETS[:6]:
            exchange(server, head("GET", target))
        exchange(
            server, posted("/form", "application/x-www-form-urlencoded", f"user=bob&password={hush(43)}")
        )

    written = {file.name: file.read_text() for file in (log, access)}
    assert {name: found_in(text) for name, text in written.items()} == {"server.log": {}, "access.log": {}}
    assert "Traceback" in written["server.log"]
    assert written["access.log"].count("\n") == 7
    assert found_in(server.log) == {}


def test_no_secret_is_in_what_check_says_of_settings(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "check", "--tls-key-password", hush(80)],
        env=environment() | {"PENSTOCK_TLS_KEY_PASSWORD": hush(81)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "tls_key_password" in done.stdout
    assert found_in(done.stdout + done.stderr) == {}
