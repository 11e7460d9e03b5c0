"""`penstock health URL`: ask a server whether it is ready, for the probes of containers.

A container's probe starts a process every few seconds beside the server, so this one imports next to nothing,
the server least of all, and its time is bounded: `--timeout` is for everything from connecting to the last
octet. One request, no proxy, no redirect. Exit code 0: ready; 1: not, or nobody answers; 2: a wrong command
line. Absent on purpose: the settings of a server, but for the address in its environment; reading them takes
longer than all the rest.
"""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from penstock.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Sequence

PURPOSE: Final = "ask a server whether it is ready, for the probes of containers"
USAGE: Final = "[URL] [--timeout SECONDS] [--quiet] [--no-verify]"
_EPILOGUE: Final = """\
URL is http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:/path/to/socket. /readyz is asked unless it
has a path (unix:/path/to/socket:/livez). Without a URL it is PENSTOCK_ADMIN from the environment.
Exit code 0: ready. 1: not ready, or no answer. 2: the command line is wrong.
"""
_PATH: Final = "/readyz"
_TIMEOUT_S: Final = 3.0
_REPLY_BYTES: Final = 2**16
_SHOWN_CHARS: Final = 300
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength:[ \t]*([0-9]{1,9})[ \t]*(?:\r|$)")
# What may stand in a request line and a Host field: nothing that ends either.
_TARGET: Final = re.compile(r"/[\x21-\x22\x24-\x7e]*")
_HOST: Final = re.compile(r"\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+)")


class Place(NamedTuple):
    """Where to ask, and what."""

    is_secure: bool
    host: str
    """A path of a socket where there is no `port`."""
    port: int | None
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return "localhost" if self.port is None else f"{host}:{self.port}"


def main(words: Sequence[str]) -> int:
    """Ask; return the exit code. ConfigError: the words make no sense."""
    options = _parse(words)
    url = options.url if options.url is not None else os.environ.get("PENSTOCK_ADMIN", "")
    if not url:
        raise ConfigError(
            "health of what? Name it: penstock health http://127.0.0.1:9100, or set PENSTOCK_ADMIN"
        )
    place, timeout_s = read_url(url), _read_timeout(options.timeout)
    try:
        status, told = ask(place, timeout_s, verifies=not options.no_verify)
    except (OSError, ValueError) as error:
        is_late = isinstance(error, TimeoutError)
        reason = f"no answer within {timeout_s:g} s" if is_late else getattr(error, "strerror", None) or error
        return _say(options, 1, f"not ready: {url}: {reason}")
    is_ready = 200 <= status < 300
    return _say(
        options, 0 if is_ready else 1, f"{'ready' if is_ready else 'not ready'}: {status} {told}".rstrip()
    )


def _say(options: argparse.Namespace, code: int, text: str) -> int:
    if not options.quiet:
        print("".join(letter if letter.isprintable() else "?" for letter in text))
        sys.stdout.flush()
    return code


