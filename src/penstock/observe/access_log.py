"""The access log: one line per reply, formatted and written by a thread of its own.

A request costs two clock readings and one tuple. The queue has a bound: when the sink cannot keep up, records are dropped and
counted, and the count is logged; requests never wait for a log.
"""

from __future__ import annotations

import logging
import threading
import time
from queue import SimpleQueue

# client, method, target without query, version, status, octets sent, duration in seconds, wall clock at the end
Record = tuple[str, str, str, str, int, int, float, float]

_QUEUE_LIMIT = 10_000  # records; at 100 bytes a line about 1 MB

_access = logging.getLogger("penstock.access")
_log = logging.getLogger("penstock.server")


class AccessLog:
    """Takes records from any thread; its own thread hands them to the logger `penstock.access`."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Record | None] = SimpleQueue()
        self._dropped = 0  # counted by whoever drops; told and reset by the writer
        self._thread = threading.Thread(target=self._write, name="penstock-access-log", daemon=True)
        self._thread.start()

    def record(
        self, client: str, method: str, target: str, version: str, status: int, size_bytes: int, duration_s: float
    ) -> None:
        """Note one reply. Never blocks."""
        if self._queue.qsize() >= _QUEUE_LIMIT:
            self._dropped += 1
            return
        self._queue.put((client, method, target, version, status, size_bytes, duration_s, time.time()))

    def _write(self) -> None:
        while True:
            record = self._queue.get()
            if record is None:
                return
            try:
                self._emit(record)
            except Exception:
                # The border of the thread: a broken sink costs lines, not the log.
                self._dropped += 1
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                _log.warning("the access log cannot keep up: %d lines dropped", dropped)

    def _emit(self, record: Record) -> None:
        if not _access.isEnabledFor(logging.INFO):  # `handle` below asks for no level
            return
        client, method, target, version, status, size_bytes, duration_s, at = record
        line = logging.LogRecord(
            _access.name,
            logging.INFO,
            __file__,
            0,
            '%s "%s %s HTTP/%s" %d %d %.1fms',
            (client, method, target, version, status, size_bytes, duration_s * 1e3),
            None,
        )
        line.created, line.msecs = at, at % 1 * 1e3
        _access.handle(line)

    def stop(self, timeout_s: float = 2.0) -> None:
        """Write what is queued and end the thread."""
        self._queue.put(None)
        self._thread.join(timeout_s)
