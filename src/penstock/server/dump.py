"""SIGUSR2: what this process is at goes to its log, the requests in flight and where every thread stands.

A handler of Python, and of asyncio, runs on the loop's thread, which may be stuck; so the signal is answered
by faulthandler, in C and whatever the interpreter is at. It writes where every thread stands into a pipe, of
the moment of the signal; the thread beside the loop finds that, adds the table of requests and logs both.
While C code keeps the interpreter lock that thread waits, and what was taken at the signal is logged then.
An application that has its own answer to the signal keeps it. The signal ends no process of a server.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from penstock.observe.in_flight import render_table
from penstock.observe.overview import age_of, to_request
from penstock.observe.stacks import log_with_stack
from penstock.server.in_flight import describe, find_in_flight
from penstock.server.sampling import snapshot
from penstock.server.signals import ignore

if TYPE_CHECKING:
    from penstock.server.reactor import Reactor
    from penstock.server.sampling import Sampler

_log = logging.getLogger("penstock.server")

_SIGNAL: Final = getattr(signal, "SIGUSR2", None)
_LISTED: Final = 50
# A hundred threads, as many as faulthandler writes, with twenty calls each.
_PIPE_BYTES: Final = 2**18
_F_SETPIPE_SZ: Final = 1031
_READ_BYTES: Final = 2**16
_TEXT_CHARS: Final = 2**18
_THREAD: Final = re.compile(r"hread 0x([0-9a-f]+)")


class Dump:
    """Answers the signal, for one reactor. `begin` and `end` in the main thread."""

    def __init__(self, reactor: Reactor, sampler: Sampler) -> None:
        self._reactor = reactor
        self._sampler = sampler
        self._pipe: tuple[int, int] | None = None
        self._octets = b""

    def begin(self) -> None:
        """Answer from now on, unless the application does."""
        if _SIGNAL is None or signal.getsignal(_SIGNAL) not in (signal.SIG_DFL, ignore):
            return
        try:
            self._pipe = out, into = os.pipe()
        except OSError as error:
            _log.warning("SIGUSR2 will not be answered: %s", error.strerror)
            return
        os.set_blocking(out, False)
        os.set_blocking(into, False)  # what does not fit is cut off; the handler never waits
        _enlarge(into)
        faulthandler.register(_SIGNAL, file=into, all_threads=True)

    def end(self) -> None:
        if self._pipe is None:
            return
        assert _SIGNAL is not None  # noqa: S101 - else there were no pipe
        faulthandler.unregister(_SIGNAL)
        pipe, self._pipe = self._pipe, None
        for fd in pipe:
            os.close(fd)

    def look(self) -> None:
        """Log what is asked for, once all of it is there. In the thread beside the loop."""
        octets = self._read()
        self._octets = (self._octets + octets)[-_TEXT_CHARS:]
        if self._octets and not octets:
            told, self._octets = self._octets, b""
            self._tell(told.decode("utf-8", "replace"))

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        while self._pipe is not None:
            try:
                piece = os.read(self._pipe[0], _READ_BYTES)
            except OSError:  # nothing, or it is just closed
                break
            pieces.append(piece)
        return b"".join(pieces)

    def _tell(self, threads: str) -> None:
        now = time.monotonic()
        found = [find_in_flight(connection, now) for connection in snapshot(self._reactor)]
        flying = sorted((each for each in found if each is not None), key=lambda each: each.since)
        requests = [
            to_request(describe(each, self._sampler, always_stack=True), os.getpid(), now)
            for each in flying[:_LISTED]
        ]
        oldest = f", the oldest for {age_of(flying[0].since, now):.3f} s" if flying else ""
        text = f"{render_table(requests, len(flying))}\nThreads at the signal:\n{_name_threads(threads)}"
        log_with_stack(
            _log,
            text[:_TEXT_CHARS],
            "",
            "SIGUSR2: %d requests in flight%s",
            *(len(flying), oldest),
            level=logging.WARNING,
        )


def _name_threads(text: str) -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}

    def name(found: re.Match[str]) -> str:
        known = names.get(int(found[1], 16))
        return f"{found[0]} {known}" if known else found[0]

    return _THREAD.sub(name, text)


def _enlarge(pipe: int) -> None:
    try:
        import fcntl

        call: Any = fcntl.fcntl
        call(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, OSError):
        pass  # not Linux, or no more to be had: 64 KiB are enough for most
