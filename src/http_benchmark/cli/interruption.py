"""Ctrl-C, SIGTERM and SIGHUP while measuring.

The first ends the round, and what there is is reported; the second ends all at once.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""SIGHUP: the terminal is gone; what was measured is kept all the same."""


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; the second raises KeyboardInterrupt."""
    stop = threading.Event()

    def end(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        with suppress(OSError):  # not print: it may have been interrupted itself, or nobody reads it any more
            os.write(2, b"http-benchmark: stopping; once more to leave at once\n")

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
