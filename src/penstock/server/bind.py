"""Sockets to listen on: opened with a clear word when that fails.

`fd://` takes over a listening socket that whoever started the process left open: by number, or by the name
systemd gave it. A unix socket that nobody listens on any more is replaced, one that is in use never; at the
end it is removed, unless somebody else has put another in its place by then.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import ConfigError
from penstock.server.address import Inherited, Tcp, Unix, parse_address
from penstock.server.identity import find_identity
from penstock.server.systemd import take_sockets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.server.config import Config


class Bound:
    """A listening socket, where it is reached, and what is to be removed when it closes."""

    def __init__(self, sock: socket.socket, *, path: str = "") -> None:
        sock.setblocking(False)
        self.sock = sock
        self.scheme = "http"
        self._path = path
        self._identity = _identify(path) if path else None
        self._pid = os.getpid()

    def url(self) -> str:
        """The URL under which it is reached; the path for a unix socket, which has none."""
        if self.sock.family == getattr(socket, "AF_UNIX", None):
            return f"unix:{os.fsdecode(self.sock.getsockname())}"
        host, port = self.sock.getsockname()[:2]
        return f"{self.scheme}://{Tcp(host, port)}"

    def close(self) -> None:
        """Close it, and remove its path if that is still ours; a process forked later leaves it alone."""
        self.sock.close()
        if self._path and self._pid == os.getpid() and _identify(self._path) == self._identity:
            try:
                Path(self._path).unlink()
            except OSError:
                pass  # the folder went away, or its permission: nothing that ends a server
        self._path = ""


def open_all(config: Config) -> list[Bound]:
    """Open every address of `config`; what systemd passed takes the place of host and port. ConfigError says
    in one line why one cannot be opened; then none is.
    """
    config.check_together()
    inherited = take_sockets()
    addresses: Sequence[Tcp | Unix | Inherited]
    if config.bind:
        addresses = [parse_address(text) for text in config.bind]
    elif inherited:
        addresses = [Inherited(str(number)) for number in inherited.values()]
    else:
        addresses = [Tcp(config.host, config.port)]
    if config.is_secure:  # found wrong here, before anything is served or forked
        from penstock.server.tls import Tls

        Tls(config)
    opened: list[Bound] = []
    try:
        for address in addresses:
            opened.append(_open(address, config, inherited))
            opened[-1].scheme = "https" if config.is_secure else "http"
    except ConfigError:
        for bound in opened:
            bound.close()
        raise
    return opened


def open_one(text: str, config: Config) -> Bound:
    """Open an address of its own, TCP or unix. ConfigError says in one line why it cannot be opened."""
    return _open(parse_address(text), config, {})


def _open(address: Tcp | Unix | Inherited, config: Config, inherited: dict[str, int]) -> Bound:
    if isinstance(address, Tcp):
        return Bound(open_listener(address.host, address.port, config.backlog))
    if isinstance(address, Unix):
        return _open_unix(address, config)
    number = inherited.get(address.name, int(address.name) if address.name.isdecimal() else -1)
    return _take_over(address, number, config.backlog)


def open_listener(host: str, port: int, backlog: int) -> socket.socket:
    """Return a listening, non-blocking TCP socket. ConfigError says in one line why there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, family if host else 0, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere it would let two servers share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise ConfigError(f"cannot listen on {Tcp(host, port)}: {_explain(error)}") from None
    sock.setblocking(False)
    return sock


def _open_unix(address: Unix, config: Config) -> Bound:
    path = address.path
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(address)
        mode = int(config.unix_mode, 8)
        before = os.umask(0o777)  # nobody connects before owner and mode are right
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        bound = Bound(sock, path=path)
        try:
            _change_owner(path, config)
            Path(path).chmod(mode)
            sock.listen(config.backlog)
        except (OSError, ConfigError):
            bound.close()
            raise
    except OSError as error:
        sock.close()
        reason = "the path is too long" if error.errno is None else error.strerror
        raise ConfigError(f"cannot listen on {address}: {reason}") from None
    except ConfigError:
        sock.close()
        raise
    return bound


def _remove_stale(address: Unix) -> None:
    """Remove a socket nobody listens on. ConfigError when somebody does, or when it is no socket."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(address.path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise ConfigError(f"cannot listen on {address}: the path exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            Path(address.path).unlink()
        except TimeoutError:
            raise ConfigError(f"cannot listen on {address}: another server listens there") from None
        else:
            raise ConfigError(f"cannot listen on {address}: another server listens there")


def _change_owner(path: str, config: Config) -> None:
    import shutil

    if not config.unix_owner:
        identity = find_identity(config)  # who is to serve, and would have opened it without root's help
        if identity is not None:
            os.chown(path, identity.user, identity.group)
        return
    user, _, group = config.unix_owner.partition(":")
    try:
        # shutil knows names alone, so digits are made numbers here.
        shutil.chown(path, _number_or_name(user), _number_or_name(group))
    except LookupError as error:
        raise ConfigError(f"unix_owner: {error}") from None


def _number_or_name(text: str) -> Any:
    return int(text) if text.isdecimal() else text or None


def _take_over(address: Inherited, number: int, backlog: int) -> Bound:
    try:
        if number < 0:
            raise ConfigError(f"cannot listen on {address}: no socket of that name was passed")
        os.set_inheritable(number, False)
        sock = socket.socket(fileno=number)
    except OSError as error:
        reason = "it is no socket" if error.errno == errno.ENOTSOCK else "it is not open"
        raise ConfigError(f"cannot listen on {address}: {reason}") from None
    if sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise ConfigError(f"cannot listen on {address}: it is not a stream socket")
    try:
        sock.listen(backlog)  # on one that listens already it sets the backlog
    except OSError as error:
        sock.detach()
        raise ConfigError(f"cannot listen on {address}: {error.strerror}") from None
    return Bound(sock)


def _identify(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns  # a number of an inode comes back soon


def _explain(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; stop what listens there or choose another"
    if error.errno == errno.EACCES:
        return "permission denied; ports below 1024 need privileges"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)
