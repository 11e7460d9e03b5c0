"""Ctrl-C and SIGTERM while measuring.

The first ends the round, and what there is is reported; the second ends all at once.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; the second raises KeyboardInterrupt."""
    stop = threading.Event()

    def end(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("http-benchmark: stopping; once more to leave at once", file=sys.stderr)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
