"""Every flag takes effect: one test for each, `test_<key>_...`, against a running server.

The application answers with what a test cannot see from outside; a test changes one flag, and what it expects does
not happen under the flag's default.
"""

from __future__ import annotations

import grp
import gzip
import json
import os
import pwd
import re
import select
import signal
import socket
import ssl
import threading
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from penstock.server.config import SETTINGS
from tests.cli import unprivileged
from tests.cli.conftest import find_url, running, start
from tests.gateway.conftest import import_package
from tests.ports import free_port
from tests.server.certificates import Authority, openssl
from tests.websocket.frames import PING, TEXT, Peer, frame

WAIT_S = 20.0
PIECE = 65_536
PIECES = 512

APPLICATION = f"""
import asyncio, os, threading, time
from penstock import App, JSONResponse, Request, StreamResponse, WebSocket

app = App()
release = threading.Event()
seen = {{"produced": 0, "left": False}}

@app.get("/")
async def home() -> str:
    return "served"

@app.post("/")
async def take(request: Request) -> str:
    return str(len(request.body))

@app.get("/long")
async def long() -> str:
    return "long" * 1000

@app.get("/wait")
def wait() -> str:
    release.wait(30)
    return "waited"

@app.get("/release")
async def release_all() -> str:
    release.set()
    return "released"

@app.get("/sleep")
async def sleep() -> str:
    await asyncio.sleep(30)
    return "slept"

@app.get("/pool")
async def pool(request: Request) -> dict:
    return request.server.thread_pool()

@app.get("/process", run="process")
def process() -> int:
    time.sleep(0.3)
    return os.getpid()

@app.get("/stream")
async def stream() -> StreamResponse:
    async def produce():
        try:
            for _ in range({PIECES}):
                seen["produced"] += 1
                yield bytes({PIECE})
        finally:
            seen["left"] = True
    return StreamResponse(produce())

@app.get("/block", run="inline")
def block() -> str:
    time.sleep(20)

@app.get("/block-a-while", run="inline")
def block_a_while() -> str:
    time.sleep(0.6)
    return "blocked"

@app.get("/loop")
async def loop() -> JSONResponse:
    return JSONResponse(type(asyncio.get_running_loop()).__module__)

@app.get("/grow")
async def grow() -> int:
    seen["grown"] = b"x" * 200_000_000
    return os.getpid()

@app.get("/pid")
async def pid() -> int:
    return os.getpid()

@app.get("/make")
async def make() -> int:
    with open(f"made-{os.getpid()}", "w") as file:
        return os.fstat(file.fileno()).st_mode & 0o777

@app.get("/directory")
async def directory() -> JSONResponse:
    return JSONResponse(os.getcwd())

@app.get("/client")
async def client(request: Request) -> dict:
    return {{"client": request.client, "url": request.url}}

@app.websocket("/echo")
async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)

@app.websocket("/deaf")
async def deaf(ws: WebSocket) -> None:
    await ws.accept()
    await asyncio.sleep(30)

@app.websocket("/brief")
async def brief(ws: WebSocket) -> None:
    await ws.accept()

@app.get("/seen")
async def show_seen() -> dict:
    return seen
"""


class Server:
    """A running server, spoken to in octets."""

    def __init__(self, child, url):
        self.child = child
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port

    def connect(self, octets=b"", timeout_s=WAIT_S):
        client = socket.create_connection((self.host, self.port), timeout=timeout_s)
        client.sendall(octets)
        return client

    def exchange(self, octets):
        """Send, then read until the server closes or a whole reply with a short body is there."""
        with self.connect(octets) as client:
            return read_reply(client)

    def get(self, path):
        return self.exchange(request(path, "Connection: close"))

    def get_json(self, path):
        return json.loads(self.get(path).partition(b"\r\n\r\n")[2])

    def wait_until(self, path, is_reached):
        """Ask `path` again and again until its JSON pleases."""
        end = time.monotonic() + WAIT_S
        while not is_reached(found := self.get_json(path)):
            assert time.monotonic() < end, found
        return found


def request(path="/", *fields, method="GET"):
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: test", *fields, "", "")).encode()


def read_reply(client):
    """Everything up to the close, or to the end of a reply with Content-Length."""
    received = b""
    while piece := client.recv(65_536):
        received += piece
        head, found, content = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head.lower())
        if found and length and len(content) >= int(length[1]):
            break
    return received


def status_of(reply):
    return int(reply.split(b" ", 2)[1])


@contextmanager
def serving(folder, *words, **variables):
    with running(folder, APPLICATION, "--port", "0", *words, **variables) as (child, lines):
        yield Server(child, find_url(lines))


# ---------------------------------------------------------------------------------------------------------- listening


def test_host_is_listened_on(tmp_path):
    with serving(tmp_path, "--host", "::1") as server:
        reply = server.get("/")

    assert server.host == "::1"
    assert status_of(reply) == 200


def test_port_is_listened_on(tmp_path):
    port = free_port()

    with serving(tmp_path, "--port", str(port)) as server:
        reply = server.get("/")

    assert server.port == port
    assert status_of(reply) == 200


