"""One uninterrupted stretch of measuring one subject, whoever measured it: a client library or a server
under load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from http_benchmark.histogram.histogram import Histogram

ErrorClass: TypeAlias = str
"""One of: status, content, short (content cut off), reset, refused, unreachable, timeout, tls, protocol,
other.

A status is counted as "status 503", with its number.
"""


@dataclass(slots=True)
class Second:
    """What was finished in one second of a round."""

    offset_s: int
    """Seconds from the beginning of the round to that of this one."""
    latency: Histogram = field(default_factory=Histogram)
    """Of the successes that finished in it: their number is its `total`."""
    errors: int = 0


@dataclass(slots=True)
class Sample:
    """What processes used at one moment; the sums of all processes that are meant."""

    offset_s: float
    cpu_percent: float
    """Of one core: 200 is two cores busy."""
    rss_mb: float
    """Resident memory in 10**6 octets."""
    threads: int = 0
    context_switches: int = 0
    """Since the sample before, voluntary or not."""
    read_mb: float = 0.0
    """Since the sample before."""
    written_mb: float = 0.0


@dataclass(slots=True)
class Resources:
    """What processes used over a round."""

    cpu_s: float
    """User and system, exact: from the kernel's own counts, not from the samples."""
    samples: list[Sample] = field(default_factory=list)
    user_s: float = 0.0
    """Of `cpu_s`, to the tick of the kernel (10 ms)."""
    system_s: float = 0.0
    """As `user_s`."""

    @property
    def rss_mb_max(self) -> float:
        """0.0 without samples."""
        return max((sample.rss_mb for sample in self.samples), default=0.0)

    @property
    def rss_mb_mean(self) -> float:
        """0.0 without samples."""
        return sum(sample.rss_mb for sample in self.samples) / len(self.samples) if self.samples else 0.0


@dataclass(slots=True)
class Round:
    """Counts and distributions of a stretch. Rates are of successes; errors are never part of them."""

    number: int
    """From 0."""
    started_at: float
    """Wall clock, seconds since the epoch."""
    duration_s: float
    """From the beginning of measuring to its end, drain not counted."""
    latency: Histogram = field(default_factory=Histogram)
    """Of successes, from send start to the last octet. Their number is its `total`."""
    corrected: Histogram | None = None
    """Open loop: from the time a request was due. Closed loop: `latency` corrected for coordinated
    omission.
    """
    first_octet: Histogram | None = None
    """Of successes, from send start to the head of the reply."""
    lateness: Histogram | None = None
    """Open loop: from the time a request was due to the time it was sent."""
    errors: dict[ErrorClass, int] = field(default_factory=dict)
    examples: dict[ErrorClass, str] = field(default_factory=dict)
    """What the first error of each class said."""
    late: int = 0
    """Open loop: sends that began more than a millisecond after they were due."""
    dropped: int = 0
    """Open loop: requests that were due and never sent, because nobody was free until the end."""
    in_flight_at_end: int = 0
    """Begun before the end and not answered within the drain; neither successes nor errors."""
    connections_opened: int | None = None
    """Since the clients of this round were made, warm-up counted; None where nobody can tell."""
    connections_reused: int | None = None
    """Requests of the round that went over a connection that had been used before, be it in the warm-up."""
    octets_received: int = 0
    """Of content, as `octets_sent`."""
    octets_sent: int = 0
    effective_concurrency: float | None = None
    """Requests in flight, on average over the round (Little's law: rate x mean time)."""
    seconds: list[Second] = field(default_factory=list)
    generator: Resources | None = None
    """Of the process or processes that made the load."""
    server: Resources | None = None
    """Of the server, where it is ours to watch."""
    was_interrupted: bool = False

    @property
    def requests(self) -> int:
        """Successes."""
        return self.latency.total

    @property
    def rate_per_s(self) -> float:
        """Successes a second; 0.0 of no time."""
        return self.requests / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def error_count(self) -> int:
        return sum(self.errors.values())