def make_parser() -> argparse.ArgumentParser:
    """The grammar of this command."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise ConfigError(message)

    parser = Parser(
        prog="penstock health",
        usage=f"penstock health {USAGE}",
        description=f"{PURPOSE[0].upper()}{PURPOSE[1:]}.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="where, such as http://127.0.0.1:9100")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        default=f"{_TIMEOUT_S:g}",
        help=f"for all of it (default {_TIMEOUT_S:g})",
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="print nothing")
    parser.add_argument("--no-verify", action="store_true", help="take any certificate")
    return parser


def _parse(words: Sequence[str]) -> argparse.Namespace:
    options, rest = make_parser().parse_known_args(words)
    if rest:
        kind = "unknown flag" if rest[0].startswith("-") else "unexpected argument"
        raise ConfigError(f"{kind} {rest[0].partition('=')[0]!r}; see penstock health --help")
    return options


def _read_timeout(text: str) -> float:
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= 3600:
        raise ConfigError(f"timeout: {text!r}: expected seconds, more than 0")
    return timeout_s


def read_url(url: str) -> Place:
    """Return the place a URL names; ConfigError when it names none."""
    scheme, separator, rest = url.partition("://")
    if url.startswith("unix:"):
        path, _, target = url.removeprefix("unix:").partition(":")
        if not path or not path.isprintable():
            raise ConfigError(f"{url!r}: expected unix:/path")
        return Place(False, path, None, _read_target(url, target))
    if not separator:
        scheme, rest = "http", url
    if scheme not in ("http", "https"):
        raise ConfigError(f"{url!r}: expected http://HOST:PORT, https://HOST:PORT or unix:/path")
    cut = min(at for at in (rest.find("/"), rest.find("?"), len(rest)) if at >= 0)
    authority, target = rest[:cut], rest[cut:]
    host, port = authority, ""
    if ":" in authority.rpartition("]")[2]:
        host, _, port = authority.rpartition(":")
    match = _HOST.fullmatch(host)
    is_number = not port or (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536)
    if match is None or not is_number or authority.endswith(":"):
        raise ConfigError(f"{url!r}: {authority!r} is no HOST:PORT")
    number = int(port or (443 if scheme == "https" else 80))
    return Place(scheme == "https", match[1] or match[2], number, _read_target(url, target))


def _read_target(url: str, target: str) -> str:
    target = f"{_PATH}{target}" if target.startswith("?") else target or _PATH
    if _TARGET.fullmatch(target) is None:
        raise ConfigError(f"{url!r}: {target!r} is no path: percent-encode what is not visible ASCII")
    return target


def ask(place: Place, timeout_s: float, *, verifies: bool = True) -> tuple[int, str]:
    """Return status and what was said, on one line. OSError: nobody answers in time; ValueError: no HTTP."""
    until = time.monotonic() + timeout_s
    head = f"GET {place.target} HTTP/1.1\r\nHost: {place.authority}\r\nUser-Agent: penstock-health\r\n"
    sock = _connect(place, until)
    with sock:
        if place.is_secure:
            sock = _secure(sock, place, verifies=verifies)
        with sock:
            sock.settimeout(_left(until))
            sock.sendall(f"{head}Accept: text/plain, */*;q=0.5\r\nConnection: close\r\n\r\n".encode())
            reply = b""
            while len(reply) < _REPLY_BYTES and not _is_whole(reply):
                sock.settimeout(_left(until))
                piece = sock.recv(_REPLY_BYTES)
                if not piece:
                    break
                reply += piece
    match = _STATUS.match(reply)
    if match is None:
        raise ValueError(
            "what answers is no HTTP" if reply else "the connection was closed without an answer"
        )
    fields, _, content = reply.partition(b"\r\n\r\n")
    if b"\r\ntransfer-encoding:" in fields.lower():
        content = b""  # its pieces would have to be put together, for a line of text
    return int(match[1]), " ".join(content.decode("utf-8", "replace").split())[:_SHOWN_CHARS]


def _is_whole(reply: bytes) -> bool:
    """Whether nothing more can come; else the end of the connection tells."""
    fields, end, content = reply.partition(b"\r\n\r\n")
    length = _LENGTH.search(fields)
    return bool(end) and length is not None and len(content) >= int(length[1])


def _connect(place: Place, until: float) -> socket.socket:
    """The first address that takes a connection."""
    import socket  # CPython 3.13.0 cannot where the folder is gone, which other commands tell readably

    if place.port is None:
        sock = socket.socket(socket.AF_UNIX)
        return _try(sock, place.host, until)
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        place.host, place.port, 0, socket.SOCK_STREAM
    ):
        try:
            return _try(socket.socket(family, kind, protocol), address, until)
        except OSError as error:
            failure = failure or error
    raise failure or OSError("no address")


def _try(sock: socket.socket, address: object, until: float) -> socket.socket:
    try:
        sock.settimeout(_left(until))
        sock.connect(address)  # type: ignore[arg-type]  # as getaddrinfo gives it
    except BaseException:
        sock.close()
        raise
    return sock


def _secure(sock: socket.socket, place: Place, *, verifies: bool) -> socket.socket:
    import ssl  # 10 ms

    context = ssl.create_default_context()
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=place.host)


def _left(until: float) -> float:
    left_s = until - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