def test_backlog_bounds_connections_that_are_not_accepted(tmp_path):
    with serving(tmp_path, "--backlog", "2", "--connection-limit", "1") as server, ExitStack() as opened:
        first = opened.enter_context(server.connect(request()))
        read_reply(first)  # accepted, and with it the limit is reached
        refused = None
        count = 0
        while refused is None and count < 20:
            try:
                opened.enter_context(server.connect(timeout_s=0.5))
                count += 1
            except TimeoutError as error:
                refused = error

    assert refused is not None
    assert count <= 4


def ask_unix(path, target="/"):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(str(path))
        client.sendall(request(target, "Connection: close"))
        return read_reply(client)


def test_bind_listens_on_every_address(tmp_path):
    path = tmp_path / "shop.sock"
    words = ["--bind", "127.0.0.1:0", "--bind", f"unix:{path},[::1]:0"]

    with running(tmp_path, APPLICATION, *words) as (child, lines):
        urls = re.findall(r"http://[^\s,]+", "".join(lines))
        replies = [Server(child, url).get("/") for url in urls]
        replies.append(ask_unix(path))
        child.send_signal(signal.SIGTERM)
        child.wait(WAIT_S)

    assert [urlsplit(url).hostname for url in urls] == ["127.0.0.1", "::1"]
    assert f"unix:{path}" in "".join(lines)
    assert [status_of(reply) for reply in replies] == [200] * 3
    assert not path.exists()


def test_unix_mode_is_that_of_the_socket(tmp_path):
    path = tmp_path / "shop.sock"

    with running(tmp_path, APPLICATION, "--bind", f"unix:{path}", "--unix-mode", "606"):
        mode = path.stat().st_mode & 0o777

    assert mode == 0o606


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_unix_owner_owns_the_socket(tmp_path):
    path = tmp_path / "shop.sock"

    with running(tmp_path, APPLICATION, "--bind", f"unix:{path}", "--unix-owner", "12345:54321"):
        found = path.stat()

    assert (found.st_uid, found.st_gid) == (12345, 54321)


# ----------------------------------------------------------------------------------------------------------------- tls


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def securely(folder, pair, *words, **variables):
    words = ["--port", "0", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]), *words]
    with running(folder, APPLICATION, *words, **variables) as (child, lines):
        yield Server(child, re.search(r"https://\S+", "".join(lines))[0])


def ask_securely(server, context):
    with context.wrap_socket(server.connect(), server_hostname="localhost") as client:
        client.sendall(request("/", "Connection: close"))
        return read_reply(client)


def test_tls_cert_is_shown(tmp_path, authority):
    with securely(tmp_path, authority.issue("shop")) as server:
        reply = ask_securely(server, authority.client())
        plain = server.get("/")

    assert status_of(reply) == 200
    assert status_of(plain) == 400
    assert b"https://" in plain


def test_tls_key_has_to_be_that_of_the_certificate(penstock, tmp_path, authority):
    (tmp_path / "shop.py").write_text(APPLICATION)
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")

    done = penstock("run", "shop:app", "--tls-cert", str(certificate), "--tls-key", str(key))

    assert (done.returncode, done.stdout) == (2, "")
    assert "is not the key of the certificate" in done.stderr


def test_tls_key_password_opens_the_key(penstock, tmp_path, authority):
    (tmp_path / "shop.py").write_text(APPLICATION)
    certificate, key = authority.issue("shop")
    locked = tmp_path / "locked.key"
    openssl("ec", "-aes256", "-in", str(key), "-out", str(locked), "-passout", "pass:sesame")

    done = penstock("run", "shop:app", "--tls-cert", str(certificate), "--tls-key", str(locked))
    with securely(tmp_path, (certificate, locked), PENSTOCK_TLS_KEY_PASSWORD="sesame") as server:
        reply = ask_securely(server, authority.client())

    assert "--tls-key-password" in done.stderr
    assert status_of(reply) == 200


def test_tls_client_ca_asks_for_a_certificate(tmp_path, authority):
    with securely(tmp_path, authority.issue("shop"), "--tls-client-ca", str(authority.certificate)) as server:
        with pytest.raises(OSError, match=r"(?i)certificate.required|reset|broken pipe|EOF"):
            ask_securely(server, authority.client())
        reply = ask_securely(server, authority.client(*authority.issue("client")))

    assert status_of(reply) == 200


def test_tls_self_signed_serves_localhost(tmp_path):
    words = ["--port", "0", "--tls-self-signed"]
    with running(tmp_path, APPLICATION, *words, XDG_CACHE_HOME=str(tmp_path)) as (child, lines):
        server = Server(child, re.search(r"https://\S+", "".join(lines))[0])
        context = ssl.create_default_context(cafile=str(tmp_path / "penstock" / "self-signed.pem"))
        reply = ask_securely(server, context)

    assert status_of(reply) == 200


def test_tls_handshake_timeout_cuts_off_a_silent_client(tmp_path, authority):
    with securely(tmp_path, authority.issue("shop"), "--tls-handshake-timeout", "0.3") as server:
        start = time.monotonic()
        with server.connect(b"\x16\x03") as client:
            rest = client.recv(1)

    assert rest == b""
    assert time.monotonic() - start < 8


# ------------------------------------------------------------------------------------------------------------- proxies

TOLD = [
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
    "Forwarded: for=198.51.100.7;proto=https;host=other.example",
    "Connection: close",
]


def ask_client(server, ahead=b""):
    return json.loads(server.exchange(ahead + request("/client", *TOLD)).partition(b"\r\n\r\n")[2])


