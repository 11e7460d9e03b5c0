"""Which sockets are ready: epoll where the system has it, poll elsewhere, with the same methods."""

from __future__ import annotations

import select
from typing import Final

READABLE: Final = 1
WRITABLE: Final = 4
"""EPOLLIN and EPOLLOUT; POLLIN and POLLOUT have the same numbers."""


class PollPoller:
    """select.poll, which knows milliseconds and no upper bound of events."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, timeout: float = -1, maxevents: int = -1, /) -> list[tuple[int, int]]:
        """Return all that are ready: the first few would leave the others waiting for ever."""
        del maxevents
        return self._poll.poll(-1 if timeout < 0 else -int(-timeout * 1000 // 1))

    def close(self) -> None:
        """Nothing is held."""


def make_poller() -> select.epoll | PollPoller:
    """Return the best there is."""
    return select.epoll() if hasattr(select, "epoll") else PollPoller()
