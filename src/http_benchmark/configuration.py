"""What is measured and how: one immutable value, checked when it is made, and stored with each result."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from http_benchmark.errors import UsageError
from http_benchmark.settings import read_settings
from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_FIELD_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "STREAM")
"""STREAM is GET whose content is read in pieces and thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkConfiguration:
    """One client library against one URL. UsageError says what is wrong with it.

    >>> BenchmarkConfiguration(url="http://127.0.0.1:8000/", client="httpx", concurrency=20).rounds
    1
    """

    url: str
    client: str = "http.client"
    """The name of an adapter: `http-benchmark clients` lists them."""
    mode: Literal["sync", "async"] = "sync"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    name: str = ""
    """Under which results are found again; "" is made from client and URL."""
    concurrency: int = field(default_factory=lambda: read_settings().default_concurrency)
    """Threads, or tasks, each with one request at a time."""
    duration_s: float = field(default_factory=lambda: read_settings().default_duration_seconds)
    """Measured, in all rounds together, warm-up not counted."""
    requests: int | None = None
    """Stop after so many, in all rounds together, whatever time they take; instead of the duration."""
    rate_per_s: float | None = None
    """Open loop: requests are due at this constant rate, whether or not earlier ones were answered."""
    rate_to_per_s: float | None = None
    """Open loop: the rate grows, or falls, to this one evenly over each round."""
    warm_up_s: float = 1.0
    """Before each round, not measured; connections stay."""
    rounds: int = 1
    timeout_s: float = 30.0
    """Of each request."""
    verify_ssl: bool = True
    http2: bool = False
    expect_status: frozenset[int] = frozenset()
    """What counts as success; empty: anything from 200 to 399."""
    expect_body: bytes | None = None
    """What content must be for a reply to count as success; None: anything."""
    monitoring_interval_s: float = field(default_factory=lambda: read_settings().resource_monitoring_interval)

    def __post_init__(self) -> None:
        """Check all of it; UsageError names the first that is wrong."""
        if not _is_url(self.url):
            raise UsageError(f"{self.url!r} is no URL of a server, such as http://127.0.0.1:8000/")
        if self.method not in METHODS:
            raise UsageError(f"the method {self.method!r} is none of {', '.join(METHODS)}")
        if self.mode not in {"sync", "async"}:
            raise UsageError(f"the mode {self.mode!r} is neither sync nor async")
        if self.body and self.method in {"GET", "HEAD", "STREAM"}:
            raise UsageError(f"{self.method} has no body; use POST, PUT or PATCH")
        _check_headers(self.headers)
        limit = read_settings().max_concurrency
        _check_whole("concurrency", self.concurrency)
        if self.concurrency > limit:
            raise UsageError(
                f"concurrency {self.concurrency} is over the maximum of {limit}; "
                "HTTP_BENCHMARK_MAX_CONCURRENCY sets another"
            )
        _check_whole("rounds", self.rounds)
        for label, value in (
            ("duration", self.duration_s),
            ("timeout", self.timeout_s),
            ("monitoring interval", self.monitoring_interval_s),
            ("rate", self.rate_per_s),
            ("rate at the end", self.rate_to_per_s),
        ):
            if value is not None and not (isfinite(value) and value > 0):
                raise UsageError(f"{label} is {value:g}, but must be above 0")
        if not (isfinite(self.warm_up_s) and self.warm_up_s >= 0):
            raise UsageError(f"warm-up is {self.warm_up_s:g}, but must be 0 or above")
        if self.requests is not None:
            _check_whole("requests", self.requests)
            if self.requests < self.rounds:
                raise UsageError(f"{self.requests} requests are too few for {self.rounds} rounds")
        if wrong := sorted(each for each in self.expect_status if not 100 <= each <= 599):
            raise UsageError(f"{wrong[0]} is no status to expect; they go from 100 to 599")
        if self.rate_to_per_s is not None and self.rate_per_s is None:
            raise UsageError("a rate to end with needs one to begin with")

    @property
    def label(self) -> str:
        """What it is called in tables and in the history."""
        return self.name or f"{self.client} {self.method} {redactor().url(self.url)}"

    @property
    def is_open_loop(self) -> bool:
        """Whether requests are sent when they are due, instead of when the last was answered."""
        return self.rate_per_s is not None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it, to be kept and passed on: without secrets in URL, headers and body."""
        hide = redactor()
        found = asdict(self)
        found["url"] = hide.url(self.url)
        found["headers"] = {name: hide.field(name, value) for name, value in self.headers.items()}
        found["body"] = hide.text(self.body.decode("utf-8", "backslashreplace"))
        found["expect_status"] = sorted(self.expect_status)
        if self.expect_body is not None:
            found["expect_body"] = self.expect_body.decode("utf-8", "backslashreplace")
        return found

    def but(self, **changes: Any) -> BenchmarkConfiguration:
        """Return a copy in which that differs."""
        return replace(self, **changes)


def _is_url(text: str) -> bool:
    if any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without end, a port that is none
        return False


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a header")
        if not isinstance(value, str) or not _FIELD_VALUE.fullmatch(value):
            raise UsageError(f"the header {name} is {value!r}, but must be text of one line")


def _check_whole(label: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{label} is {value!r}, but must be a whole number above 0")
