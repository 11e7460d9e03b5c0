"""Random paths through the whole path of a request in Python, with one route in the application and with
1,000: what the size of the table costs, misses of the caches of the processor included.

The paths are as long and as many in both applications, 10,000 of them in random order, so that no look-up of
whole targets helps either. As in `request_path` the kernel is left out, which makes the ratio look larger
than it is in a server.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from itertools import cycle, repeat
from typing import TYPE_CHECKING

from benchmarks.command import main
from benchmarks.request_path import NoServer, StandIn, make_request, measure_on_loop
from benchmarks.timing import Case, Figure, take_off, time_cases
from penstock import App
from penstock.server.config import Config
from penstock.server.poller import IN
from penstock.server.reactor import Reactor
from penstock.server.threads import ThreadPool

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from benchmarks.report import Options, Report

_BATCH = 1_000
_PATHS = 10_000
_SIZES = (1, 1_000)


class _Various(StandIn):
    """A socket with another request each time."""

    def __init__(self, requests: list[bytes]) -> None:
        super().__init__(b"")
        self._next = cycle(requests).__next__

    def recv(self, _limit: int) -> bytes:
        return bytes(memoryview(self._next()))


def make_app(size: int) -> App:
    """Return an application with `size` routes, each with a parameter and a handler of its own."""
    app = App()
    for number in range(size):
        app.get(f"/items{number:04}/{{item_id}}", name=f"item{number}", run="inline")(_make_handler(number))
    return app


def _make_handler(number: int) -> Callable[[int], str]:
    def handler(item_id: int) -> str:
        return f"{number} {item_id}"

    return handler


def make_paths(size: int) -> list[str]:
    """Return paths to random ones of the routes."""
    chance = random.Random(7)
    return [f"/items{chance.randrange(size):04}/{chance.randrange(10_000, 99_999)}" for _ in range(_PATHS)]


def _measure(loop: asyncio.AbstractEventLoop, options: Options) -> list[Figure]:
    pool = ThreadPool(Config().threads, Config().queue_limit)
    empty = _Various([b""])
    cases = [Case("", "stand-in", partial(_call, empty), _BATCH)]
    reactors = []
    for size in _SIZES:
        app = make_app(size)
        app.compile()
        reactor = Reactor(loop, Config(access_log=False), app, NoServer(), pool)
        paths = make_paths(size)
        sock = _Various([make_request(path) for path in paths])
        reactor.add(sock, ("127.0.0.1", 1))  # type: ignore[arg-type]
        (connection,) = reactor.connections
        for path in paths:  # every route has answered once, and rightly
            connection.on_ready(IN)
            right = f"\r\n\r\n{int(path[6:10])} {path[11:]}".encode()
            if not sock.reply.startswith(b"HTTP/1.1 200 ") or not sock.reply.endswith(right):
                raise SystemExit(f"{path}: answered {sock.reply!r}")
        reactors.append(reactor)
        name = f"random paths, {size:,} route{'s' if size > 1 else ''}"
        cases.append(Case(name, "penstock", partial(_serve, connection.on_ready), _BATCH))
    stand_in, *figures = time_cases(cases, is_quick=options.is_quick)
    for reactor in reactors:
        reactor.close()
    pool.stop(1.0)
    return [take_off(figure, stand_in) for figure in figures]


def _call(sock: StandIn) -> None:
    recv, send = sock.recv, sock.send
    for _ in repeat(None, _BATCH):
        recv(65_536)
        send(b"")


def _serve(on_ready: Callable[[int], None]) -> None:
    for _ in repeat(None, _BATCH):
        on_ready(IN)


def measure(options: Options) -> Report:
    """Time random paths in both applications."""
    return measure_on_loop(_measure, options)


if __name__ == "__main__":
    sys.exit(main(["many_routes"]))
