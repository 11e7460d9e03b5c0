"""`http.client` of the standard library: the yardstick, for everybody has it."""

from __future__ import annotations

import http.client
from time import perf_counter_ns
from typing import TYPE_CHECKING

from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.clients.origin import Origin, take_apart
from http_benchmark.clients.pieces import PIECE_BYTES, drain
from http_benchmark.clients.request_fields import make_fields
from http_benchmark.clients.trust import make_context

if TYPE_CHECKING:
    import ssl

    from http_benchmark.clients.adapter import Call, Wiring


class _Connection(http.client.HTTPConnection):
    opened = 0

    def connect(self) -> None:
        super().connect()
        self.opened += 1


class _SecureConnection(http.client.HTTPSConnection):
    opened = 0

    def connect(self) -> None:
        super().connect()
        self.opened += 1


class _Client:
    """Of one thread, with one connection."""

    def __init__(self, wiring: Wiring) -> None:
        self._timeout_s = wiring.timeout_s
        self._verify = wiring.verify
        self._opened = 0  # by connections that were left
        self._call: Call | None = None
        self._origin: Origin | None = None
        self._connection: _Connection | _SecureConnection

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._prepare(call)
        connection = self._connection
        content: bytes | None
        started_ns = perf_counter_ns()
        try:
            connection.request(call.method, self._target, call.body or None, self._fields)
            reply = connection.getresponse()
            first_octet_ns = perf_counter_ns()
            if call.streams:
                octets, content = drain(iter(lambda: reply.read1(PIECE_BYTES), b""), keep=call.keeps_content)
                if reply.length:  # read1 takes an early end for the end
                    raise http.client.IncompleteRead(b"", reply.length)
                reply.close()  # read1 leaves that too
            else:
                content = reply.read()
                octets = len(content)
        except BaseException:
            connection.close()
            raise
        return Exchange(reply.status, octets, started_ns, first_octet_ns, perf_counter_ns(), content)

    def connections_opened(self) -> int:
        return self._opened + (self._connection.opened if self._origin else 0)

    def close(self) -> None:
        if self._origin:
            self._connection.close()

    def _prepare(self, call: Call) -> None:
        origin, self._target = take_apart(call.url)
        if origin != self._origin:
            self._opened = self.connections_opened()
            self.close()
            self._connection = self._connect(origin)
            self._origin = origin
        self._fields = make_fields(call, names_user=True)
        self._call = call

    def _connect(self, origin: Origin) -> _Connection | _SecureConnection:
        if not origin.is_tls:
            return _Connection(origin.host, origin.port, timeout=self._timeout_s)
        context: ssl.SSLContext = make_context("http.client", verify=self._verify)
        return _SecureConnection(origin.host, origin.port, timeout=self._timeout_s, context=context)


def classify(error: BaseException) -> str | None:
    """Return the class of an error of http.client."""
    if isinstance(error, http.client.IncompleteRead):
        return "short"
    if isinstance(error, http.client.RemoteDisconnected):
        return "reset"
    return "protocol" if isinstance(error, http.client.HTTPException) else None


ADAPTER = Adapter(
    name="http.client",
    distribution="",
    install="part of Python",
    notes="one connection a thread; one that the server closed while it was idle is an "
    "error, as nothing is tried again",
    make_sync=_Client,
    classify=classify,
)