def test_proxy_trust_takes_the_word_of_those_named(tmp_path):
    with serving(tmp_path, "--proxy-trust", "10.0.0.0/8,192.0.2.1") as server:
        of_nobody = ask_client(server)
    with serving(tmp_path, "--proxy-trust", "10.0.0.0/8", "--proxy-trust", "127.0.0.0/8") as server:
        of_proxy = ask_client(server)

    assert of_nobody["client"][0] == "127.0.0.1"
    assert of_nobody["url"] == "http://test/client"
    assert of_proxy == {"client": ["203.0.113.9", 0], "url": "https://shop.example/client"}


@pytest.mark.parametrize(
    ("family", "host", "url"),
    [
        ("forwarded", "198.51.100.7", "https://other.example/client"),
        ("none", "127.0.0.1", "http://test/client"),
    ],
)
def test_proxy_family_says_which_fields_are_read(tmp_path, family, host, url):
    with serving(tmp_path, "--proxy-trust", "127.0.0.1", "--proxy-family", family) as server:
        seen = ask_client(server)

    assert (seen["client"][0], seen["url"]) == (host, url)


def test_proxy_protocol_names_the_client(tmp_path):
    words = ["--proxy-trust", "127.0.0.1", "--proxy-protocol", "--proxy-family", "none"]
    with serving(tmp_path, *words) as server:
        seen = ask_client(server, b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n")
        with pytest.raises(ConnectionResetError):
            server.exchange(request("/client"))

    assert seen["client"] == ["203.0.113.9", 4711]


def test_root_path_is_before_each_path(tmp_path):
    with serving(tmp_path, "--root-path", "/shop/") as server:
        seen = server.get_json("/client")
    with serving(tmp_path, "--root-path", "/shop", "--proxy-trust", "127.0.0.1") as server:
        told = request("/client", "X-Forwarded-Prefix: /other", "Connection: close")
        seen_told = json.loads(server.exchange(told).partition(b"\r\n\r\n")[2])

    assert seen["url"] == "http://test/shop/client"
    assert seen_told["url"] == "http://test/other/client"


# ------------------------------------------------------------------------------------------------------------- workers


def test_workers_serve_in_processes_of_their_own(tmp_path):
    with serving(tmp_path, "--workers", "3") as server, ExitStack() as opened:
        pids = set()
        latest = time.monotonic() + 30
        while len(pids) < 3 and time.monotonic() < latest:  # they get ready one by one
            client = opened.enter_context(server.connect(request("/pid")))
            pids.add(read_reply(client).partition(b"\r\n\r\n")[2])
        stop(server)

    assert len(pids) == 3
    assert str(server.child.pid).encode() not in pids


def test_preload_imports_the_application_once(tmp_path):
    importing = APPLICATION + "\nimport sys\nprint('imported', file=sys.stderr)\n"
    for flag, count in (("--no-preload", 2), ("--preload", 1)):
        with running(tmp_path, importing, "--port", "0", "--workers", "2", flag) as (child, lines):
            printed = "".join(lines) + stop(Server(child, find_url(lines)))

        assert printed.count("imported") == count


def wait_for_another(server, pid):
    """Ask until another process answers; nothing is refused or lost meanwhile."""
    end = time.monotonic() + WAIT_S
    while (found := server.get_json("/pid")) == pid:
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def test_max_requests_replaces_a_worker(tmp_path):
    with serving(tmp_path, "--max-requests", "30") as server:
        first = server.get_json("/pid")
        again = [server.get_json("/pid") for _ in range(20)]
        wait_for_another(server, first)
        printed = stop(server)

    assert set(again) == {first}
    assert f"worker {first} is replaced: it has served its --max-requests" in printed


def test_max_lifetime_replaces_a_worker(tmp_path):
    with serving(tmp_path, "--max-lifetime", "1.5", "--workers", "1") as server:
        first = server.get_json("/pid")
        wait_for_another(server, first)
        printed = stop(server)

    assert f"worker {first} is replaced: it has reached its --max-lifetime" in printed


def test_max_rss_replaces_a_worker_that_has_grown(tmp_path):
    with serving(tmp_path, "--max-rss", "120M") as server:
        first = server.get_json("/pid")
        assert server.get_json("/grow") == first
        assert wait_for_another(server, first) != first
        printed = stop(server)

    assert printed.count("it has grown to its --max-rss") == 1


def test_stuck_timeout_ends_a_worker_that_blocks_its_loop(tmp_path):
    with serving(tmp_path, "--stuck-timeout", "2", "--workers", "2") as server:
        start = time.monotonic()
        reply = server.exchange(request("/block"))
        took_s = time.monotonic() - start
        printed = stop(server)

    assert status_of(reply) == 504
    assert took_s < 15  # the handler takes 20
    assert "the loop is stuck for" in printed


# ---------------------------------------------------------------------------------------------------------------- work


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_loop_is_what_runs(tmp_path, name):
    pytest.importorskip(name)
    with serving(tmp_path, "--loop", name) as server:
        found = server.get_json("/loop")

    assert found.partition(".")[0] == name


EITHER = """
def app(*arguments):
    if len(arguments) == 3:
        return answer(*arguments)
    arguments[1]("200 OK", [("Content-Length", "4")])
    return [b"wsgi"]

async def answer(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"asgi"})
"""


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_interface_says_how_the_application_is_called(tmp_path, interface):
    with running(tmp_path, EITHER, "--port", "0", "--interface", interface) as (child, lines):
        reply = Server(child, find_url(lines)).get("/")

    assert reply.endswith(interface.encode())
    assert f"shop:app ({interface.upper()})" in "".join(lines)


def test_threads_bounds_handlers_at_once(tmp_path):
    with serving(tmp_path, "--threads", "2") as server, ExitStack() as opened:
        for _ in range(5):
            opened.enter_context(server.connect(request("/wait")))

        pool = server.wait_until(
            "/pool", lambda pool: (pool["active_workers"], pool["queue_depth"]) == (2, 3)
        )
        server.get("/release")

    assert pool["total_workers"] == 2


def test_queue_limit_answers_503_beyond_it(tmp_path):
    with serving(tmp_path, "--threads", "1", "--queue-limit", "1") as server, ExitStack() as opened:
        for count in (1, 2):
            opened.enter_context(server.connect(request("/wait")))
            server.wait_until("/pool", lambda pool: pool["active_workers"] + pool["queue_depth"] == count)  # noqa: B023

        reply = server.get("/wait")
        server.get("/release")

    assert status_of(reply) == 503
    assert b"retry-after:" in reply.lower()


@pytest.mark.parametrize("count", [1, 2])
def test_processes_bounds_processes(tmp_path, count):
    with serving(tmp_path, "--processes", str(count)) as server:
        replies = []
        threads = [
            threading.Thread(target=lambda: replies.append(server.get_json("/process"))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)

    assert len(replies) == 6
    assert len(set(replies)) == count
    assert server.child.pid not in replies


def test_connection_limit_leaves_the_next_waiting_until_one_closes(tmp_path):
    with serving(tmp_path, "--connection-limit", "2") as server, ExitStack() as opened:
        held = [opened.enter_context(server.connect(request())) for _ in range(2)]
        for client in held:
            read_reply(client)
        third = opened.enter_context(server.connect(request(), timeout_s=0.5))
        with pytest.raises(TimeoutError):
            third.recv(1)

        held[0].close()
        third.settimeout(WAIT_S)
        reply = read_reply(third)

    assert status_of(reply) == 200


def test_requests_per_connection_closes_it_with_the_last_reply(tmp_path):
    with serving(tmp_path, "--requests-per-connection", "3") as server, server.connect() as client:
        replies = []
        for _ in range(3):
            client.sendall(request())
            replies.append(read_reply(client))
        rest = client.recv(1)

    assert [b"connection: close" in reply.lower() for reply in replies] == [False, False, True]
    assert rest == b""


# ----------------------------------------------------------------------------------------------------------- deadlines


def test_head_timeout_cuts_off_a_head_that_does_not_end(tmp_path):
    with serving(tmp_path, "--head-timeout", "0.4") as server:
        start = time.monotonic()
        reply = server.exchange(b"GET / HTTP/1.1\r\nHost: ")

    assert status_of(reply) == 408
    assert time.monotonic() - start < 10


def test_content_timeout_cuts_off_content_that_does_not_end(tmp_path):
    with serving(tmp_path, "--content-timeout", "0.4", "--content-min-rate", "0") as server:
        start = time.monotonic()
        reply = server.exchange(request("/", "Content-Length: 9", method="POST") + b"1234")

    assert status_of(reply) == 408
    assert time.monotonic() - start < 10


def test_content_min_rate_cuts_off_a_trickle(tmp_path):
    octets = request("/", "Content-Length: 500000", method="POST") + b"x" * 4000

    with serving(tmp_path, "--content-min-rate", "1MiB") as server:
        start = time.monotonic()
        reply = server.exchange(octets)

    assert status_of(reply) == 408
    assert time.monotonic() - start < 18, (
        "the default rate of 240 B/s gives 4000 bytes 16 s beside the first 5"
    )


def test_handler_timeout_answers_504_in_the_place_of_a_handler(tmp_path):
    with serving(tmp_path, "--handler-timeout", "0.3") as server:
        start = time.monotonic()
        replies = [server.exchange(request(path)) for path in ("/sleep", "/wait")]
        took_s = time.monotonic() - start
        server.get("/release")
        printed = stop(server)

    assert [status_of(reply) for reply in replies] == [504, 504]
    assert took_s < 10
    assert re.search(
        r"<Request GET /sleep>: no answer for [0-9]+\.[0-9] s, 504, trace id [0-9a-f]{32}", printed
    )
    assert ", in sleep\n" in printed
    assert ", in wait\n" in printed


def test_idle_timeout_closes_a_kept_connection(tmp_path):
    with serving(tmp_path, "--idle-timeout", "0.4") as server, server.connect(request()) as client:
        read_reply(client)
        start = time.monotonic()
        rest = client.recv(1)

    assert rest == b""
    assert time.monotonic() - start < 10


def test_write_timeout_cuts_off_a_client_that_does_not_read(tmp_path):
    with serving(tmp_path, "--write-timeout", "0.4") as server, server.connect(request("/stream")):
        seen = server.wait_until("/seen", lambda seen: seen["left"])

    assert seen["produced"] < PIECES


def test_drain_timeout_ends_what_is_still_in_flight(tmp_path):
    with serving(tmp_path, "--drain-timeout", "0.4") as server, server.connect(request("/sleep")):
        server.get("/")  # by now the sleeper is being served
        start = time.monotonic()
        server.child.send_signal(signal.SIGTERM)
        server.child.wait(WAIT_S)

    assert time.monotonic() - start < 10


@contextmanager
def lingered_for(folder, seconds):
    """A connection from which the server reads only to throw away, until it has had enough."""
    with (
        serving(folder, "--linger-timeout", seconds) as server,
        server.connect(b"GET / HTTP/9.9\r\n\r\n") as client,
    ):
        while client.recv(4096):
            pass
        yield client


def send_for(client, limit_s):
    """An octet every 50 ms."""
    end = time.monotonic() + limit_s
    poller = select.poll()
    poller.register(client, select.POLLERR | select.POLLHUP)
    while time.monotonic() < end:
        client.sendall(b"x")
        poller.poll(50)


def test_linger_timeout_bounds_what_is_read_after_the_last_reply(tmp_path):
    with lingered_for(tmp_path, "0.2") as client, pytest.raises(OSError, match=r"reset|Broken pipe"):
        send_for(client, WAIT_S)

    with lingered_for(tmp_path, "30") as client:
        send_for(client, 2.5)  # the default is 2 s


def test_lifespan_timeout_bounds_the_start(penstock, tmp_path):
    (tmp_path / "shop.py").write_text(
        "import asyncio\n"
        "from contextlib import asynccontextmanager\n"
        "from penstock import App\n"
        "@asynccontextmanager\n"
        "async def lifespan(app):\n"
        "    await asyncio.sleep(60)\n"
        "    yield\n"
        "app = App(lifespan=lifespan)\n"
    )

    done = penstock("run", "shop:app", "--port", "0", "--lifespan-timeout", "0.3")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("penstock: error: the application did not start within 0.3 s")


# -------------------------------------------------------------------------------------------------------------- limits

CHUNKED = request("/", "Transfer-Encoding: chunked", method="POST")


LIMITS = {
    "request_line_limit": ("64", request("/?" + "x" * 64), 414),
    "head_limit": ("256", request("/", "X: " + "x" * 256), 431),
    "field_limit": ("2", request("/", "A: 1", "B: 2"), 431),
    "content_limit": ("4", request("/", "Content-Length: 5", method="POST") + b"12345", 413),
    "chunk_line_limit": ("16", CHUNKED + b"1;" + b"x" * 32 + b"\r\nx\r\n0\r\n\r\n", 400),
    "trailer_limit": ("16", CHUNKED + b"1\r\nx\r\n0\r\nA: " + b"x" * 32 + b"\r\n\r\n", 431),
    "trailer_field_limit": ("1", CHUNKED + b"1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", 431),
}


@pytest.mark.parametrize("key", LIMITS)
def test_limit_is_answered_beyond_it(tmp_path, key):
    value, octets, status = LIMITS[key]

    with serving(tmp_path) as server:
        assert status_of(server.exchange(octets)) == 200
    with serving(tmp_path, "--" + key.replace("_", "-"), value) as server:
        assert status_of(server.exchange(octets)) == status


def test_pipeline_buffer_takes_requests_while_one_is_served(tmp_path):
    # More than the kernel buffers on both sides hold (tcp_rmem and tcp_wmem end at 6 and 4 MiB).
    octets = request("/release", "X: " + "x" * 8000) * 3000

    with (
        serving(tmp_path, "--pipeline-buffer", "32MiB") as server,
        server.connect(request("/wait") + octets) as client,
    ):
        server.get("/release")
        reply = read_reply(client)

    assert b"waited" in reply


# --------------------------------------------------------------------------------------------------- log and responses


def start_silently(folder, *words):
    """A server that may print no banner: found by its port."""
    port = free_port()
    child = start(folder, APPLICATION, "--port", str(port), *words)
    server = Server(child, f"http://127.0.0.1:{port}")
    end = time.monotonic() + WAIT_S
    while True:
        try:
            server.get("/")
            return server
        except ConnectionRefusedError:
            assert child.poll() is None
            assert time.monotonic() < end


def stop(server):
    """What it printed from the banner on."""
    server.child.send_signal(signal.SIGTERM)
    output, errors = server.child.communicate(timeout=WAIT_S)
    return output + errors


@pytest.mark.parametrize(("seconds", "is_told"), [("0.0001", True), ("0", False)])
def test_slow_request_tells_of_requests_that_take_longer(tmp_path, seconds, is_told):
    with serving(tmp_path, "--slow-request", seconds) as server:
        server.get("/process")
        printed = stop(server)

    assert ("slow request: GET /process took" in printed) is is_told


@pytest.mark.parametrize(("seconds", "is_told"), [("0.1", True), ("0", False)])
def test_blocked_loop_tells_of_a_loop_that_stands_still_longer(tmp_path, seconds, is_told):
    with serving(tmp_path, "--blocked-loop", seconds) as server:
        server.get("/block-a-while")
        server.get("/")
        printed = stop(server)

    assert ("block_a_while" in printed) is is_told


@pytest.mark.parametrize(("flag", "is_logged"), [("--access-log", True), ("--no-access-log", False)])
def test_access_log_has_a_line_for_each_request(tmp_path, flag, is_logged):
    with serving(tmp_path, flag) as server:
        server.get("/")
        printed = stop(server)

    assert ('"GET / HTTP/1.1" 200' in printed) is is_logged


def line_in_flight(folder, target, *words):
    """How the status of the server tells a request that is under way."""
    path = folder / "admin.sock"
    with serving(folder, "--admin", f"unix:{path}", *words) as server, server.connect(request(target)):
        end = time.monotonic() + WAIT_S
        while not (found := re.search(rb"GET /wait[^ ]* HTTP", ask_unix(path, "/status"))):
            assert time.monotonic() < end
            time.sleep(0.05)
        server.get("/release")
    return found[0]


def test_redact_hides_values_of_a_name(tmp_path):
    line = line_in_flight(tmp_path, "/wait?customerId=77&page=2", "--redact", "customer-id")

    assert line == b"GET /wait?customerId=[redacted]&page=2 HTTP"


def test_redact_pattern_hides_what_it_finds(tmp_path):
    line = line_in_flight(tmp_path, "/wait?case=AB-77&page=2", "--redact-pattern", "[A-Z]{1,3}-[0-9]+")

    assert line == b"GET /wait?case=[redacted]&page=2 HTTP"


def test_redact_pattern_that_is_none_is_refused_at_the_start(penstock, tmp_path):
    done = penstock("run", "shop:app", "--redact-pattern", "(")

    assert done.returncode == 2
    assert "redact_pattern" in done.stderr or "--redact-pattern" in done.stderr


def test_log_file_gets_the_log(tmp_path):
    with serving(tmp_path, "--log-file", "server.log") as server:
        server.get("/")
        printed = stop(server)

    logged = (tmp_path / "server.log").read_text()
    assert '"GET / HTTP/1.1" 200' in logged
    assert "penstock.server stopped" in logged
    assert "stopped" not in printed


def test_access_log_file_gets_the_access_log(tmp_path):
    with serving(tmp_path, "--access-log-file", "access.log") as server:
        server.get("/")
        printed = stop(server)

    logged = (tmp_path / "access.log").read_text()
    assert '"GET / HTTP/1.1" 200' in logged
    assert "stopped" not in logged
    assert "penstock.server stopped" in printed


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("auto", True), ("text", False)])
def test_log_format_is_that_of_each_line(tmp_path, form, is_json):
    server = start_silently(tmp_path, "--log-format", form)

    with server.child:
        lines = stop(server).splitlines()

    assert len(lines) >= 3
    if is_json:  # the banner, too; nobody looks at a pipe
        told = [json.loads(line) for line in lines]
        assert {"penstock.access", "penstock.server"} == {one["logger"] for one in told}
        assert told[-1]["message"] == "stopped"
    else:
        assert lines[-1].endswith(" INFO penstock.server stopped")


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("json", r'\{"time":.*,"path":"/pool","route":"/pool",.*\}'),
        ("text", r'\S+ INFO penstock\.access 127\.0\.0\.1 "GET /pool HTTP/1\.1" 200 .*'),
        ("common", r'127\.0\.0\.1 - - \[.* \+0000\] "GET /pool\?a=b HTTP/1\.1" 200 \d+'),
        ('%m %U "%{X-Word}i" %s%%', 'GET /pool "a\\\\"b" 200%'),
    ],
)
def test_access_log_format_is_that_of_its_lines(tmp_path, form, line):
    with serving(tmp_path, "--access-log-file", "access.log", "--access-log-format", form) as server:
        server.exchange(b'GET /pool?a=b HTTP/1.1\r\nHost: t\r\nX-Word: a"b\r\nConnection: close\r\n\r\n')
        stop(server)

    (found,) = (tmp_path / "access.log").read_text().splitlines()
    assert re.fullmatch(line, found)


