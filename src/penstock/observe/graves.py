"""What workers were at that ended without being told to: the last table of each, in a slot of the board.

The last few are kept, for whoever comes to look after the fact; the figures of such a worker are its own, as
it told them last, half a second before its end at most.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock.observe.board import Slot
    from penstock.observe.overview import Figures

GRAVES_BYTES: Final = 2**18
_KEPT: Final = 4


def bury(slot: Slot, pid: int, figures: Figures) -> None:
    """Keep the last table of a worker that has ended."""
    grave = {
        "pid": pid,
        "ended": time.monotonic(),
        "told": figures.told,
        "loop_still_s": figures.loop_still_s,
        "requests_in_flight": figures.requests_in_flight,
        "listed": figures.listed,
    }
    graves = [grave, *read_graves(slot)][:_KEPT]
    while graves and len(octets := json.dumps(graves, separators=(",", ":")).encode()) > slot.capacity:
        graves.pop()
    if graves:
        slot.write(octets)


def read_graves(slot: Slot) -> list[dict[str, Any]]:
    """Return them, the latest first."""
    octets = slot.read()
    return [] if octets is None else json.loads(octets)
