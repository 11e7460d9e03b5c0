"""A `Server` in a thread of its own with handlers given by path, and a plain socket to it.

`serve(routes, ...)` runs inside a `with` block; at its end the server is stopped in order, and what it logged with a
traceback fails the test unless `faults` says that some are wanted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from penstock.http.handler import INLINE, TASK, THREAD, Endpoint
from penstock.http.request import Request
from penstock.http.response import Response, TextResponse
from penstock.server.config import Config
from penstock.server.serve import Server
from penstock.wire.limits import STANDARD_METHODS
from tests.wire.replies import Reply, take_reply

ROOT = Path(__file__).parents[2]
RUNS = {"inline": INLINE, "task": TASK, "thread": THREAD}
WAIT_S = 20.0


def wait_until(condition: Callable[[], Any], what: str = "the condition", timeout_s: float = WAIT_S) -> None:
    """Return once `condition()` is true; fail with `what` otherwise."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.002)


def endpoint(run: str, call: Callable[[Request], Any], **options: Any) -> Endpoint:
    """An endpoint for a plain function; for "task" a coroutine function is made of it."""
    if run != "task" or asyncio.iscoroutinefunction(call):
        return Endpoint(call, RUNS[run], **options)

    async def coroutine(request: Request) -> Response:
        return call(request)

    return Endpoint(coroutine, TASK, **options)


class Routes:
    """A Handler: endpoints by path, 404 for others; what comes before the first `.` of a path is its name."""

    methods = STANDARD_METHODS

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self.endpoints = dict(endpoints)
        self.none = Endpoint(lambda request: TextResponse("no such path", 404))
        self.view: Any = None
        self.events: list[str] = []

    def resolve(self, request: Request) -> Endpoint:
        name = request.raw_path.partition(b".")[0].decode("ascii")
        return self.endpoints.get(name, self.none)

    async def startup(self, server: Any) -> None:
        self.view = server
        self.events.append("startup")

    async def shutdown(self) -> None:
        self.events.append("shutdown")


class Log(logging.Handler):
    """Every record of the server and of asyncio."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def messages(self, part: str = "") -> list[str]:
        return [text for record in self.records if part in (text := record.getMessage())]

    def tracebacks(self) -> list[str]:
        formatter = logging.Formatter()
        return [formatter.format(record) for record in self.records if record.exc_info]


class Running:
    """A server that runs: `port`, `log`, `routes`, and its insides."""

    def __init__(self, routes: Any, settings: dict[str, Any]) -> None:
        self.routes = routes
        self.log = Log()
        defaults = {"port": 0, "access_log": False, "log_level": "error", "linger_timeout_s": 2.0}
        self.server = Server(routes, Config(**{**defaults, **settings}), handles_signals=False)
        self._clients: list[Client] = []
        self.exit_status: int | None = None
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def _run(self) -> None:
        try:
            self.exit_status = self.server.run()
        except BaseException as error:
            self.failure = error

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self.server.urls or not self._thread.is_alive(), "the server starts")
        if self.failure is not None:
            raise self.failure
        self.urls = self.server.urls
        ports = [urlsplit(url).port for url in self.urls]
        self.port = next((port for port in ports if port is not None), 0)

    @property
    def reactor(self) -> Any:
        return self.server._reactor

    @property
    def connections(self) -> list[Any]:
        return list(self.reactor.connections)

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Have the loop call `function(*args)`."""
        self.reactor.loop.call_soon_threadsafe(function, *args)

    def begin_stop(self) -> None:
        try:
            self.call(self.server.stop)
        except RuntimeError:
            pass  # the loop has ended already

    def join(self, timeout_s: float = WAIT_S) -> None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the server does not end"

    def stop(self) -> None:
        if self._thread.is_alive():
            self.begin_stop()
        self.join()
        if self.failure is not None:
            raise self.failure

    def connect(self, octets: bytes = b"", **options: Any) -> Client:
        client = Client(self.port, **options)
        self._clients.append(client)
        if octets:
            client.send(octets)
        return client

    def ask(self, target: str, **options: Any) -> Reply:
        """One request on a connection of its own."""
        with self.connect() as client:
            return client.ask(target, **options)

    def wait_idle(self) -> None:
        """Wait until no connection is left, nor one that was made and is not accepted yet."""
        wait_until(lambda: not any(map(_backlog, self.reactor._listeners)), "the connections are accepted")
        turned = threading.Event()
        try:
            self.call(turned.set)  # the turn of the loop that accepted the last has added it by then
        except RuntimeError:
            turned.set()  # the loop has ended
        wait_until(lambda: turned.is_set() or not self._thread.is_alive(), "the loop turns")
        wait_until(lambda: not self.reactor.connections, "the connections close")


