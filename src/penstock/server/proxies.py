"""Trusted proxies: what they say of the client, in fields of a request or ahead of a connection.

Fields are read as a request is resolved, so a server that trusts nobody pays nothing. What was told is seen
through `request.client`, `scheme`, `host`, `url` and `prefix`; the connection itself keeps its own address.
With the PROXY protocol a trusted peer has to send its header, and nobody else may: it is never guessed.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from penstock.errors import RemoteProtocolError
from penstock.http.forwarded import NOTHING, Family, Forwarding, TrustedProxies, read_forwarding
from penstock.server.poller import IN
from penstock.server.stage import Stage
from penstock.wire.proxy_protocol import ProxyReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Endpoint
    from penstock.http.request import Request
    from penstock.server.config import Config
    from penstock.server.reactor import Reactor

    Begin = Callable[[Reactor, socket.socket, object], Any]

_log = logging.getLogger("penstock.server")

_PEEK_BYTES = 4_096
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Forwarded:
    """A connection as a trusted proxy tells of it, in the place of the connection."""

    __slots__ = ("_connection", "client", "scheme")

    def __init__(self, connection: Any, forwarding: Forwarding) -> None:
        self._connection = connection
        self.client = forwarding.client or connection.client
        self.scheme = forwarding.scheme or connection.scheme

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def trust(reactor: Reactor, config: Config) -> None:
    """Have the reactor believe the proxies that `config` names."""
    trusted = TrustedProxies(config.proxy_trust)
    if config.proxy_family != "none":
        family = cast("Family", config.proxy_family)
        reactor.resolve = partial(_resolve, reactor.resolve, trusted, family)
    if config.proxy_protocol:
        reactor.begin = partial(_begin, reactor.begin, trusted)


def _resolve(
    resolve: Callable[[Request], Endpoint], trusted: TrustedProxies, family: Family, request: Request
) -> Endpoint:
    connection: Any = request.connection
    peer = connection.client
    forwarding = read_forwarding(request.headers, peer[0] if peer else None, trusted, family=family)
    if forwarding is not NOTHING and forwarding != NOTHING:
        request.connection = Forwarded(connection, forwarding)
        if forwarding.host:
            request.authority = _with_port(forwarding, request.connection.scheme).encode("ascii")
        if forwarding.prefix:
            request.prefix = forwarding.prefix
    return resolve(request)


def mount(reactor: Reactor, prefix: str) -> None:
    """Have requests know the prefix that was taken off their path, unless a trusted proxy tells another."""
    reactor.resolve = partial(_resolve_under, reactor.resolve, prefix)


def _resolve_under(resolve: Callable[[Request], Endpoint], prefix: str, request: Request) -> Endpoint:
    if not request.prefix:
        request.prefix = prefix
    return resolve(request)


def _with_port(forwarding: Forwarding, scheme: str) -> str:
    """The host with the port told, where neither says it already."""
    host, port = forwarding.host or "", forwarding.port
    has_port = ":" in host.rpartition("]")[2]
    return host if has_port or port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"


def _begin(
    begin: Begin, trusted: TrustedProxies, reactor: Reactor, sock: socket.socket, address: object
) -> Any:
    peer = address[0] if isinstance(address, tuple) else None
    if not trusted.trusts(peer):
        return begin(reactor, sock, address)
    return Preamble(reactor, sock, address, begin)


class Preamble(Stage):
    """A connection from a proxy whose PROXY protocol header is awaited; `begin` says what comes after it."""

    __slots__ = ("_begin", "_reader")

    def __init__(self, reactor: Reactor, sock: socket.socket, address: object, begin: Begin) -> None:
        super().__init__(reactor, sock, address)
        self._begin = begin
        self._reader = ProxyReader()
        self.deadline = reactor.now + reactor.config.head_timeout_s

    def on_ready(self, events: int) -> None:  # noqa: ARG002 - reads whatever is told
        """Take the header and not an octet more: what follows may be for TLS."""
        try:
            data = self.sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
            header = self._reader.feed(data) if data else None
            rest = header.rest if header is not None else b""
            self.sock.recv(len(data) - len(rest))
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        except RemoteProtocolError as fault:
            _log.warning("%s: refused, %s", self.describe_client(), fault)
            self.close()
            return
        if header is not None:
            address = self._address if header.source is None else header.source
            self.watch(IN)
            self.become(self._begin(self.reactor, self.sock, address))
        elif not data:
            self.close()

    def on_deadline(self) -> None:
        timeout_s = self.reactor.config.head_timeout_s
        _log.warning("%s: no PROXY protocol header within %g s", self.describe_client(), timeout_s)
        self.close()
