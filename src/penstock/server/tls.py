"""TLS by the `ssl` module: certificates, the handshake, and a socket that looks like a plain one.

`Tls` holds the contexts; a handshake takes the one in force, so new certificates reach new connections and
disturb no other. `Handshake` is what a connection is until it speaks HTTP. After it `SecureSocket` takes the
place of the socket: wants become BlockingIOError, and nothing else in the server knows of TLS, but that the
kernel cannot send a file by itself.
OpenSSL reads whole records and no more than one, so what it holds decrypted is less than one `recv` takes:
octets that are left are in the kernel, where a level-triggered poller sees them.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
from threading import Lock
from typing import TYPE_CHECKING, Any

from penstock.errors import ConfigError
from penstock.http.response import TextResponse
from penstock.server.certificates import make_self_signed, names_of
from penstock.server.connection import Connection
from penstock.server.poller import IN, OUT
from penstock.server.stage import Stage
from penstock.server.transport import LINGER

if TYPE_CHECKING:
    from penstock.server.config import Config
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

_CHECK_S = 2.0
_RECORD_BYTES = 16_384  # the most a record holds (RFC 8446 §5.1)
_EMPTY_LINE = b"\r\n"  # may come before a request (RFC 9112 §2.2); TLS begins with 0x16
_PLAIN = "This port speaks HTTPS, and the request came without TLS. Begin the URL with https://\n"

_Stamp = tuple[tuple[int, int, int], ...]


class Tls:
    """The certificates in force, read again when their files change. ConfigError when they cannot be read."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._certificates = (make_self_signed(),) if config.tls_self_signed else config.tls_cert
        self._stamp = self._look()
        self._seen = self._stamp
        self._check_at = 0.0
        self.context = self._load()

    def check(self, now: float, *, is_told: bool = True) -> None:
        """Read the files again if they changed; of a change under way its end is waited for."""
        if now < self._check_at:
            return
        self._check_at = now + _CHECK_S
        stamp = self._look()
        if stamp == self._seen != self._stamp:
            self.reload(is_told=is_told)
        self._seen = stamp

    def look_again(self) -> None:
        """Take the files as this process sees them now for those in force: its rights have changed."""
        self._stamp = self._seen = self._look()

    def reload(self, *, is_told: bool = True) -> None:
        """Use the certificates as they are now, or go on with the old ones and say why."""
        self.look_again()
        try:
            self.context = self._load()
        except ConfigError as error:
            if is_told:
                _log.error("the old certificates stay in use: %s", error)
        else:
            _log.log(logging.INFO if is_told else logging.DEBUG, "certificates reloaded")

    def _look(self) -> _Stamp:
        config = self._config
        paths = [*self._certificates, *config.tls_key, *filter(None, [config.tls_client_ca])]
        return tuple(map(_stamp, paths))

    def _load(self) -> ssl.SSLContext:
        config = self._config
        keys = config.tls_key or (None,) * len(self._certificates)
        contexts = []
        by_name: dict[str, ssl.SSLContext] = {}
        for certificate, key in zip(self._certificates, keys, strict=True):
            context = _make_context(certificate, key, config)
            contexts.append(context)
            for name in names_of(_read(certificate, "tls_cert")):
                by_name.setdefault(name, context)
        if len(contexts) > 1:

            def choose(sock: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
                name = (name or "").lower()
                found = by_name.get(name) or by_name.get("*." + name.partition(".")[2])
                if found is not None:
                    sock.context = found

            contexts[0].sni_callback = choose
        return contexts[0]

    def begin(self, reactor: Reactor, sock: socket.socket, address: object) -> Handshake:
        """Take over a connection that is to become secure."""
        return Handshake(reactor, sock, address, self)


def _make_context(certificate: str, key: str | None, config: Config) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    context.options |= ssl.OP_NO_RENEGOTIATION  # nothing needs it, and a write never waits for a read
    context.set_alpn_protocols(["http/1.1"])
    _read(certificate, "tls_cert")
    if key is not None:
        _read(key, "tls_key")
    try:
        # Never None: OpenSSL would ask at the terminal.
        context.load_cert_chain(certificate, key, config.tls_key_password or "")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(_explain(error, certificate, key)) from None
    if config.tls_client_ca:
        _read(config.tls_client_ca, "tls_client_ca")
        try:
            context.load_verify_locations(config.tls_client_ca)
        except ssl.SSLError:
            raise ConfigError(f"tls_client_ca: {config.tls_client_ca} holds no certificate in PEM") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _explain(error: Exception, certificate: str, key: str | None) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"tls_key: {key or certificate} is not the key of the certificate {certificate}"
    if "DECRYPT" in reason or "PASSWORD" in reason or b"ENCRYPTED" in _read(key or certificate, "tls_key"):
        return f"tls_key: {key or certificate} is encrypted and --tls-key-password does not open it"
    if reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"tls_cert: {certificate} is too weak for OpenSSL's security level: {reason}"
    if key is None:
        return (
            f"tls_cert: {certificate} does not hold a certificate and its key in PEM; is --tls-key missing?"
        )
    return f"tls_cert, tls_key: {certificate} and {key} are not a certificate and a key in PEM"


def _read(path: str, key: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path as the user wrote it
            return file.read()
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from None


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - follows links, which is how certificates are exchanged
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


class SecureSocket:
    """A TLS connection as `Transport` uses a socket; never blocks.

    The reactor reads while a pool thread sends, and OpenSSL allows one of them at a time: hence the lock.
    """

    __slots__ = (
        "_is_cut",
        "_lock",
        "_read",
        "_sock",
        "_write",
        "fileno",
        "getpeercert",
        "getsockname",
        "version",
    )

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._read = sock.read
        self._write = sock.write
        self._lock = Lock()
        self._is_cut = False
        self.fileno = sock.fileno
        self.getsockname = sock.getsockname
        self.getpeercert = sock.getpeercert
        self.version = sock.version() or ""
        """The protocol that was agreed on."""

    def recv(self, size: int) -> bytes:
        """Return what there is; b"" at the end. BlockingIOError: nothing yet."""
        with self._lock:
            try:
                data: bytes = self._read(size)
                if len(data) == _RECORD_BYTES:
                    data = self._read_more(data, size)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise BlockingIOError from None
            except ValueError:  # both sides have sent close_notify: `_notify` met that of the client
                return b""
            return data

    def _read_more(self, data: bytes, size: int) -> bytes:
        """A full record seldom comes alone."""
        pieces, room = [data], size - len(data)
        try:
            while room >= _RECORD_BYTES and len(data) == _RECORD_BYTES:
                data = self._read(room)
                pieces.append(data)
                room -= len(data)
        except OSError:
            pass  # nothing yet, or a fault that comes up again
        return b"".join(pieces)

    def send(self, data: bytes | memoryview) -> int:
        """Return how many octets were taken. BlockingIOError: none; the next call begins with the same."""
        with self._lock:
            try:
                sent = self._write(data)
                if sent != len(data):
                    sent = self._write_more(memoryview(data), sent)
            except ssl.SSLWantWriteError:
                raise BlockingIOError from None
            return sent

    def _write_more(self, data: memoryview, sent: int) -> int:
        """One call takes one record."""
        try:
            while sent < len(data):
                sent += self._write(data[sent:])
        except OSError:
            pass  # the client takes no more, or a fault that comes up again
        return sent

    def shutdown(self, how: int) -> None:
        """Shut our side, after close_notify; both sides, as when a thread still sends, without."""
        if how == socket.SHUT_WR:
            self._notify()
        socket.socket.shutdown(self._sock, how)

    def setsockopt(self, level: int, option: int, value: bytes | int) -> None:
        """Set an option of TCP. After SO_LINGER there is no close_notify: the connection is to be cut."""
        self._is_cut = option == socket.SO_LINGER
        self._sock.setsockopt(level, option, value)

    def close(self) -> None:
        if not self._is_cut:
            self._notify()
        self._sock.close()

    def _notify(self) -> None:
        """Send close_notify if it can be sent at once; that of the client is not waited for."""
        with self._lock:
            try:
                self._sock.unwrap()
            except (OSError, ValueError):  # wants the client's; or nothing can be sent any more
                pass


class SecureConnection(Connection):
    """A connection over TLS."""

    __slots__ = ("client_certificate", "tls_version")

    def __init__(self, reactor: Reactor, sock: Any, address: Any) -> None:
        super().__init__(reactor, sock, address)
        # Now, for it cannot be asked for any more when the client has gone; and only where it is wanted.
        wants_one = reactor.config.tls_client_ca is not None
        self.client_certificate: dict[str, Any] | None = sock.getpeercert() if wants_one else None
        self.tls_version = sock.version

    @property
    def scheme(self) -> str:
        return "https"


class Handshake(Stage):
    """A connection whose handshake is under way."""

    __slots__ = ("_secure", "_tls")

    def __init__(self, reactor: Reactor, sock: socket.socket, address: object, tls: Tls) -> None:
        super().__init__(reactor, sock, address)
        self._tls = tls
        self._secure: ssl.SSLSocket | None = None
        """Takes over the descriptor with the client's first octet."""
        self.deadline = reactor.now + reactor.config.tls_handshake_timeout_s

    def on_ready(self, events: int) -> None:  # noqa: ARG002 - the handshake knows what it waits for
        """Take the handshake a step further."""
        if self.phase == LINGER:
            self.discard()
            return
        try:
            if self._secure is None and not self._begin():
                return
            assert self._secure is not None  # noqa: S101 - begun
            self._secure.do_handshake()
            connection = SecureConnection(self.reactor, SecureSocket(self._secure), self._address)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.watch(IN)
        except ssl.SSLWantWriteError:
            self.watch(OUT)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            _log.info("%s: no TLS handshake: %s", self.describe_client(), reason)
            self.close()
        else:
            self.become(connection)

    def _begin(self) -> bool:
        """Look at the first octet; True when it may be one of TLS."""
        first = self.sock.recv(1, socket.MSG_PEEK)
        if not first:
            self.close()
            return False
        if first.isalpha() or first in _EMPTY_LINE:
            self._refuse_plain()
            return False
        self.sock = self._secure = self._tls.context.wrap_socket(
            self.sock, server_side=True, do_handshake_on_connect=False
        )
        return True

    def _refuse_plain(self) -> None:
        _log.info("%s: plain HTTP on a port that speaks TLS", self.describe_client())
        self.write(self.reactor.serialiser.render(None, TextResponse(_PLAIN, 400), False))
        self.end()

    def on_deadline(self) -> None:
        if self.phase != LINGER:
            timeout_s = self.reactor.config.tls_handshake_timeout_s
            _log.info("%s: no TLS handshake within %g s", self.describe_client(), timeout_s)
        self.close()
