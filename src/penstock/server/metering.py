"""A server's own figures in the metrics: what is counted as it happens, and what is looked at once a second.

Counts go into shared memory at once, by whoever counts. Gauges are looked at by a thread of their own, so
also while the loop is stuck, and in the process that is asked for metrics at that moment.
"""

from __future__ import annotations

import logging
import platform
import threading
from typing import TYPE_CHECKING, Final

from penstock.observe import checks
from penstock.observe.metrics import server_metrics
from penstock.observe.metrics.gather import before_looks
from penstock.observe.metrics.http import recorder
from penstock.observe.metrics.ledger import ledger
from penstock.observe.release import get_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.observe.metrics.http import Record
    from penstock.server.reactor import Reactor

_log = logging.getLogger("penstock.server")

INTERVAL_S: Final = 1.0


class Metering:
    """Of one server, from before its first connection to after its last. Made in the thread of the loop."""

    def __init__(self, methods: Iterable[str]) -> None:
        recorder.methods |= frozenset(methods)
        self.record: Record = recorder.begin()
        """Counts a request that the loop has answered."""
        self.record_in_thread: Record = recorder.record_in_thread
        self._reactor: Reactor | None = None
        self._is_over = threading.Event()
        self._ignore: Callable[[], None] | None = None

    def start(self, reactor: Reactor) -> None:
        """Count what this reactor does from now on."""
        from penstock import __version__

        self._reactor = reactor
        if ledger.is_of_loop():
            reactor.begun = ledger.area.head
        reactor.is_counted = True
        reactor.threads.wait = server_metrics.pool_wait.labels()
        server_metrics.build_info.set(
            1, version=__version__, python=platform.python_version(), release=get_release()
        )
        self._refresh()
        self._ignore = before_looks(self._refresh)
        threading.Thread(target=self._run, name="penstock-metrics", daemon=True).start()

    def stop(self) -> None:
        """The loop counts no more."""
        self._is_over.set()
        if self._ignore is not None:
            self._ignore()
            self._refresh()
        recorder.end()

    def _run(self) -> None:
        while not self._is_over.wait(INTERVAL_S):
            self._refresh()

    def _refresh(self) -> None:
        """Look at what goes up and down. A figure may be of the moment before or after."""
        assert self._reactor is not None  # noqa: S101 - set first
        try:
            self._look(self._reactor)
        except Exception:
            # The border of the thread, and of who asks: a bug costs these figures.
            _log.exception("a bug in the server; gauges are not told")

    def _look(self, reactor: Reactor) -> None:
        worker = str(ledger.place)
        connections = list(reactor.connections)
        server_metrics.connections.set(len(connections), worker=worker)
        begun = sum([getattr(connection, "request", None) is not None for connection in connections])
        server_metrics.in_flight.set(begun, worker=worker)
        pool = reactor.threads.figures()
        server_metrics.pool_queue_depth.set(pool["queue_depth"], worker=worker)
        server_metrics.pool_threads.set(pool["active_workers"], worker=worker, state="active")
        server_metrics.pool_threads.set(pool["idle_workers"], worker=worker, state="idle")
        for check in checks.figures():
            server_metrics.check_ok.set(check["status"] == checks.OK, check=check["name"])
