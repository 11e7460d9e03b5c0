"""How the load is made: connections, time, rate. What is asked is the scenario's."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

from http_benchmark.errors import UsageError
from http_benchmark.settings import read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """One round of load. UsageError says what is wrong with it. Can be pickled.

    >>> LoadOptions(connections=64, duration_s=3).pipeline
    1
    """

    connections: int = field(default_factory=lambda: read_settings().default_concurrency)
    duration_s: float = field(default_factory=lambda: read_settings().default_duration_seconds)
    """Measured; warm-up and drain are not part of it."""
    requests: int | None = None
    """Stop after so many, whatever time they take; instead of the duration."""
    rate_per_s: float | None = None
    """Open loop: requests are due at this rate, whether or not earlier ones were answered."""
    rate_to_per_s: float | None = None
    """Open loop: the rate grows, or falls, to this one evenly over the round."""
    pipeline: int = 1
    """Requests in flight on each connection."""
    warm_up_s: float = 1.0
    """Before the round, not measured; connections stay."""
    timeout_s: float = 30.0
    """Of each request, of each connection that is opened, and of the drain at the end."""
    verify: bool = True
    """Whether the certificate of an https server is checked."""
    unix_path: str | None = None
    """A unix socket to connect to, instead of host and port of the URL."""
    requests_per_connection: int | None = None
    """Close each connection after so many, the last of them with `Connection: close`."""
    expect_status: frozenset[int] = frozenset()
    """What counts as success where a request says nothing; empty: anything from 200 to 399."""
    expect_body: bytes | None = None
    """What content must be for success where a request says nothing; None: anything."""

    def __post_init__(self) -> None:
        """Check all of it; UsageError names the first that is wrong."""
        for label, whole in (
            ("connections", self.connections),
            ("pipeline", self.pipeline),
            ("requests", self.requests),
            ("requests per connection", self.requests_per_connection),
        ):
            if whole is not None and (not isinstance(whole, int) or isinstance(whole, bool) or whole < 1):
                raise UsageError(f"{label} is {whole!r}, but must be a whole number above 0")
        for name, seconds in (
            ("duration", self.duration_s),
            ("timeout", self.timeout_s),
            ("rate", self.rate_per_s),
            ("rate at the end", self.rate_to_per_s),
        ):
            if seconds is not None and not (isfinite(seconds) and seconds > 0):
                raise UsageError(f"{name} is {seconds:g}, but must be above 0")
        if not (isfinite(self.warm_up_s) and self.warm_up_s >= 0):
            raise UsageError(f"warm-up is {self.warm_up_s:g}, but must be 0 or above")
        if self.rate_to_per_s is not None and self.rate_per_s is None:
            raise UsageError("a rate to end with needs one to begin with")
        limit = read_settings().max_concurrency
        if self.connections > limit:
            raise UsageError(
                f"{self.connections} connections are over the maximum of {limit}; "
                "HTTP_BENCHMARK_MAX_CONCURRENCY sets another"
            )
        for status in self.expect_status:
            if not 200 <= status <= 599:
                raise UsageError(f"the status {status} cannot be expected: final ones are 200 to 599")
