"""A worker: one `Server` in a process that a supervisor forked, and what the two say to each other.

Each worker has a `Channel` to its supervisor. It says "ready" once it accepts, "stale" with the reason when
it is to be replaced, "failed" with one line when it cannot start; it hears "retire", and "reopen" of log
files. The end of the channel is the end of the supervisor, however that came, and then the worker drains and
ends as well.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from penstock.errors import PenstockError
from penstock.observe.release import settle_release
from penstock.server.identity import enter_directory, give_up_root
from penstock.server.recycling import Recycling
from penstock.server.sharing import join

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from penstock.http.handler import Handler
    from penstock.observe.board import Slot
    from penstock.observe.logs.file import LogFiles
    from penstock.server.bind import Bound
    from penstock.server.config import Config
    from penstock.server.reactor import Reactor
    from penstock.server.scoreboard import Entry
    from penstock.server.serve import Server
    from penstock.server.tls import Tls

_log = logging.getLogger("penstock.server")

_FAILED = 2  # the exit code of `penstock` for what it says in one line


class Channel:
    """One end of a line of words between supervisor and worker; both ends never wait."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._octets = b""
        self.is_open = True
        """False: the other side is gone."""

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        ours, theirs = socket.socketpair()
        return cls(ours), cls(theirs)

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, word: str, text: str = "") -> None:
        """Say a word, with one line of text. Nothing is raised when nobody hears it."""
        line = " ".join(f"{word} {text}".split())
        try:
            self._sock.send(line.encode("utf-8", "replace") + b"\n")
        except OSError:
            pass

    def receive(self) -> list[tuple[str, str]]:
        """Return what has come, word and text."""
        while True:
            try:
                data = self._sock.recv(65_536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.is_open = False
                break
            self._octets += data
        *lines, self._octets = self._octets.split(b"\n")
        words = [line.decode("utf-8", "replace").partition(" ") for line in lines]
        return [(word, text) for word, _, text in words]

    def close(self) -> None:
        self.is_open = False
        self._sock.close()


class Seat:
    """What a worker has from its supervisor: the channel, its numbers and the listening sockets."""

    def __init__(
        self,
        channel: Channel,
        entry: Entry | None,
        bound: Sequence[Bound],
        slot: Slot | None = None,
        *,
        tls: Tls | None = None,
        is_first: bool = False,
    ) -> None:
        self.channel = channel
        self.entry = entry
        self.bound = bound
        self.slot = slot
        """Where its figures are told."""
        self.tls = tls
        """The certificates the supervisor could read last."""
        self.is_first = is_first
        """Nothing has been served yet."""
        self._server: Server | None = None

    def take(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        """Listen to the supervisor from now on, for `server`."""
        self._server = server
        loop.add_reader(self.channel.fileno(), self._on_word, loop)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server is done."""
        loop.remove_reader(self.channel.fileno())

    def close(self) -> None:
        """Let go of it all; the supervisor keeps its own."""
        self.channel.close()
        for bound in self.bound:
            bound.close()

    def say_ready(self, interface: str, reactor: Reactor, config: Config) -> None:
        """The application, of this kind, has started, and `reactor` accepts connections."""
        self.channel.send("ready", interface)
        self._recycling = Recycling(config, reactor, partial(self.channel.send, "stale"))

    def _on_word(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._server is not None  # noqa: S101 - set with the reader
        for word, _ in self.channel.receive():
            if word == "retire":
                self._server.leave(to_others=True)
            elif word == "reopen":
                self._server.reopen_logs()
        if not self.channel.is_open:
            loop.remove_reader(self.channel.fileno())
            _log.error("the supervisor is gone: stopping")
            self._server.leave(to_others=False)


def run_worker(
    load: Callable[[], Handler], config: Config, seat: Seat, application_path: str, files: LogFiles
) -> int:
    """Load the application and serve it; return the exit status of this process."""
    from penstock.observe.logs.setup import configure, withdraw
    from penstock.server.log_setup import make_logging
    from penstock.server.serve import Server

    try:
        if seat.entry is not None:
            join(seat.entry.place)
        if config.chdir is not None and Path(config.chdir).is_absolute():
            enter_directory(config)  # anew: a link on the way may name the next release by now
        give_up_root(config, seat.tls)
        withdraw()  # the application may configure logging, as in a single process
        if config.reload:
            from penstock.server.forgiving import Forgiving

            load = partial(Forgiving, load, config, seat, application_path)
        handler = load()
        settle_release(config.release, getattr(handler, "release", ""))
        configure(make_logging(config), files)
        return Server(
            handler,
            config,
            application_path,
            bound=seat.bound,
            seat=seat,
            tls=seat.tls,
            log_files=files,
            slot=seat.slot,
        ).run()
    except PenstockError as error:
        seat.channel.send("failed", "; ".join(filter(None, map(str.strip, str(error).splitlines()))))
        return _FAILED
    finally:
        seat.close()
