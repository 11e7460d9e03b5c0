"""How far a run has come: what the engine tells about four times a second to whoever watches."""

from __future__ import annotations

from typing import NamedTuple


class Progress(NamedTuple):
    """A look at the round that is running. Given by one thread, which waits until the watcher returns."""

    name: str
    """What is measured, as in `BenchmarkConfiguration.label`."""
    round: int
    """From 0."""
    rounds: int
    elapsed_s: float
    """Of this round; below 0 while it warms up."""
    of_s: float | None
    """What this round is going to take; None where it ends after a number of requests."""
    rate_per_s: float
    """Successes a second since the look before."""
    p50_ns: int
    """Of the round so far, as `p99_ns`."""
    p99_ns: int
    requests: int
    """Successes of this round so far."""
    errors: int
    """Of this round so far."""
    client: str = ""
    """Library and mode, such as "httpx (async)"; "" where something else is measured."""
