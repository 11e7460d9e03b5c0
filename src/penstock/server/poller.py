"""Tell which descriptors are ready: our own epoll, hung in the asyncio loop by its descriptor.

The loop sees one readable descriptor however many connections are ready, so asyncio's transports, protocols
and handles cost a connection nothing. Where there is no epoll, each descriptor is given to the loop itself:
the same behaviour, dearer. Level-triggered both ways. Masks are those of poll(2): IN, OUT; errors and
hang-ups are always told.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

IN: Final = 1
OUT: Final = 4

# PERF: a turn takes at most this many; the rest is told at the next one, after the loop had its say.
BATCH = 512


class Poller(Protocol):
    """What the reactor needs of either kind."""

    def register(self, fd: int, mask: int) -> None: ...

    def modify(self, fd: int, mask: int) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def close(self) -> None: ...


class EpollPoller:
    """epoll(7). The loop calls `turn` when it has something."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, dispatch: Callable[[list[tuple[int, int]]], None]
    ) -> None:
        self._epoll = select.epoll()
        self._loop = loop
        self._dispatch = dispatch
        self._poll = self._epoll.poll
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        loop.add_reader(self._epoll.fileno(), self._turn)

    def _turn(self) -> None:
        self._dispatch(self._poll(0, BATCH))

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


class LoopPoller:
    """A reader and a writer in the loop per descriptor, for systems without epoll."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, dispatch: Callable[[list[tuple[int, int]]], None]
    ) -> None:
        self._loop = loop
        self._dispatch = dispatch
        self._masks: dict[int, int] = {}

    def register(self, fd: int, mask: int) -> None:
        self._masks[fd] = 0
        self.modify(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        changed = self._masks[fd] ^ mask
        self._masks[fd] = mask
        if changed & IN:
            if mask & IN:
                self._loop.add_reader(fd, self._dispatch, [(fd, IN)])
            else:
                self._loop.remove_reader(fd)
        if changed & OUT:
            if mask & OUT:
                self._loop.add_writer(fd, self._dispatch, [(fd, OUT)])
            else:
                self._loop.remove_writer(fd)

    def unregister(self, fd: int) -> None:
        self.modify(fd, 0)
        del self._masks[fd]

    def close(self) -> None:
        for fd in list(self._masks):
            self.unregister(fd)


def make_poller(
    loop: asyncio.AbstractEventLoop,
    dispatch: Callable[[list[tuple[int, int]]], None],
    *,
    use_epoll: bool = True,
) -> Poller:
    """Return the cheapest poller this system has. `dispatch` gets (descriptor, events) pairs."""
    if use_epoll and hasattr(select, "epoll"):
        return EpollPoller(loop, dispatch)
    return LoopPoller(loop, dispatch)
