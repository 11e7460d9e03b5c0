"""The target of a measurement that names none: the httpbin application on Penstock, in a process of its own.

It listens on a socket opened here, so nobody else can have its port; it writes no access log, and takes more
connections than a measurement may have. It ends with its owner, however that ends.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from http_benchmark.targets.process import open_listener, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPLICATION: Final = "http_benchmark.targets.httpbin:app"
_FLAGS: Final = (
    "--no-access-log",
    "--log-level=error",
    "--log-format=text",
    "--connection-limit=20000",  # twice what a measurement may have open
    "--drain-timeout=1",
    "--idle-timeout=3600",  # a connection of a pool that rests is no fault of its client
)


PATHS: Final = {"POST": "post", "PUT": "put", "PATCH": "patch", "DELETE": "delete"}
"""Where a request is answered, by its method; all others are at "get"."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs, and is ours."""

    url: str
    """With a slash at its end."""
    pid: int
    unix: str | None = None
    """The socket to connect to, whatever the URL says."""
    certificate: str | None = None
    """What to trust, where the URL is https: a file."""

    def url_for(self, method: str) -> str:
        """Where a request of this method is answered."""
        return self.url + PATHS.get(method, "get")


def run_words(bind: str, *flags: str) -> list[str]:
    """What follows `python -m penstock` to serve the application at an address, in Penstock's words."""
    return ["run", APPLICATION, "--bind", bind, *_FLAGS, *flags]


@contextmanager
def embedded(*, tls: bool = False, unix: str | None = None, flags: Sequence[str] = ()) -> Iterator[Target]:
    """The application, for as long as it is needed. `tls`: with a certificate for localhost, made by openssl.
    `unix`: at that path. `flags`: further ones of `penstock run`.
    """
    certificate = make_certificate() if tls else None
    words = [] if certificate is None else [f"--tls-cert={certificate}"]
    listener = open_listener(unix)
    port = 0 if unix is not None else int(listener.getsockname()[1])
    authority = "localhost" if unix is not None else f"127.0.0.1:{port}"

    def is_ready(limit_s: float) -> None:
        ask(unix or ("127.0.0.1", port), limit_s, certificate=certificate)

    words = run_words(f"fd://{listener.fileno()}", *words, *flags)
    with running("penstock", words, listener, is_ready) as pid:
        yield Target(f"http{'s' if tls else ''}://{authority}/", pid, unix, certificate)


def make_certificate() -> str:
    """A certificate for localhost and its key in one file, kept in the user's cache. UsageError without
    openssl.
    """
    from http_benchmark.errors import UsageError
    from penstock.errors import ConfigError
    from penstock.server.certificates import make_self_signed

    try:
        return make_self_signed()
    except ConfigError as error:
        raise UsageError(str(error).removeprefix("tls_self_signed: ")) from None


def ask(
    address: str | tuple[str, int],
    limit_s: float,
    path: str = "/robots.txt",
    *,
    certificate: str | None = None,
) -> None:
    """Return once a server answers there; OSError when it does not, or answers wrong."""
    connection = http.client.HTTPConnection("localhost", timeout=limit_s)
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    else:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    with sock:
        sock.settimeout(limit_s)
        sock.connect(address)
        if certificate is not None:
            context = ssl.create_default_context(cafile=certificate)
            sock = context.wrap_socket(sock, server_hostname="localhost")
        with sock:
            connection.sock = sock
            try:
                connection.request("GET", path, headers={"Connection": "close"})
                status = connection.getresponse().status
            except http.client.HTTPException as error:
                raise OSError(f"it answers no HTTP: {error!r}") from None
            finally:
                connection.close()
    if status != 200:
        raise OSError(f"it answers {status}")
