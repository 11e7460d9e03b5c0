"""Forking from a supervisor: which has no thread, no loop and no epoll, so that it can at any time."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Final

from penstock.server.signals import ignore
from penstock.server.worker import Channel

_log = logging.getLogger("penstock.server")

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_OTHERS: Final = (
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)
HANDLED: Final = (*STOPPING, *_OTHERS)
"""The signals a supervisor answers to."""


def fork() -> tuple[int, Channel]:
    """Return the new process, 0 in itself, and this side's end of a channel between the two. OSError: no
    process or no descriptor to be had.
    """
    ours, theirs = Channel.pair()
    _flush()
    # Blocked until the child has its own answer to them: one that came in between would be lost.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        ours.close()
        theirs.close()
        raise
    if not pid:
        for number in HANDLED:
            # A Ctrl-C goes to the whole group, a hang-up too: the supervisor says what they mean. Not
            # SIG_IGN, which would reach the programs that the application starts.
            is_default = number in (signal.SIGTERM, signal.SIGCHLD)
            signal.signal(number, signal.SIG_DFL if is_default else ignore)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    (theirs if pid else ours).close()
    return pid, ours if pid else theirs


def warn_of_threads() -> None:
    """Say that what was loaded before forking has threads, if so."""
    if threading.active_count() > 1:
        _log.warning("the preloaded application has started threads; workers will not have them")


def _flush() -> None:
    """Write what both processes would write once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # closed, or nobody reads it
