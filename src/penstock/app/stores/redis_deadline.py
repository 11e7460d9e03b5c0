"""One deadline for all that a command needs of a connection of the `redis` package, in a thread.

That package has a limit for each wait, and a command may need many: connecting, its handshake, each piece of
an answer. An end that sends one octet at a time would be waited for without end. Here the socket is put into
a coat that gives each wait what is left. `socket` itself is not needed: a coat knows no addresses.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Until(threading.local):
    at: float | None = None


_until = _Until()


@contextmanager
def deadline(timeout_s: float) -> Iterator[None]:
    """Bound what this thread's connections may wait, all together."""
    _until.at = time.monotonic() + timeout_s
    try:
        yield
    finally:
        _until.at = None


def with_deadline(connection_class: Any) -> Any:
    """Return a connection class of the `redis` package that minds the deadline."""

    class Bounded(connection_class):  # type: ignore[misc]
        def _connect(self) -> Any:
            left_s = _left_s()
            if left_s is not None:
                if hasattr(self, "ssl_min_version") or hasattr(self, "cert_reqs"):
                    left_s /= 2  # one for TCP, one for TLS
                self.socket_timeout = self.socket_connect_timeout = left_s
            return _Coat(super()._connect())

    return Bounded


def _left_s() -> float | None:
    if _until.at is None:
        return None
    left_s = _until.at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the deadline has passed")
    return left_s


class _Coat:
    """A socket whose waits end with the deadline."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._timeout_s: float | None = inner.gettimeout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def settimeout(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._inner.settimeout(timeout_s)

    def recv(self, *args: Any) -> Any:
        self._mind()
        return self._inner.recv(*args)

    def recv_into(self, *args: Any) -> Any:
        self._mind()
        return self._inner.recv_into(*args)

    def sendall(self, *args: Any) -> Any:
        self._mind()
        return self._inner.sendall(*args)

    def _mind(self) -> None:
        if self._timeout_s == 0:  # only asks whether something is there
            return
        left_s = _left_s()
        if left_s is not None:
            self._inner.settimeout(left_s)
