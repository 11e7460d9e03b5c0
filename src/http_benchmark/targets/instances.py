"""Several instances of the application, each in a process of its own, started again when one ends.

What happens is put on a queue, for one thread to act on: the instance that ended. One that ends again and
again soon after its start is given up, with what it said last.
"""

from __future__ import annotations

import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final

from http_benchmark.errors import BenchmarkError
from http_benchmark.targets.embedded import run_words
from http_benchmark.targets.process import Child, last_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from queue import SimpleQueue

_SOON_S: Final = 5.0
_ATTEMPTS: Final = 3


class Instance:
    """One of them. `bind` is where it listens, in Penstock's words; a socket of ours named there is among
    `fds`.
    """

    def __init__(
        self, number: int, bind: str, fds: Sequence[int], flags: Sequence[str], events: SimpleQueue[Any]
    ) -> None:
        self.number = number
        self._words = ["penstock", *run_words(bind, *flags)]
        self._fds = fds
        self._events = events
        self._started_s = 0.0
        self._failures = 0
        self._told: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `stop`
        self._child = self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def _start(self) -> Child:
        child = Child(self._words, self._fds, self._told.fileno())
        self._started_s = time.monotonic()
        threading.Thread(target=self._wait, args=(child,), name="instance", daemon=True).start()
        return child

    def _wait(self, child: Child) -> None:
        child.process.wait()
        self._events.put(self)

    def start_again(self) -> str:
        """Return why it ended. BenchmarkError when it is no use."""
        self._child.stop()
        code = self._child.process.returncode
        is_soon = time.monotonic() - self._started_s < _SOON_S
        self._failures = self._failures + 1 if is_soon else 0
        reason = f"signal {-code}" if code < 0 else last_line(self._told) or f"exit code {code}"
        if self._failures >= _ATTEMPTS:
            raise BenchmarkError(f"instance {self.number} ends again and again: {reason}")
        self._child = self._start()
        return reason

    def stop(self) -> None:
        """End it."""
        self._child.stop()
        self._told.close()
