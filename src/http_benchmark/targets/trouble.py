"""A server whose behaviour is known exactly, to check measurements against: `trouble(Behaviour(...))`.

    with trouble(Behaviour(delay_s=0.02, error_every=10)) as server:
        ...                      # measure server.url
        server.counts().error    # what must have been found

In a process of its own, so that it never waits for the interpreter of the client under test. By hand:
`python -m http_benchmark.targets.trouble --delay-s 0.02 --error-every 10`, which prints its port.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import socket
import ssl
import sys
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from http_benchmark.targets.behaviour import Behaviour
from http_benchmark.targets.process import open_listener, running
from http_benchmark.targets.trouble_server import TroubleServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Behaviour", "Counts", "Trouble", "trouble"]


class Counts(NamedTuple):
    """What the server has done so far. Asking for it counts nowhere."""

    connections: int
    """Accepted."""
    requests: int
    """Taken in whole."""
    abandoned: int
    """Whose client left before the reply."""
    in_flight_ns: int
    """Summed over all requests that were answered: from the last octet of a request to its reply. Over the
    time of a measurement it gives the concurrency the server saw.
    """
    paused_ns: int
    ok: int
    slow: int
    error: int
    reset: int
    short: int
    closed: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """A server that runs."""

    url: str
    port: int
    """0 on a unix socket."""
    pid: int
    unix: str | None
    is_secure: bool

    def counts(self, timeout_s: float = 30.0) -> Counts:
        """What it has done so far. Waits while the server pauses."""
        return _ask(self.port, self.unix, timeout_s, is_secure=self.is_secure)


@contextmanager
def trouble(
    behaviour: Behaviour | None = None, *, tls: tuple[str, str] | None = None, unix: str | None = None
) -> Iterator[Trouble]:
    """A server of that behaviour. `tls`: files of a certificate chain and its key. `unix`: listen there."""
    chosen = Behaviour() if behaviour is None else behaviour
    listener = open_listener(unix)
    port = 0 if unix is not None else int(listener.getsockname()[1])
    words = ["--json", chosen.to_json(), "--fd", str(listener.fileno())]
    if tls is not None:
        words += ["--tls-cert", str(Path(tls[0]).absolute()), "--tls-key", str(Path(tls[1]).absolute())]
    scheme = "http" if tls is None else "https"
    authority = "localhost" if unix is not None else f"127.0.0.1:{port}"
    is_secure = tls is not None

    def is_ready(limit_s: float) -> Counts:
        return _ask(port, unix, limit_s, is_secure=is_secure)

    with running("http_benchmark.targets.trouble", words, listener, is_ready) as pid:
        yield Trouble(f"{scheme}://{authority}/", port, pid, unix, is_secure)


def _ask(port: int, unix: str | None, timeout_s: float, *, is_secure: bool) -> Counts:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    sock: socket.socket
    if unix is None:
        sock = socket.create_connection(("127.0.0.1", port), timeout_s)
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        sock.connect(unix)
    if is_secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # our own, and it need be nobody's
        sock = context.wrap_socket(sock)
    connection.sock = sock
    try:
        connection.request("GET", "/counts")
        return Counts(**json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve in the foreground, and print the port."""
    parser = argparse.ArgumentParser(prog="python -m http_benchmark.targets.trouble", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 takes a free one (default 0)")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--fd", type=int, help="a socket that listens, instead of a port")
    parser.add_argument("--json", help="all rules in one")
    for each in fields(Behaviour):
        flag = f"--{each.name.replace('_', '-')}"
        default: Any = each.default
        if isinstance(default, bool):
            parser.add_argument(flag, default=default, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(flag, default=default, type=type(default), help=f"(default {default})")
    options = vars(parser.parse_args(argv))
    rules = {each.name: options[each.name] for each in fields(Behaviour)}
    try:
        behaviour = Behaviour(**(json.loads(options["json"]) if options["json"] else rules))
    except ValueError as error:
        parser.error(str(error))
    context = None
    if options["tls_cert"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["tls_cert"], options["tls_key"])
    if options["fd"] is None:
        listener = open_listener(port=options["port"])
        print(listener.getsockname()[1], flush=True)
    else:
        listener = socket.socket(fileno=options["fd"])
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    TroubleServer(listener, behaviour, context).run()


if __name__ == "__main__":
    main()
