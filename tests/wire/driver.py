"""Drives a RequestReader the way a server does and records what came out.

`drive(pieces)` feeds octets piece by piece and returns an `Outcome`; two outcomes are equal when the peer could not tell
them apart. After a request that is not persistent further octets are still fed, and must change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from penstock.errors import RemoteProtocolError
from penstock.http.request import Request
from penstock.wire.limits import STANDARD_METHODS, Limits
from penstock.wire.reader import RequestReader

# Above this many octets, cuts are tried at the edges and at a sample of the rest.
EXHAUSTIVE_BYTES = 2_000
EDGE_BYTES = 150


@dataclass(frozen=True)
class Seen:
    """One complete request, as a handler would get it."""

    method: str
    raw_path: bytes
    raw_query: bytes
    version: str
    host: str
    fields: tuple[tuple[str, str], ...]
    persistent: bool
    expects_continue: bool
    upgrade: str | None
    content: bytes
    trailers: tuple[tuple[str, str], ...]


@dataclass
class Outcome:
    """Complete requests in order; then `error`, or `cut` when only the end of input was at fault: status and detail."""

    requests: list[Seen] = field(default_factory=list)
    error: tuple[int, str] | None = None
    cut: tuple[int, str] | None = None

    @property
    def verdict(self) -> tuple[object, ...]:
        """What must not depend on how the octets were cut: all but the wording of the detail."""
        return tuple(self.requests), self.error and self.error[0], self.cut and self.cut[0]


class Driver:
    """One connection: `feed` octets, `end` the input; `outcome` grows."""

    def __init__(self, limits: Limits, methods: frozenset[str]) -> None:
        self.reader = RequestReader(limits, methods)
        self.outcome = Outcome()
        self._request: Request | None = None
        self._content: list[bytes] = []

    def feed(self, data: bytes) -> bool:
        """Take octets; return False when they were refused, which ends the connection."""
        try:
            while self._step(data):
                data = b""
        except RemoteProtocolError as error:
            self.outcome.error = (error.status, error.detail)
            return False
        return True

    def end(self) -> None:
        """End the input."""
        try:
            self.reader.end_of_input()
        except RemoteProtocolError as error:
            self.outcome.cut = (error.status, error.detail)

    def _step(self, data: bytes) -> bool:
        if self._request is None:
            self._request = self.reader.next_request(data)
            return self._request is not None
        piece = self.reader.next_content(data)
        if piece is None:
            return False
        assert isinstance(piece, bytes)
        if piece:
            self._content.append(piece)
        else:
            self._finish(self._request)
        return True

    def _finish(self, request: Request) -> None:
        framing = request.framing
        self.outcome.requests.append(
            Seen(
                request.method,
                request.raw_path,
                request.raw_query,
                request.http_version,
                request.host,
                tuple(request.headers.items()),
                framing.persistent,
                framing.expects_continue,
                framing.upgrade,
                b"".join(self._content),
                tuple(self.reader.trailers.items()) if self.reader.trailers is not None else (),
            )
        )
        self._request = None
        self._content = []


def drive(
    pieces: Iterable[bytes],
    *,
    limits: Limits = Limits(),
    methods: frozenset[str] = STANDARD_METHODS,
) -> Outcome:
    """Feed the pieces, then the end of input, and return what came out. Stops at the first error, as a server does."""
    driver = Driver(limits, methods)
    for piece in pieces:
        if not driver.feed(piece):
            return driver.outcome
    driver.end()
    return driver.outcome


def split_evenly(octets: bytes, size: int) -> list[bytes]:
    """The octets in pieces of `size`; octet by octet when it is 1."""
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def split_everywhere(octets: bytes) -> Iterator[list[bytes]]:
    """Every way to cut the octets in two; for long ones, at the edges and at some sixty points between."""
    length = len(octets)
    points: Iterable[int] = range(1, length)
    if length > EXHAUSTIVE_BYTES:
        step = max(1, length // 60)
        points = [
            *range(1, EDGE_BYTES),
            *range(EDGE_BYTES, length - EDGE_BYTES, step),
            *range(length - EDGE_BYTES, length),
        ]
        if length > 100_000:
            points = points[:: EDGE_BYTES // 5]
    for at in points:
        yield [octets[:at], octets[at:]]
