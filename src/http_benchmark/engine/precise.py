"""A loop of asyncio's whose timers are exact to some 60 us.

`epoll_wait` takes whole milliseconds, and asyncio rounds up, so that every timer is half a millisecond late
on average: too much for requests that are due every millisecond. `select` takes microseconds, and an epoll
descriptor can itself be waited for: one more system call whenever the loop waits for a timer, and no
spinning. Elsewhere than on Linux the usual loop has to do.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectors import SelectorKey

_LARGEST_DESCRIPTOR: Final = 1023
"""Of `select`: FD_SETSIZE."""

if sys.platform == "linux":

    class PreciseSelector(selectors.EpollSelector):
        """epoll, with timeouts of microseconds."""

        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            """As `selectors.EpollSelector`."""
            if timeout is None or timeout <= 0:
                return super().select(timeout)
            select.select((self.fileno(),), (), (), timeout)
            return super().select(0)


def new_precise_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop."""
    if sys.platform == "linux":
        selector = PreciseSelector()
        if selector.fileno() <= _LARGEST_DESCRIPTOR:
            return asyncio.SelectorEventLoop(selector)
        selector.close()
    return asyncio.new_event_loop()
