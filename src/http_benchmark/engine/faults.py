"""Which class an error belongs to, whoever raised it.

Libraries wrap what the socket said, some of them thrice: all that an exception was caused by, was raised
while handling of, or carries in its arguments, is looked at. The adapter is asked first about each, because
only it knows its library's own; then the innermost error of the standard library decides.
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_benchmark.clients.adapter import Adapter
    from http_benchmark.measurement.round import ErrorClass

NOT_CONNECTED: Final = frozenset({"refused", "unreachable", "tls"})
"""No connection came about; a worker waits a little before it tries again."""

_BY_NUMBER: Final[dict[int, ErrorClass]] = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",  # a unix socket that is not there
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
}
# In this order: some are subclasses of later ones.
_BY_TYPE: Final[tuple[tuple[type[BaseException], ErrorClass], ...]] = (
    (http.client.IncompleteRead, "short"),
    (asyncio.IncompleteReadError, "short"),
    (ssl.SSLEOFError, "reset"),
    (ssl.SSLZeroReturnError, "reset"),
    (ssl.SSLError, "tls"),
    (ssl.CertificateError, "tls"),
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),  # http.client.RemoteDisconnected is one
    (socket.gaierror, "unreachable"),
    (TimeoutError, "timeout"),
    (http.client.HTTPException, "protocol"),
)
_LENGTH: Final = 300


def classify(error: BaseException, adapter: Adapter | None = None) -> ErrorClass:
    """Return the class of what ended a request.

    >>> classify(ConnectionRefusedError()), classify(http.client.IncompleteRead(b"")), classify(ValueError())
    ('refused', 'short', 'other')
    """
    chain = list(_walk(error))
    if adapter is not None and adapter.classify is not None:
        for each in chain:
            if (kind := adapter.classify(each)) is not None:
                return kind
    for each in reversed(chain):
        if (kind := _of_standard_library(each)) is not None:
            return kind
    return "timeout" if any("Timeout" in type(each).__name__ for each in chain) else "other"


def describe(error: BaseException) -> str:
    """Return what an error says, in one line."""
    said = " ".join(str(error).split())
    name = type(error).__name__
    text = f"{name}: {said}" if said else name
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 3]}..."


def _of_standard_library(error: BaseException) -> ErrorClass | None:
    for kind, found in _BY_TYPE:
        if isinstance(error, kind):
            return found
    return _BY_NUMBER.get(error.errno or 0) if isinstance(error, OSError) else None


def _walk(error: BaseException) -> Iterator[BaseException]:
    """Yield it and all it came of, outermost first, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        within = [each.__cause__, None if each.__suppress_context__ else each.__context__]
        within += [getattr(each, name, None) for name in ("reason", "os_error", "original")]
        if isinstance(each, BaseExceptionGroup):
            within += each.exceptions
        waiting += [it for it in (*within, *each.args) if isinstance(it, BaseException)]
