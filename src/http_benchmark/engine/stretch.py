"""A stretch of time in which requests are begun, and with it the rule which requests count.

A round is two stretches behind each other, by the same workers over the same connections: warm-up, and what
is measured. A request belongs to the stretch in which it was begun. One that was begun in the warm-up is not
measured, whenever it is answered; one that was begun in the measured stretch is, also when it is answered
after its end: nobody begins another then, and those in flight are waited for, as long as `drain_s` says.
Answered until then they are successes or errors like all others; the rest is counted as in flight at the
end, and as nothing else. As many are left out at the beginning as come in at the end, and the slow ones
have the same chance as the quick ones: neither rate nor latency is biased, provided that it was warm.
Open loop: a request is begun when it is sent; what was due and could not be sent until the end is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FAR_NS: Final = 2**62
"""An end that never comes: the stretch ends after a number of requests."""
_LONGEST_DRAIN_S: Final = 5.0
_DRAIN_OF_INTERRUPTED_S: Final = 1.0


@dataclass(slots=True)
class Stretch:
    """In nanoseconds of `time.perf_counter_ns`. The end is moved when somebody stops the round."""

    begin_ns: int
    end_ns: int

    def stop(self, now_ns: int) -> None:
        """Have nothing more begun. Before its beginning that leaves nothing of it."""
        self.end_ns = min(self.end_ns, now_ns)


def drain_s(timeout_s: float, *, was_interrupted: bool) -> float:
    """Return how long those in flight are waited for after the end.

    >>> drain_s(30.0, was_interrupted=False), drain_s(0.5, was_interrupted=True)
    (5.0, 0.5)
    """
    return min(timeout_s, _DRAIN_OF_INTERRUPTED_S if was_interrupted else _LONGEST_DRAIN_S)
