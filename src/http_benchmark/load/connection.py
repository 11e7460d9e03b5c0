"""One connection of the generator: its socket, what it waits for, how far its reply has come."""

from __future__ import annotations

import errno
import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from http_benchmark.errors import NothingMeasured
from http_benchmark.load.reply import ReplyReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_benchmark.load.cookies import CookieJar
    from http_benchmark.load.expectation import Expectation
    from http_benchmark.load.options import LoadOptions
    from http_benchmark.load.scenario import Scenario

RESTING: Final = 0
"""No socket: the last attempt failed, the next comes soon."""
CONNECTING: Final = 1
HANDSHAKING: Final = 2
READY: Final = 3


class InFlight(NamedTuple):
    """A request that was sent."""

    expected: Expectation
    due_ns: int
    """0 in a closed loop."""
    sent_ns: int


class Connection:
    """State, changed by `Traffic` and the loops."""

    __slots__ = (
        "can_be_plain",
        "closes",
        "due_ns",
        "expected",
        "fd",
        "first_ns",
        "has_spoken",
        "is_free",
        "is_plain",
        "is_unwatched",
        "jar",
        "later",
        "opened_ns",
        "phase",
        "reader",
        "recv",
        "rest_ms",
        "rests_until_ns",
        "send",
        "sent_ns",
        "sock",
        "unsent",
        "uses",
    )

    expected: Expectation | None
    """Of the oldest request in flight; None: there is none."""
    recv: Callable[[int], bytes]
    send: Callable[[bytes], int]
    sock: socket.socket
    """Valid in all phases but RESTING."""

    def __init__(self, *, can_be_plain: bool, jar: CookieJar | None) -> None:
        self.can_be_plain = can_be_plain
        """Whether the loops may handle its usual replies themselves."""
        self.jar = jar
        self.reader = ReplyReader()
        self.later: deque[InFlight] = deque()
        """Requests in flight behind the oldest."""
        self.rest_ms = 0
        self.rests_until_ns = 0
        self.opened_ns = 0
        self.fd = -1
        self.reset()

    def reset(self) -> None:
        """Be without a socket and without requests."""
        self.phase = RESTING
        self.is_plain = False
        """One request is in flight, wholly sent, and no octet of its reply was read: a loop may read."""
        self.expected = None
        self.due_ns = self.sent_ns = 0
        self.first_ns = 0
        """When the head of the reply was complete; 0: not yet."""
        self.later.clear()
        self.unsent = b""
        self.uses = 0
        """Requests sent."""
        self.closes = False
        """The last request it may carry was sent."""
        self.has_spoken = False
        """The server sent octets while no request was in flight."""
        self.is_unwatched = False
        """The poller does not know it: it has nothing to say until it is used."""
        self.is_free = False
        """It is among those that can take a request."""

    def expect(self, request: InFlight) -> None:
        """Wait for the reply to a request."""
        self.expected, self.due_ns, self.sent_ns = request
        self.first_ns = 0
        self.reader.expect(request.expected)

    def be_careful(self) -> None:
        """Have `Traffic` read the reply that is to come. Loops do not tell the reader what they expect."""
        if self.is_plain:
            self.is_plain = False
            if self.expected is not None:
                self.first_ns = 0
                self.reader.expect(self.expected)

    def advance(self) -> None:
        """The oldest request has come to its end: wait for the next reply, if there is one to come."""
        if self.later:
            self.expect(self.later.popleft())
        else:
            self.expected = None

    @property
    def may_go_on(self) -> bool:
        """Whether it stays open after the reply that comes next, if the server leaves it open."""
        return not self.unsent and (bool(self.later) or not self.closes)

    @property
    def requests(self) -> list[InFlight]:
        """All requests in flight, the oldest first."""
        if self.expected is None:
            return []
        return [InFlight(self.expected, self.due_ns, self.sent_ns), *self.later]

    @property
    def in_flight(self) -> int:
        return len(self.later) + (self.expected is not None)


class Target(NamedTuple):
    """Where connections go."""

    family: int
    address: Any
    """What `connect` of the family takes."""
    name: str
    """For messages."""
    host: str
    context: ssl.SSLContext | None


def find_targets(scenario: Scenario, options: LoadOptions) -> list[Target]:
    """Return where to connect, the first that answers. NothingMeasured for a host nobody knows."""
    host, port = scenario.address
    context = make_context(verify=options.verify) if scenario.is_tls else None
    if options.unix_path is not None:
        return [Target(socket.AF_UNIX, options.unix_path, options.unix_path, host, context)]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NothingMeasured(f"the host {host!r} is not known: {error}") from None
    return [Target(family, address, f"{host}:{port}", host, context) for family, _, _, _, address in found]


def make_context(*, verify: bool) -> ssl.SSLContext:
    """Return how TLS is spoken: certificates are checked unless that was switched off."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def classify(error: OSError) -> str:
    """Return the class of what went wrong with a socket."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, FileNotFoundError) or error.errno in _UNREACHABLE:
        return "unreachable"
    return "other"


_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EACCES}
