"""Where the admin endpoint answers: with workers in a process that the supervisor forks, else in a thread
with a loop of its own.

Its pages (`table`) are a `Handler` served by our own `Server`. Who may connect is for its address to say,
which should be a loopback or a unix socket.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from penstock.errors import ConfigError
from penstock.observe.board import Board, share
from penstock.observe.graves import GRAVES_BYTES, bury
from penstock.observe.overview import FIGURES_BYTES, FRONT_BYTES, Front, read_figures
from penstock.server.admin.sources import Sources
from penstock.server.admin.table import AdminHandler
from penstock.server.bind import open_one
from penstock.server.config import Config

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from penstock.observe.board import Slot
    from penstock.observe.overview import Told
    from penstock.server.bind import Bound
    from penstock.server.reactor import Reactor
    from penstock.server.scoreboard import Entry
    from penstock.server.serve import Server
    from penstock.server.worker import Channel

_log = logging.getLogger("penstock.server")

_STOP_S: Final = 2.0
_LOOK_S: Final = 0.01
_AGAIN_S: Final = 1.0


class Admin:
    """The endpoint as whoever starts processes holds it: its socket, the board, what is told of the whole."""

    def __init__(self, address: str, config: Config, *, slots: int, front: Front) -> None:
        """ConfigError when its address cannot be opened."""
        try:
            self.bound: Bound = open_one(address, config)
        except ConfigError as error:
            raise ConfigError(f"admin: {error}") from None
        self.config = _make_config(config)
        self.front = front
        self.board = Board(FRONT_BYTES, *[FIGURES_BYTES] * slots, GRAVES_BYTES)
        front.tell(self.board.slots[0])
        share(self.board)

    def make_handler(self) -> AdminHandler:
        return AdminHandler(Sources(self.board))

    def give(self, place: int) -> Slot:
        """Return the slot in which a new process tells its figures, with nothing in it."""
        slot = self.board.slots[place]
        slot.clear()
        return slot

    def close(self) -> None:
        """Answer no more."""
        self.bound.close()


class SupervisedAdmin(Admin):
    """The endpoint in a process of its own."""

    pid = 0
    """Of that process; 0 while there is none."""
    _channel: Channel | None = None
    _due = 0.0
    _told: tuple[object, ...] = ()

    def is_due(self, now: float) -> bool:
        """Whether a process is to be forked: there is none, and the last one was a moment ago."""
        if self.pid or now < self._due:
            return False
        self._due = now + _AGAIN_S
        return True

    def begin(self, pid: int, channel: Channel) -> None:
        """That process answers; when the channel ends, so does it."""
        self.pid, self._channel = pid, channel

    def reopen(self) -> None:
        """Have its process open log files again."""
        if self._channel is not None:
            self._channel.send("reopen")

    def on_end(self) -> None:
        """It has ended, and was collected."""
        self.pid = 0
        if self._channel is not None:
            self._channel.close()

    def bury(self, place: int, *, was_told: bool) -> None:
        """A worker has ended, and was told to or not: what it has counted stays."""
        figures = read_figures(self.board.slots[place])
        if figures is not None:
            self.front.requests_of_ended += figures.requests
            if not was_told:
                pid = next((told[0] for told in self.front.workers if told[1] == place), 0)
                bury(self.board.slots[-1], pid, figures)
        self.board.slots[place].clear()
        self.front.restarts += not was_told

    def tell_of(self, workers: Sequence[Told], *, is_draining: bool) -> None:
        """Tell how the workers stand, if that has changed."""
        front = self.front
        told = (tuple(workers), is_draining, front.restarts, front.requests_of_ended)
        if told != self._told:
            self._told = told
            front.workers, front.state = workers, "draining" if is_draining else "ready"
            front.tell(self.board.slots[0])

    def leave(self, kept: Sequence[Bound]) -> None:
        """Let go of it, but for a socket a new process serves; in the supervisor, end it."""
        if self.pid and os.getpid() == self.front.pid:
            self._end()
        if self._channel is not None:
            self._channel.close()
        if self.bound not in kept:
            self.close()

    def _end(self) -> None:
        end = time.monotonic() + _STOP_S
        os.kill(self.pid, signal.SIGTERM)
        while not os.waitpid(self.pid, os.WNOHANG)[0]:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(_LOOK_S)
        self.pid = 0


def open_supervised(config: Config, workers: int) -> SupervisedAdmin | None:
    """Open the endpoint of a supervisor of so many workers at most; None when there is to be none."""
    if config.admin is None:
        return None
    front = Front(os.getpid(), time.monotonic(), True, config.stuck_timeout_s)
    return SupervisedAdmin(config.admin, config, slots=workers, front=front)


class LocalAdmin(Admin):
    """The endpoint in a thread of the one process that serves; to its `Server` it is the `Minder`."""

    entry: Entry | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Answer from now on."""
        from penstock.server.serve import Server

        self._answers = threading.Event()
        self._server = Server(
            self.make_handler(),
            self.config,
            bound=[self.bound],
            handles_signals=False,
            seat=self,
        )
        self._thread = threading.Thread(target=self._run, name="penstock-admin", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server.run()
        except Exception:
            _log.exception("the admin endpoint has ended")  # the border of its thread
        finally:
            self._answers.set()

    def take(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ARG002 - of a Minder
        self._loop = loop

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ARG002
        self._loop = None

    def say_ready(self, interface: str, reactor: Reactor, config: Config) -> None:  # noqa: ARG002
        self._answers.set()

    def close(self) -> None:
        if self._thread is not None:
            self._answers.wait(_STOP_S)
            loop = self._loop
            if loop is not None:
                try:
                    loop.call_soon_threadsafe(partial(self._server.leave, to_others=False))
                except RuntimeError:
                    pass  # it has ended by itself
            self._thread.join(_STOP_S)
        share(None)
        super().close()


def open_local(config: Config) -> LocalAdmin | None:
    """Open the endpoint of a single process, whose slot is 1; None when there is to be none."""
    if config.admin is None:
        return None
    pid, now = os.getpid(), time.monotonic()
    front = Front(pid, now, False, config.stuck_timeout_s, state="ready", workers=[(pid, 1, now, False, 0)])
    return LocalAdmin(config.admin, config, slots=1, front=front)


def _make_config(config: Config) -> Config:
    """The settings of the endpoint itself: small bounds, for whoever asks is near and asks little."""
    return Config(
        access_log=False,
        metrics=False,
        log_level=config.log_level,
        release=config.release,
        log_format=config.log_format,
        user=config.user,
        group=config.group,
        stuck_timeout_s=0.0,
        slow_request_s=0.0,
        blocked_loop_s=0.0,
        threads=1,
        processes=1,
        connection_limit=256,
        head_timeout_s=2.0,
        idle_timeout_s=15.0,
        write_timeout_s=2.0,
        linger_timeout_s=0.5,
        drain_timeout_s=0.5,
        content_limit_bytes=0,
        head_limit_bytes=8192,
    )