def test_access_log_format_that_cannot_be_understood_is_refused(penstock):
    done = penstock("check", "--access-log-format", "%h %Z")

    assert done.returncode == 2
    assert "--access-log-format: %Z is no directive of this log" in done.stderr


def test_access_log_sample_leaves_out_successes_and_no_errors(tmp_path):
    with serving(tmp_path, "--access-log-file", "access.log", "--access-log-sample", "0") as server:
        server.get("/")
        server.get("/absent")
        stop(server)

    (line,) = (tmp_path / "access.log").read_text().splitlines()
    assert '"GET /absent HTTP/1.1" 404' in line
    assert "sampled=0" in line


def test_access_log_exclude_leaves_out_what_is_asked_all_the_time(tmp_path):
    words = ("--access-log-file", "access.log", "--access-log-exclude", "/pool,/absent")
    with serving(tmp_path, *words) as server:
        for path in ("/", "/pool", "/absent"):
            server.get(path)
        stop(server)

    lines = (tmp_path / "access.log").read_text().splitlines()
    assert [line.split()[5] for line in lines] == ["/", "/absent"]  # it is no success


@pytest.mark.parametrize(("level", "is_logged"), [("info", True), ("warning", False)])
def test_log_level_is_the_least_that_is_logged(tmp_path, level, is_logged):
    server = start_silently(tmp_path, "--log-level", level)

    with server.child:
        printed = stop(server)

    assert ("Penstock " in printed) is is_logged
    assert ("stopped" in printed) is is_logged
    assert ('"GET / HTTP/1.1" 200' in printed) is is_logged


