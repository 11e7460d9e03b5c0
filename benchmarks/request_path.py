"""The whole path of one request in Python, without the kernel: `Connection.on_ready` with a socket that is
none.

The socket gives the same octets each time and takes all it is sent, so what is left is what Penstock adds
to recv and send. The cost of the stand-in's own two calls is measured beside it and taken off. For `def`
handlers in threads 64 connections are made ready, as a loop would find them, and all replies awaited:
hand-over and switching are part of the figure.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from itertools import repeat
from typing import TYPE_CHECKING, Any

from benchmarks.apps.penstock_apps import in_threads, inline, on_loop
from benchmarks.command import main
from benchmarks.plan import TARGETS
from benchmarks.report import Options, Report
from benchmarks.timing import Case, Figure, take_off, time_cases
from penstock.server.config import Config
from penstock.server.poller import IN
from penstock.server.reactor import Reactor
from penstock.server.threads import ThreadPool
from penstock.server.transport import IDLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock import App
    from penstock.server.connection import Connection

_BATCH = 1_000
_CONNECTIONS = 64
_TIME_LIMIT_S = 10


class StandIn:
    """In place of a socket: a request is always there, a reply always taken."""

    def __init__(self, octets: bytes) -> None:
        self._sock = socket.socket()  # for a descriptor that can be polled
        self._octets = memoryview(octets)
        self.replies = 0
        self.reply = b""

    def fileno(self) -> int:
        return self._sock.fileno()

    def recv(self, _limit: int) -> bytes:
        return bytes(
            self._octets
        )  # a new object, as from the kernel: nothing is known of it, its hash neither

    def send(self, octets: bytes) -> int:
        self.reply = octets
        self.replies += 1
        return len(octets)

    def close(self) -> None:
        self._sock.close()


class NoServer:
    """What an application sees of the server here: nothing to see."""

    @property
    def draining(self) -> Any:
        raise NotImplementedError

    @property
    def in_development(self) -> bool:
        return False

    def thread_pool(self) -> dict[str, int]:
        return {}

    def run_eagerly(self, coroutine: Any) -> Any:
        raise NotImplementedError

    def run_soon(self, coroutine: Any) -> Any:
        raise NotImplementedError

    def keep(self, task: Any) -> None:
        raise NotImplementedError

    async def run_in_thread(self, *_: object) -> Any:
        raise NotImplementedError

    async def run_in_process(self, *_: object) -> Any:
        raise NotImplementedError

    async def continue_in_thread(self, *_: object) -> Any:
        raise NotImplementedError

    @property
    def websocket(self) -> Any:
        raise NotImplementedError

    @property
    def explain(self) -> None:
        return None


def make_request(target: str) -> bytes:
    """Return what a simple client sends."""
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n".encode("ascii")


class Bench:
    """A reactor with connections that were never made."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, app: App, target: str, connections: int, pool: ThreadPool
    ) -> None:
        app.compile()
        self.reactor = Reactor(loop, Config(access_log=False), app, NoServer(), pool)
        self.sockets = [StandIn(make_request(target)) for _ in range(connections)]
        for sock in self.sockets:
            self.reactor.add(sock, ("127.0.0.1", 1))  # type: ignore[arg-type]
        self.connections = list(self.reactor.connections)

    def serve_one_by_one(self) -> None:
        """Answer a batch of requests of one connection, each before the next."""
        on_ready = self.connections[0].on_ready
        for _ in repeat(None, _BATCH):
            on_ready(IN)

    def serve_together(self) -> None:
        """Make all connections ready, then wait until all are answered."""
        for connection in self.connections:
            connection.on_ready(IN)
        _await_idle(self.connections)

    def check(self, right: bytes) -> None:
        self.serve_together()
        for sock in self.sockets:
            if not sock.reply.startswith(b"HTTP/1.1 200 OK\r\n") or not sock.reply.endswith(
                b"\r\n\r\n" + right
            ):
                raise SystemExit(f"answered {sock.reply!r}, right is {right!r}")


def _await_idle(connections: list[Connection]) -> None:
    latest = time.monotonic() + _TIME_LIMIT_S
    for connection in connections:
        while connection.phase != IDLE:
            time.sleep(0)
            if time.monotonic() > latest:
                raise SystemExit("no reply; a thread is stuck")


def _stand_in_calls() -> None:
    sock = StandIn(make_request("/"))
    recv, send = sock.recv, sock.send
    for _ in repeat(None, _BATCH):
        recv(65_536)
        send(b"")


def _measure(loop: asyncio.AbstractEventLoop, options: Options) -> list[Figure]:
    """Time everything. To be called by the loop, because that is who calls a reactor."""
    pool = ThreadPool(Config().threads, Config().queue_limit)
    cases = [Case("", "stand-in", _stand_in_calls, _BATCH)]
    benches = []
    for target, right in TARGETS.items():
        for subject, app in (("def, inline", inline), ("async def", on_loop), ("def, threads", in_threads)):
            is_threaded = app is in_threads
            bench = Bench(loop, app, target, _CONNECTIONS if is_threaded else 1, pool)
            bench.check(right)
            benches.append(bench)
            run, operations = (
                (bench.serve_together, _CONNECTIONS) if is_threaded else (bench.serve_one_by_one, _BATCH)
            )
            cases.append(Case(f"GET {target}", subject, run, operations))
    stand_in, *figures = time_cases(cases, is_quick=options.is_quick)
    for bench in benches:
        bench.reactor.close()
    pool.stop(1.0)
    return [take_off(figure, stand_in) for figure in figures]


def measure(options: Options) -> Report:
    """Time both targets with all three kinds of handler."""
    return measure_on_loop(_measure, options)


def measure_on_loop(
    time_all: Callable[[asyncio.AbstractEventLoop, Options], list[Figure]], options: Options
) -> Report:
    """Have a loop call what times a reactor, and leave nothing behind."""
    loop = asyncio.new_event_loop()
    outcome: asyncio.Future[list[Figure]] = loop.create_future()

    def call() -> None:
        try:
            outcome.set_result(time_all(loop, options))
        except BaseException as error:
            outcome.set_exception(error)

    loop.call_soon(call)
    try:
        return Report(loop.run_until_complete(outcome))
    finally:
        loop.run_until_complete(_cancel(asyncio.all_tasks(loop)))
        loop.close()


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    sys.exit(main(["request_path"]))
