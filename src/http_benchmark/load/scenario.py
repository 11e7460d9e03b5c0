"""What is asked of a server: requests with weights, all of one origin, and the rows that fill their gaps.

A value, checked when it is made, with the contents of all files it was made from: it can be sent to another
process or machine. The order of requests is fixed by weights and seed: the same for every run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import gcd
from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from http_benchmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_benchmark.load.templates import Data

TURNS: Final = 100_000
"""Requests of one cycle of weights, at most."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"[!-~]*")
_VALUE = re.compile(r"[\t -~\x80-\U0010ffff]*")
_MADE_HERE: Final = frozenset({"content-length", "transfer-encoding", "upgrade", "expect", "te"})
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One kind of request. UsageError says what is wrong with it."""

    url: str
    """Path and query may have `{column}`."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside Host and Content-Length, which are made; a Host given here is sent instead."""
    body: bytes = b""
    weight: int = 1
    """How often, beside the other requests of the scenario."""
    expect_status: frozenset[int] = frozenset()
    """What counts as success; empty: what the options of the load say."""
    expect_body: bytes | None = None
    """What content must be; None: what the options of the load say."""

    def __post_init__(self) -> None:
        """Check what can be checked without the others."""
        parts = self.parts
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{self.url!r} is no URL of a server, such as http://127.0.0.1:8000/")
        if parts.username is not None:
            raise UsageError(f"{_hidden(parts)}: give name and password as a header, not in the URL")
        if _TARGET.fullmatch(self.target) is None:
            raise UsageError(f"{self.url!r}: percent-encode spaces and letters beyond ASCII")
        if _TOKEN.fullmatch(self.method) is None or self.method == "CONNECT":
            raise UsageError(f"{self.method!r} is no method that a server answers")
        if self.body and self.method in _WITHOUT_BODY:
            raise UsageError(f"{self.method} has no body; use POST, PUT or PATCH")
        for name, value in self.headers.items():
            if not isinstance(value, str):
                raise UsageError(f"the header {name!r} is {value!r}, but must be a text")
            if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
                raise UsageError(f"{f'{name}: {value}'!r} is no header")
            if name.lower() in _MADE_HERE:
                raise UsageError(f"the header {name} cannot be given: it is made from the request")
        if not isinstance(self.weight, int) or isinstance(self.weight, bool) or self.weight < 1:
            raise UsageError(f"weight is {self.weight!r}, but must be a whole number above 0")

    @property
    def parts(self) -> SplitResult:
        """The parts of the URL; UsageError where it has none."""
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as error:
            raise UsageError(f"{self.url!r} is no URL: {error}") from None
        return parts

    @property
    def target(self) -> str:
        """Path and query, as in a request line."""
        parts = self.parts
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def label(self) -> str:
        """How it is called in messages."""
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Requests to one server.

    >>> Scenario(requests=(Request(url="http://[::1]:8000/a"),)).address
    ('::1', 8000)
    """

    requests: tuple[Request, ...]
    data: Data | None = None
    """Rows for `{column}`: each request that has one takes the next row, after the last the first again."""
    cookies: bool = False
    """Whether each connection keeps the cookies it is given, and sends them."""
    seed: int = 0
    """Of the order of requests."""

    def __post_init__(self) -> None:
        """Check that all requests go to one server."""
        if not self.requests:
            raise UsageError("a scenario without requests")
        for request in self.requests:
            if _origin(request) != _origin(self.requests[0]):
                raise UsageError(
                    f"{request.url} and {self.requests[0].url} are of two servers; one run loads one"
                )
        if sum(self.weights) > TURNS:
            raise UsageError(f"weights add up to more than {TURNS}; give smaller ones, such as 1 and 100")

    @property
    def weights(self) -> list[int]:
        """In lowest terms."""
        divisor = gcd(*(request.weight for request in self.requests))
        return [request.weight // divisor for request in self.requests]

    @property
    def order(self) -> list[int]:
        """One cycle: the index of each request as often as its weight says, shuffled by the seed."""
        cycle = [index for index, weight in enumerate(self.weights) for _ in range(weight)]
        Random(self.seed).shuffle(cycle)  # noqa: S311  # an order, not a secret
        return cycle

    @property
    def is_tls(self) -> bool:
        return self.requests[0].parts.scheme == "https"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        scheme, host, port = _origin(self.requests[0])
        return host, port or (443 if scheme == "https" else 80)

    @property
    def url(self) -> str:
        """Of all requests, or, of several, what they have in common."""
        if len(self.requests) == 1:
            return self.requests[0].url
        parts = self.requests[0].parts
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def method(self) -> str:
        """Of all requests, each method once."""
        return ",".join(dict.fromkeys(request.method for request in self.requests))


def _origin(request: Request) -> tuple[str, str, int]:
    parts = request.parts
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _hidden(parts: SplitResult) -> str:
    return f"{parts.scheme}://...@{parts.netloc.rpartition('@')[2]}"