def test_server_header_is_sent(tmp_path):
    with serving(tmp_path) as server:
        assert b"server:" not in server.get("/").lower()

    with serving(tmp_path, "--server-header", "Valve/2 (test)") as server:
        assert b"server: valve/2 (test)\r\n" in server.get("/").lower()


# ---------------------------------------------------------------------------------------------------------- operations


def test_admin_answers_while_the_server_cannot(tmp_path):
    path = tmp_path / "admin.sock"
    with serving(tmp_path, "--admin", f"unix:{path}") as server, server.connect(request("/block")) as client:
        probes = [ask_unix(path, probe) for probe in ("/livez", "/readyz", "/metrics")]
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)

    assert [status_of(reply) for reply in probes] == [200] * 3


@pytest.mark.parametrize(("flag", "is_counted"), [("--metrics", True), ("--no-metrics", False)])
def test_metrics_count_requests(tmp_path, flag, is_counted):
    path = tmp_path / "admin.sock"
    with serving(tmp_path, "--admin", f"unix:{path}", flag) as server:
        server.get("/")
        line = b'"route":"/","method":"GET","status":"200","value":1'
        end = time.monotonic() + (WAIT_S if is_counted else 0.5)
        while line not in (reply := ask_unix(path, "/metrics")) and time.monotonic() < end:
            time.sleep(0.02)

    assert (line in reply) is is_counted


