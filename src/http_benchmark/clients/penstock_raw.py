"""Penstock's own client: a socket, a request made once, a reply read to its end. What any library can be
compared with, for it does what HTTP demands and nothing else.
"""

from __future__ import annotations

import socket
import struct
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from http_benchmark.clients.adapter import Adapter, Exchange
from http_benchmark.clients.pieces import PIECE_BYTES
from http_benchmark.clients.raw_links import LinkedClient
from http_benchmark.clients.raw_request import RawRequest, render
from http_benchmark.clients.reply import Reply, ShortReply
from http_benchmark.clients.trust import make_context
from penstock.errors import RemoteProtocolError

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call, Wiring
    from http_benchmark.clients.origin import Origin

_IDLE_NS: Final = 1_000_000_000
"""After so long a look tells whether the server has closed the connection meanwhile."""


class _Client:
    """Of one thread, with one connection."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._opened = 0
        self._socket: socket.socket | None = None
        self._call: Call | None = None
        self._request: RawRequest
        self._used_ns = 0

    def exchange(self, call: Call) -> Exchange:
        if call is not self._call:
            self._prepare(call)
        request = self._request
        reply = Reply(is_head=request.is_head, keeps=request.keeps)
        first_octet_ns = 0
        started_ns = perf_counter_ns()
        try:
            if started_ns - self._used_ns > _IDLE_NS:
                self._drop_if_closed()
            sock = self._socket or self._connect(request.origin)
            sock.sendall(request.octets)
            is_whole = False
            while not is_whole:
                data = sock.recv(PIECE_BYTES)
                if not data:
                    reply.end()
                    break
                is_whole = reply.feed(data)
                if not first_octet_ns and reply.status:
                    first_octet_ns = perf_counter_ns()
        except BlockingIOError:
            self.close()
            raise TimeoutError(f"nothing came for {self._wiring.timeout_s:g} s") from None
        except BaseException:
            self.close()
            raise
        content = reply.content
        finished_ns = self._used_ns = perf_counter_ns()
        if not reply.is_reusable:
            self.close()
        return Exchange(reply.status, reply.octets, started_ns, first_octet_ns, finished_ns, content)

    def connections_opened(self) -> int:
        return self._opened

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _prepare(self, call: Call) -> None:
        request = render(call)
        if self._call is not None and request.origin != self._request.origin:
            self.close()
        self._request = request
        self._call = call

    def _connect(self, origin: Origin) -> socket.socket:
        timeout_s = self._wiring.timeout_s
        sock = socket.create_connection((origin.host, origin.port), timeout_s)
        try:
            self._opened += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.is_tls:
                context = make_context("penstock", verify=self._wiring.verify)
                sock = context.wrap_socket(sock, server_hostname=origin.host)
            else:  # the kernel's own timeouts: those of Python cost a poll(2) for each call
                sock.settimeout(None)
                limit = struct.pack("ll", int(timeout_s), int(timeout_s % 1 * 1e6) or 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        except BaseException:
            sock.close()
            raise
        self._socket = sock
        return sock

    def _drop_if_closed(self) -> None:
        """Look whether octets wait, or the end: neither is part of a reply to what is not yet sent."""
        if self._socket is None:
            return
        with socket.socket(fileno=socket.dup(self._socket.fileno())) as plain:
            try:
                plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                pass
        self.close()


def classify(error: BaseException) -> str | None:
    """Return the class of an error of this client."""
    if isinstance(error, ShortReply):
        return "short"
    return "protocol" if isinstance(error, RemoteProtocolError) else None


ADAPTER = Adapter(
    name="penstock",
    distribution="",
    install="part of Penstock",
    notes="sockets and no library: a connection a thread; async one pool of the concurrency. Sends only "
    "Host, Accept-Encoding and Content-Length; takes off no content coding",
    make_sync=_Client,
    make_async=LinkedClient,
    classify=classify,
)