def _backlog(listener: Any) -> int:
    """Return how many connections wait to be accepted; 0 where the kernel does not tell."""
    try:
        told = listener._sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_INFO", 11), 28)
    except OSError:
        return 0
    return int.from_bytes(told[24:28], sys.byteorder)  # tcpi_unacked, the length of a listener's queue


@contextmanager
def serve(
    routes: Mapping[str, Endpoint] | Any, *, faults: bool = False, **settings: Any
) -> Iterator[Running]:
    """A server that runs inside the block. `faults`: the test wants tracebacks in the log, and looks at them itself."""
    running = Running(Routes(routes) if isinstance(routes, Mapping) else routes, settings)
    names = ("penstock", "asyncio")
    levels = [logging.getLogger(name).level for name in names]
    for name in names:
        logging.getLogger(name).addHandler(running.log)
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        running.start()
        yield running
    finally:
        for client in running._clients:
            client.close()
        try:
            if running._thread.is_alive() or running.failure is not None:
                running.stop()
        finally:
            for name, level in zip(names, levels, strict=True):
                logging.getLogger(name).removeHandler(running.log)
                logging.getLogger(name).setLevel(level)
    if not faults:
        assert not running.log.tracebacks(), "\n".join(running.log.tracebacks())


def request(
    target: str = "/",
    method: str = "GET",
    *fields: str,
    body: bytes | None = None,
    version: str = "1.1",
) -> bytes:
    """The octets of a request; Content-Length is added for a body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: test", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


class Client:
    """One connection: `send`, `take` replies one by one, `ends` when the server has ended it."""

    def __init__(self, port: int, *, receive_buffer_bytes: int = 0, timeout_s: float = WAIT_S) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.octets = b""
        self.interim: list[int] = []
        self.sizes: list[int] = []
        """How many octets each receive gave."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leave with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def ask(self, target: str = "/", method: str = "GET", *fields: str, **options: Any) -> Reply:
        self.send(request(target, method, *fields, **options))
        reply = self.take(method)
        assert reply is not None, "the connection ended without a reply"
        return reply

    def receive(self, size: int = 262_144) -> bytes:
        data = self.socket.recv(size)
        self.sizes.append(len(data))
        self.octets += data
        return data

    def take(self, method: str = "GET") -> Reply | None:
        """The next final reply; None when the connection ended in its place."""
        ended = False
        self.interim = []
        while True:
            found = take_reply(self.octets, method, ended=ended)
            if found is not None:
                reply, self.octets = found
                if reply.status >= 200:
                    return reply
                self.interim.append(reply.status)
            elif ended:
                assert self.octets == b"", f"the reply is cut short: {self.octets[:300]!r}"
                return None
            else:
                ended = not self.receive()

    def take_head(self) -> bytes:
        """The head of the next reply; what follows stays in `octets`."""
        while b"\r\n\r\n" not in self.octets:
            assert self.receive(), f"the connection ended in the head: {self.octets!r}"
        head, _, self.octets = self.octets.partition(b"\r\n\r\n")
        return head

    def take_all(self) -> bytes:
        """Everything up to the end of the connection."""
        pieces = [self.octets]
        self.octets = b""
        while data := self.socket.recv(262_144):
            pieces.append(data)
        return b"".join(pieces)

    def ends(self) -> bool:
        """Wait for the end of the connection; False when octets came instead."""
        return self.octets == b"" and self.socket.recv(65_536) == b""


class Gate:
    """Something a handler waits at, in a thread or on the loop, until the test opens it."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self.reached = threading.Event()
        self.count = 0

    def wait(self) -> None:
        self.count += 1
        self.reached.set()
        assert self._is_open.wait(WAIT_S), "nobody opened the gate"

    async def wait_async(self) -> None:
        self.count += 1
        self.reached.set()
        end = time.monotonic() + WAIT_S
        while not self._is_open.is_set():
            assert time.monotonic() < end, "nobody opened the gate"
            await asyncio.sleep(0.002)

    def wait_reached(self) -> None:
        assert self.reached.wait(WAIT_S), "nobody came to the gate"

    def open(self) -> None:
        self._is_open.set()


__all__ = ["Client", "Gate", "Routes", "Running", "endpoint", "request", "serve", "wait_until"]
