"""`http-benchmark serve`: the httpbin-compatible target in the foreground, alone or behind nginx.

Without nginx several instances accept from one socket. Behind it each has its own, in a temporary folder. An
instance that ends is started again; when nginx ends all is over. The URL is all that is written to stdout.
"""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from http_benchmark.errors import BenchmarkError, UsageError
from http_benchmark.targets.embedded import ask, make_certificate
from http_benchmark.targets.instances import Instance
from http_benchmark.targets.nginx import Nginx, find_nginx
from http_benchmark.targets.process import open_listener

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_MOST: Final = 64
_READY_S: Final = 60.0
_ASK_S: Final = 2.0
_EVERY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what the user asked for


class Stopped(Exception):
    """A signal came."""


def describe(parser: argparse.ArgumentParser) -> None:
    """Name the flags."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default 8080)")
    parser.add_argument(
        "--tls", action="store_true", help="HTTPS, with a certificate for localhost made by openssl"
    )
    parser.add_argument(
        "--instances", type=int, default=1, metavar="N", help="processes that serve (default 1)"
    )
    parser.add_argument("--behind", choices=["nginx"], help="put the installed nginx in front of them")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends it; return the exit code."""
    if not 1 <= options.instances <= _MOST:
        raise UsageError(f"--instances must be from 1 to {_MOST}, not {options.instances}")
    if not 0 <= options.port <= 65_535:
        raise UsageError(f"--port must be from 0 to 65535, not {options.port}")
    if options.behind:
        find_nginx()
    certificate = make_certificate() if options.tls else None
    events: SimpleQueue[Any] = SimpleQueue()
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(options.host, options.port))
        address = listener.getsockname()[:2]
        stack.enter_context(_told_of_signals(events))
        try:
            if options.behind:
                _start_behind_nginx(stack, listener, options.instances, certificate, events)
                listener.close()
            else:
                _start(stack, listener, options.instances, certificate, events)
            _await(address, certificate, events)
            _say_where(address, certificate, options)
            while True:
                _act_on(events.get())
        except Stopped:
            return 0


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError(f"--host {host!r} is no address of this machine") from None
    return open_listener(host=str(found[0][4][0]), port=port)


@contextmanager
def _told_of_signals(events: SimpleQueue[Any]) -> Iterator[None]:
    """Put None on the queue for each signal that ends the command."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: events.put(None)) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(
    stack: ExitStack, listener: socket.socket, count: int, certificate: str | None, events: SimpleQueue[Any]
) -> None:
    """Start instances that accept from one socket. It stays open here too: while an instance is started
    again, who connects waits.
    """
    flags = [] if certificate is None else [f"--tls-cert={certificate}"]
    fd = listener.fileno()
    for number in range(1, count + 1):
        stack.callback(Instance(number, f"fd://{fd}", [fd], flags, events).stop)


def _start_behind_nginx(
    stack: ExitStack, listener: socket.socket, count: int, certificate: str | None, events: SimpleQueue[Any]
) -> None:
    """Start instances that have a socket each, and nginx once all of them answer."""
    # Short names: the path of a socket is 107 octets at most.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hb-")))
    paths = [folder / f"{number}.sock" for number in range(1, count + 1)]
    for number, path in enumerate(paths, 1):
        flags = ["--unix-mode=600", "--proxy-trust=unix"]
        stack.callback(Instance(number, f"unix:{path}", [], flags, events).stop)
    for path in paths:
        _await(str(path), None, events)
    stack.callback(Nginx(folder, listener, paths, certificate, events).stop)


def _await(address: str | tuple[str, int], certificate: str | None, events: SimpleQueue[Any]) -> None:
    """Return once a server answers there, acting on what happens meanwhile."""
    if not isinstance(address, str):
        address = (_EVERY.get(address[0], address[0]), address[1])
    until = time.monotonic() + _READY_S
    while True:
        while not events.empty():
            _act_on(events.get())
        try:
            ask(address, _ASK_S, certificate=certificate)
            return
        except OSError as error:
            if time.monotonic() > until:
                raise BenchmarkError(f"the target does not answer: {error}") from None
        time.sleep(0.02)


def _act_on(event: Instance | Nginx | None) -> None:
    if event is None:
        raise Stopped
    if isinstance(event, Nginx):
        raise event.explain_end()
    reason = event.start_again()
    print(f"instance {event.number} ended ({reason}), and is started again", file=sys.stderr, flush=True)


def _say_where(address: tuple[str, int], certificate: str | None, options: argparse.Namespace) -> None:
    host = _EVERY.get(address[0], address[0])
    shown = f"[{host}]" if ":" in host else host
    count = "1 instance" if options.instances == 1 else f"{options.instances} instances"
    told = [f"{count} behind nginx" if options.behind else count]
    if host != address[0]:
        told.append("at every address of this machine")
    if certificate is not None:
        told.append(f"certificate {certificate}")
    print(f"{', '.join(told)}; Ctrl-C ends it", file=sys.stderr, flush=True)
    print(f"http{'' if certificate is None else 's'}://{shown}:{address[1]}/", flush=True)
