"""Signals that must not end a process by default, before and after it has an answer to them."""

from __future__ import annotations

import signal
import threading


def ignore(_number: int, _frame: object) -> None:
    """For a signal that is somebody else's. Not SIG_IGN: programs an application starts would have it."""


def outlive_signals() -> None:
    """From here on SIGUSR1 and SIGUSR2 do not end this process, though nobody may answer them yet: logs may
    be rotated while an application is imported.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGUSR1", "SIGUSR2"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, ignore)