def test_release_is_told_with_the_figures(tmp_path):
    path = tmp_path / "admin.sock"
    with serving(tmp_path, "--admin", f"unix:{path}", "--release", "2026-11-20.3"):
        reply = ask_unix(path, "/health")

    assert b'"release":"2026-11-20.3"' in reply


def test_pid_file_names_the_process_to_signal(tmp_path):
    path = tmp_path / "shop.pid"

    with serving(tmp_path, "--pid-file", str(path), "--workers", "2") as server:
        found = int(path.read_text())
        assert found == server.child.pid
        os.kill(found, signal.SIGTERM)
        server.child.wait(WAIT_S)

    assert not path.exists()


def test_pid_file_of_a_live_server_is_refused(penstock, tmp_path):
    with serving(tmp_path, "--pid-file", "shop.pid") as server:
        done = penstock("run", "shop:app", "--port", "0", "--pid-file", "shop.pid")

        message = f"{tmp_path}/shop.pid is that of process {server.child.pid}, which runs; stop it first"
        assert (done.returncode, done.stderr) == (2, f"penstock: error: pid_file: {message}\n")
        assert server.get_json("/pid") == int((tmp_path / "shop.pid").read_text())


def test_user_is_who_serves():
    with unprivileged.public_folder() as folder, unprivileged.serving(folder, "--user", "nobody") as (_, url):
        assert unprivileged.ask(url)["users"] == [pwd.getpwnam("nobody").pw_uid] * 3


