"""A worker as its supervisor sees it, and how processes end.

Nothing is decided here: the supervisor sets these attributes and acts on them.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.observe.overview import Told
    from penstock.server.scoreboard import Entry
    from penstock.server.worker import Channel


class Child:
    """A worker as the supervisor sees it."""

    def __init__(self, pid: int, channel: Channel, entry: Entry, now: float, generation: int = 0) -> None:
        self.pid = pid
        self.channel = channel
        self.entry = entry
        self.started = now
        self.generation = generation
        """Reloads before it."""
        self.is_ready = False
        self.stale = ""
        """Why it is to be replaced; "" when it is not."""
        self.is_broken = False
        """Its application cannot be loaded, and that is what it answers with."""
        self.is_retiring = False
        self.failure = ""
        """What it said before it gave up."""
        self.kill_at = 0.0
        """On the monotonic clock; 0.0: it may live."""

    def told(self) -> Told:
        """Return what the admin endpoint is told of it."""
        return (self.pid, self.entry.place, self.started, self.is_retiring, self.generation)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass  # it waits to be reaped


def describe_end(code: int) -> str:
    """Return how a process ended, for people."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
