"""Helpers for tests with several workers: their pids, and load that retries nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.serving import WAIT_S, Serving, environment, receive, serving

APPLICATION = """
import asyncio, os, time
from penstock import App, Request, StreamResponse

app = App()

@app.get("/", run="inline")
def home() -> str:
    return "VERSION"

@app.get("/pid", run="inline")
def pid() -> str:
    return str(os.getpid())

@app.get("/task/{seconds:float}")
async def task(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return str(os.getpid())

@app.get("/thread/{seconds:float}")
def thread(seconds: float) -> str:
    time.sleep(seconds)
    return str(os.getpid())

@app.get("/endless")
async def endless() -> StreamResponse:
    async def ticks():
        while True:
            yield b"tick\\n"
            await asyncio.sleep(0.05)
    return StreamResponse(ticks())
"""


def write(folder, text=APPLICATION):
    """Put the application where the server finds it; newer than the bytecode of the last one."""
    path = folder / "shop.py"
    path.write_text(text)
    later = time.time() + 10
    os.utime(path, (later, later + len(text)))


@contextmanager
def workers(folder, *flags, count=2, text=APPLICATION, is_cut_short=False, **options):
    """A server with so many workers, in `folder`; `is_cut_short`: it does not come to an orderly end."""
    write(folder, text)
    words = ("shop:app", "--workers", str(count), "--no-access-log", *flags)
    if not is_cut_short:
        with serving(*words, cwd=folder, **options) as server:
            yield server
        return
    server = Serving(*words, cwd=folder, **options)
    try:
        yield server
    finally:
        server.kill()


def run_to_end(folder, text, *flags):
    """A server that does not come up: exit code and what it wrote to stderr."""
    write(folder, text)
    command = [sys.executable, "-m", "penstock", "run", "shop:app", "--port", "0", *flags]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    return done.returncode, done.stderr


def children(server):
    """The pids of its workers."""
    pid = server.process.pid
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait_until(condition, what):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def get(server, path):
    """The content of one reply."""
    return receive(server.ask(path, "Connection: close")).partition(b"\r\n\r\n")[2].decode()


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Load:
    """Clients with kept connections that ask one path after the other; what went wrong is in `failures`."""

    def __init__(self, server, paths, clients=8):
        self.count = 0
        self.failures = []
        self._port = server.port
        self._paths = paths
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._is_over.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def _ask(self, number):
        client, at = None, number
        while not self._is_over.is_set():
            try:
                if client is None:
                    client = socket.create_connection(("127.0.0.1", self._port), WAIT_S)
                at += 1
                head = self._exchange(client, self._paths[at % len(self._paths)])
                self.count += 1
                if b"\r\nConnection: close" in head:
                    client.close()
                    client = None
            except OSError as error:
                self.failures.append(repr(error))
                if client is not None:
                    client.close()
                client = None
        if client is not None:
            client.close()

    def _exchange(self, client, path):
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            piece = client.recv(65_536)
            if not piece:
                raise ConnectionError(f"ended in the place of a reply, after {received!r}")
            received += piece
        head, _, content = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"not 200: {head!r}")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(content) < length:
            piece = client.recv(65_536)
            if not piece:
                raise ConnectionError(f"a reply is cut short: {received!r}")
            content += piece
        return head


def reload(server):
    """SIGHUP, and wait until every worker is another."""
    before = children(server)
    count = server.log.count("reload done")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.log.count("reload done") > count, server.log)
    return before