def test_group_is_that_of_who_serves():
    words = ["--user", "nobody", "--group", "daemon"]
    with unprivileged.public_folder() as folder, unprivileged.serving(folder, *words) as (_, url):
        assert unprivileged.ask(url)["groups"] == [grp.getgrnam("daemon").gr_gid] * 3


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_compression_is_of_responses(tmp_path, words):
    with serving(tmp_path, "--compression", *words) as server:
        octets = server.exchange(b"GET /long HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")

    head, _, content = octets.partition(b"\r\n\r\n")
    assert b"\r\nContent-Encoding: gzip\r\n" in head
    assert gzip.decompress(content) == b"long" * 1000


def test_server_timing_is_told_to_clients(tmp_path):
    with serving(tmp_path, "--server-timing") as server:
        head = server.exchange(b"GET / HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")[0]

    assert re.search(rb"\r\nServer-Timing: app;dur=[0-9.]+, queue;dur=[0-9.]+(\r\n|$)", head)


def test_otel_sends_spans_to_a_collector(tmp_path):
    import_package("opentelemetry.exporter.otlp.proto.http")
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(WAIT_S)
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.getsockname()[1]}",
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }
        with serving(tmp_path, "--otel", **told) as server:
            server.get("/")
            with collector.accept()[0] as sender:
                sender.settimeout(WAIT_S)
                head = sender.recv(65_536)

    assert head.startswith(b"POST /v1/traces HTTP/1.1\r\n")


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_umask_is_that_of_files_made(tmp_path, words):
    with serving(tmp_path, "--umask", "077", *words) as server:
        made = server.get_json("/make")

    assert made == 0o600


@pytest.mark.parametrize("words", [(), ("--workers", "2"), ("--workers", "2", "--preload")])
def test_chdir_is_where_the_application_is_found_and_runs(tmp_path, words):
    there = tmp_path / "there"
    there.mkdir()
    (there / "shop.py").write_text(APPLICATION)

    with running(tmp_path, "a fault", "--port", "0", "--chdir", str(there), *words) as (child, lines):
        seen = Server(child, find_url(lines)).get_json("/directory")

    assert seen == str(there)


def test_chdir_is_told_when_it_is_not_there(penstock, tmp_path):
    done = penstock("run", "shop:app", "--port", "0", "--chdir", "absent")

    assert (done.returncode, done.stderr) == (
        2,
        "penstock: error: chdir: absent: No such file or directory\n",
    )


