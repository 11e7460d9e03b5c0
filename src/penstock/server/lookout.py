"""Who looks after a process that serves, from a thread beside the loop: what it has, and what it tells.

It puts together what each module says for itself: the `heartbeat`, whose thread does it all, `standstills`
of the loop and its `pauses`, the `sampling` of slow requests and the log of them (`slow`), and the
`dump` that SIGUSR2 asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from penstock.server.dump import Dump
from penstock.server.heartbeat import Heartbeat
from penstock.server.pauses import Pauses
from penstock.server.sampling import Sampler
from penstock.server.standstills import Standstills

if TYPE_CHECKING:
    from penstock.server.config import Config
    from penstock.server.heartbeat import Chore
    from penstock.server.reactor import Reactor
    from penstock.server.slow import SlowRequests

# Looks at a request from half of the time on after which it is slow: three before it is.
_LOOKS: Final = 6
_LOOK_LEAST_S: Final = 0.02
_LOOK_MOST_S: Final = 0.25
# Where no request is too slow, those in flight are looked at as if they were from this time on.
_SLOW_S: Final = 1.0
_WRITE_S: Final = 0.25
_COUNT_S: Final = 0.5
_DUMP_S: Final = 0.25


class Lookout:
    """Looks after one reactor, from now on. On the loop's thread."""

    def __init__(
        self,
        reactor: Reactor,
        config: Config,
        slow: SlowRequests | None,
        *,
        is_replaced: bool,
        takes_signals: bool,
    ) -> None:
        slow_s = config.slow_request_s or _SLOW_S
        self.sampler = Sampler(reactor, slow_s / 2)
        chores: list[Chore] = [(_choose_interval(slow_s), self.sampler.look)]
        self._slow = slow
        if slow is not None:
            slow.sampler = self.sampler
            chores.append((_WRITE_S, slow.write))
        self.standstills = Standstills(reactor, config.blocked_loop_s)
        self._pauses = Pauses(self.standstills)
        chores.append((_COUNT_S, self._pauses.count))
        self._dump = Dump(reactor, self.sampler) if takes_signals else None
        if self._dump is not None:
            self._dump.begin()
            chores.append((_DUMP_S, self._dump.look))
        self._pauses.begin()
        self._heartbeat = Heartbeat(
            reactor, config.stuck_timeout_s, self.standstills, is_replaced=is_replaced, chores=chores
        )

    def tell_loop(self) -> dict[str, float]:
        """Return how the loop fares, for who asks how this process does."""
        standstills = self.standstills
        return {
            **self._pauses.tell(),
            "standstills_total": standstills.count,
            "longest_standstill_seconds": round(standstills.longest_s, 3),
        }

    def stop(self) -> None:
        """Look no more, and tell what there is."""
        self._heartbeat.stop()
        self._pauses.end()
        if self._dump is not None:
            self._dump.end()
        if self._slow is not None:
            self._slow.write()


def _choose_interval(slow_s: float) -> float:
    return min(_LOOK_MOST_S, max(_LOOK_LEAST_S, slow_s / _LOOKS))
