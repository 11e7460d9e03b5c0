"""Signals that must not end a process by default, before and after it has an answer to them."""

from __future__ import annotations

import signal
import threading


def ignore(_number: int, _frame: object) -> None:
    """For a signal that is somebody else's. Not SIG_IGN: programs an application starts would have it."""


def outlive_dump_signal() -> None:
    """From here on SIGUSR2 does not end this process, though nobody may answer it yet."""
    number = getattr(signal, "SIGUSR2", None)
    is_main = threading.current_thread() is threading.main_thread()
    if number is not None and is_main and signal.getsignal(number) == signal.SIG_DFL:
        signal.signal(number, ignore)
