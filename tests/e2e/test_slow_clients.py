"""Slow heads, slow content and slow readers by the hundred: others are served at speed, and each is cut off."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter
from statistics import median

from tests.e2e.serving import WAIT_S, serving
from tests.e2e.workers import wait_until, write

APPLICATION = """
from penstock import App, BodyStream, Request, StreamResponse

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "served"

@app.get("/task")
async def task() -> str:
    return "served"

@app.get("/thread")
def thread() -> str:
    return "served"

@app.post("/collected")
async def collected(request: Request) -> int:
    return len(request.body)

@app.post("/streamed")
async def streamed(stream: BodyStream) -> int:
    return len(await stream.read())

@app.get("/large")
async def large() -> StreamResponse:
    async def pieces():
        for _ in range(512):
            yield bytes(65_536)
    return StreamResponse(pieces())
"""

OPENINGS = {
    "head": b"GET / HTTP/1.1\r\nHost: t\r\nX-Slow: ",
    "collected": b"POST /collected HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n",
    "streamed": b"POST /streamed HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n",
    "reader": b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n",
}
EACH = 150
TICK_S = 0.02
SHARES = 20  # so each client moves an octet every 0.4 s
FLAGS = ("--head-timeout", "4", "--content-timeout", "4", "--write-timeout", "4", "--no-access-log")


class SlowClients:
    """So many of each kind, moving an octet at a time until the server has had enough of them."""

    def __init__(self, port):
        self._port = port
        self._clients = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.ends = Counter()
        """How each kind ended: by a reply with that status, or cut off."""

    def __enter__(self):
        for kind, opening in OPENINGS.items():
            for _ in range(EACH):
                client = socket.socket()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", self._port))
                client.sendall(opening)
                client.setblocking(False)
                self._clients[client] = kind
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._is_over.set()
        self._thread.join(WAIT_S)
        for client in self._clients:
            client.close()

    @property
    def count(self):
        return len(self._clients)

    def _run(self):
        share = 0
        while self._clients and not self._is_over.wait(TICK_S):
            share = (share + 1) % SHARES
            for client in list(self._clients)[share::SHARES]:
                self._move(client)

    def _move(self, client):
        kind = self._clients[client]
        try:
            if kind == "reader":
                if client.recv(1) == b"":
                    self._end(client, "cut")
                return
            client.send(b"x")
            reply = client.recv(4096)
            self._end(client, reply[9:12].decode() if reply else "closed")
        except BlockingIOError:
            pass
        except OSError:
            self._end(client, "cut")

    def _end(self, client, how):
        self.ends[self._clients.pop(client), how] += 1
        client.close()


def ask(client, path):
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
    reply = client.recv(4096)
    assert reply.startswith(b"HTTP/1.1 200 "), reply


def late(took_s):
    """What one in a hundred took longer than."""
    return sorted(took_s)[len(took_s) * 99 // 100]


def test_a_normal_client_is_served_at_speed_among_hundreds_of_slow_ones(tmp_path):
    write(tmp_path, APPLICATION)
    took_s, took_alone_s = [], []

    def ask_each(server, kept, took_s):
        for path in ("/", "/task", "/thread"):
            begun = time.monotonic()
            ask(kept, path)
            took_s.append(time.monotonic() - begun)
        begun = time.monotonic()
        with server.connect() as new:
            ask(new, "/")
        took_s.append(time.monotonic() - begun)

    with serving("shop:app", *FLAGS, cwd=tmp_path) as server, server.connect() as kept:
        for _ in range(100):
            ask_each(server, kept, took_alone_s)
        with SlowClients(server.port) as slow:
            assert slow.count == EACH * len(OPENINGS)
            while slow.count > 2 * EACH and len(took_s) < 3000:
                ask_each(server, kept, took_s)

            wait_until(lambda: slow.count <= EACH, "those that send are cut off")
            # Their kernels have enough for them to go on reading what had left before they were cut off.
            wait_until(
                lambda: server.log.count("did not read its reply") == EACH, "those that read are cut off"
            )

    assert len(took_s) > 100
    # Who is held up waits for seconds. What else the machine does is in what it took alone, too.
    assert median(took_s) < 0.05 + 5 * median(took_alone_s)
    assert late(took_s) < 0.5 + 10 * late(took_alone_s)
    assert {kind for kind, _ in slow.ends} == {"head", "collected", "streamed"}
    assert {how for _, how in slow.ends} <= {"408", "cut"}
    assert sum(count for (_, how), count in slow.ends.items() if how == "408") > EACH


def test_hundreds_that_connect_and_say_nothing_are_closed(tmp_path):
    write(tmp_path, APPLICATION)
    with serving("shop:app", *FLAGS, "--head-timeout", "0.5", cwd=tmp_path) as server:
        selector = selectors.DefaultSelector()
        for _ in range(300):
            selector.register(server.connect(), selectors.EVENT_READ)
        end = time.monotonic() + WAIT_S
        while selector.get_map():
            assert time.monotonic() < end, f"{len(selector.get_map())} are left"
            for key, _ in selector.select(1):
                assert key.fileobj.recv(1) == b""
                selector.unregister(key.fileobj)
                key.fileobj.close()
        selector.close()