def test_chdir_follows_its_link_anew_at_a_reload(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.py").write_text(APPLICATION)
    current = tmp_path / "current"
    current.symlink_to("one")

    with serving(tmp_path, "--workers", "2", "--chdir", str(current)) as server:
        assert server.get_json("/directory") == str(tmp_path / "one")
        current.unlink()
        current.symlink_to("two")
        server.child.send_signal(signal.SIGHUP)
        server.wait_until("/directory", lambda seen: seen == str(tmp_path / "two"))


# ----------------------------------------------------------------------------------------------------------- websocket


def test_ws_message_limit_closes_beyond_it(tmp_path):
    with serving(tmp_path) as server, Peer(server.port, "/echo") as peer:
        peer.send(frame(TEXT, b"12345"))
        assert peer.take().data == b"12345"

    with serving(tmp_path, "--ws-message-limit", "4") as server, Peer(server.port, "/echo") as peer:
        peer.send(frame(TEXT, b"1234"))
        assert peer.take().data == b"1234"
        peer.send(frame(TEXT, b"12345"))
        assert peer.take().code == 1009


@pytest.mark.parametrize(("words", "waits"), [((), False), (("--ws-queue-limit", "2"), True)])
def test_ws_queue_limit_lets_the_client_wait(tmp_path, words, waits):
    """The handler takes none: what does not wait in the queue waits in the kernel, and the ping behind it, too."""
    with serving(tmp_path, *words) as server, Peer(server.port, "/deaf") as peer:
        peer.send(frame(TEXT, b"1"), frame(TEXT, b"2"), frame(PING, b"behind"))
        if waits:
            peer.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                peer.take()
        else:
            assert peer.take().data == b"behind"


def test_ws_ping_interval_asks_a_silent_client(tmp_path):
    with serving(tmp_path, "--ws-ping-interval", "0.1") as server, Peer(server.port, "/echo") as peer:
        assert peer.take().opcode == PING


def test_ws_ping_timeout_cuts_off_a_dead_client(tmp_path):
    words = ("--ws-ping-interval", "0.1", "--ws-ping-timeout", "0.1")

    with serving(tmp_path, *words) as server, Peer(server.port, "/echo") as peer:
        assert peer.take().opcode == PING
        assert peer.ends()


def test_ws_close_timeout_cuts_off_who_does_not_close(tmp_path):
    with serving(tmp_path, "--ws-close-timeout", "0.1") as server, Peer(server.port, "/brief") as peer:
        assert peer.take().code == 1000
        assert peer.ends()


@pytest.mark.parametrize(
    ("flag", "is_compressed"), [("--ws-compression", True), ("--no-ws-compression", False)]
)
def test_ws_compression_is_agreed_to(tmp_path, flag, is_compressed):
    offer = "Sec-WebSocket-Extensions: permessage-deflate"

    with serving(tmp_path, flag) as server, Peer(server.port, "/echo", offer) as peer:
        assert (peer.field("sec-websocket-extensions") is not None) is is_compressed
        peer.send(frame(TEXT, b"a" * 50))
        assert (peer.take().rsv == 4) is is_compressed


# --------------------------------------------------------------------------------------------------------- development

BROKEN = (
    APPLICATION
    + """
@app.get("/broken")
async def broken() -> str:
    return str(1 / 0)
"""
)


def test_development_shows_failures_to_the_client_and_else_nobody_sees_them(tmp_path):
    replies = []
    for flag in ("--development", "--no-development"):
        with running(tmp_path, BROKEN, "--port", "0", flag) as (child, lines):
            replies.append(Server(child, find_url(lines)).get("/broken"))

    assert [status_of(reply) for reply in replies] == [500, 500]
    assert b"return str(1 / 0)" in replies[0]
    assert b"shop.py" not in replies[1]
    assert b"ZeroDivisionError" not in replies[1]


def test_reload_starts_a_saved_application_anew(tmp_path):
    with serving(tmp_path, "--reload") as server:
        pid = server.get_json("/pid")
        (tmp_path / "shop.py").write_text(APPLICATION.replace('return "served"', 'return "served anew"'))
        wait_for_another(server, pid)
        reply = server.get("/")

    assert reply.endswith(b"served anew")


def test_reload_dir_is_watched_too(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "shared").mkdir()
    with serving(tmp_path / "work", "--reload", "--reload-dir", str(tmp_path / "shared")) as server:
        pid = server.get_json("/pid")
        (tmp_path / "shared" / "prices.py").write_text("new = True")
        wait_for_another(server, pid)


def test_reload_include_adds_files(tmp_path):
    with serving(tmp_path, "--reload", "--reload-include", "*.html") as server:
        pid = server.get_json("/pid")
        (tmp_path / "page.html").write_text("new")
        wait_for_another(server, pid)


def test_reload_exclude_passes_over_files(tmp_path):
    with serving(tmp_path, "--reload", "--reload-exclude", "made_*") as server:
        pid = server.get_json("/pid")
        (tmp_path / "made_one.py").write_text("new")
        (tmp_path / "other.py").write_text("new")
        wait_for_another(server, pid)
        printed = stop(server)

    assert "other.py: reloading" in printed
    assert "made_one" not in printed


# ----------------------------------------------------------------------------------------------------------- every one


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_no_flag_is_forgotten_here(setting):
    tests = [name for name in globals() if name.startswith(f"test_{setting.key}_")]

    assert tests or setting.key in LIMITS
