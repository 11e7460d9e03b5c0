"""When to try again: at once after the first failure, then after delays that double up to a cap.

What lived long before it failed is no series: the count begins anew.
"""

from __future__ import annotations

_FIRST_S = 0.5
# systemd's RestartSec is a constant 0.1 s and gives up; Kubernetes doubles from 10 s to 300 s. A worker costs
# an import: half a minute keeps the machine free and the outage short once the cause is gone.
_LONGEST_S = 30.0
_SETTLED_S = 10.0


class Backoff:
    """Counts failures. Times are those of the monotonic clock."""

    def __init__(self) -> None:
        self.until = 0.0
        """Not to try again before."""
        self._failures = 0

    def fail(self, now: float, *, lived_s: float) -> float:
        """Note a failure of what had worked for `lived_s`; return the delay in seconds."""
        if lived_s >= _SETTLED_S:
            self._failures = 0
        delay_s = min(_FIRST_S * 2 ** (self._failures - 1), _LONGEST_S) if self._failures else 0.0
        self._failures += 1
        self.until = max(self.until, now + delay_s)
        return delay_s

    def reset(self) -> None:
        """Try at once: something has changed."""
        self.until = 0.0
        self._failures = 0
