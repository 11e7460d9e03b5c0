"""The reactor: which connections there are, and a turn for each that is ready.

One poller hangs in the asyncio loop; `_turn` gives each ready listener or connection its turn. One coarse
sweep looks at every deadline, so a request sets a number and no timer. Pool threads reach the reactor through
`post`, and only so.
"""

from __future__ import annotations

import logging
import time
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.http.current import current
from penstock.observe.metrics import server_metrics
from penstock.observe.metrics.memory import BEGUN
from penstock.server.connection import Connection
from penstock.server.poller import make_poller
from penstock.server.tasks import make_runner
from penstock.server.transport import CLOSED
from penstock.wire.serialise import Serialiser

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from penstock.http.handler import Endpoint, Handler, ServerView
    from penstock.http.request import Request
    from penstock.server.config import Config
    from penstock.server.listen import Listener
    from penstock.server.notes import Note, Notes
    from penstock.server.threads import ThreadPool
    from penstock.server.tls import Tls
    from penstock.server.transport import Transport

_log = logging.getLogger("penstock.server")
_accepted = server_metrics.accepted.labels()

# Deadlines are told this late at most; the Date is as coarse.
_SWEEP_S = 1.0
_SWEEP_LEAST_S = 0.02

# Replies made in one turn leave at its end, so that a client or proxy on the same machine that sleeps is
# woken once and not for each of them. PERF: 57 us a request against 72 (FastAPI), 22 against 26 (Starlette);
# where a request takes less than this, the client never sleeps and holding costs 0.3 us.
# benchmarks/RESULTS.md
_SLOW_S = 10e-6
# No reply waits longer than this and the handler then running.
_HOLD_S = 0.001


class Reactor:
    """Connections of one process, in one thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        handler: Handler,
        server: ServerView,
        threads: ThreadPool,
        notes: Notes | None = None,
    ) -> None:
        self.loop = loop
        self.config = config
        self.server = server
        self.threads = threads
        threads.attach(loop)
        self.note: Note | None = notes and notes.on_loop
        self.note_in_thread: Note | None = notes and notes.in_thread
        """One of them is called once for each request that was begun, when its reply is over; None: nobody
        wants to know.
        """
        self.resolve = handler.resolve
        if config.requests_per_connection:  # who sets no limit pays nothing
            self.resolve = partial(_resolve_counted, handler.resolve, config.requests_per_connection)
        self.methods = handler.methods
        self.limits = config.limits
        self.idle_timeout_s = config.idle_timeout_s
        self.handler_timeout_s = config.handler_timeout_s
        self.run = make_runner(loop)
        self.serialiser = Serialiser(config.server_header)
        self.poller = make_poller(loop, self._turn)
        self.now = time.monotonic()
        """The clock of deadlines, read once a turn."""
        self.is_counted = False
        """What happens is counted in the metrics."""
        self.begun: Any = [0] * (BEGUN + 1)
        """Where requests are counted as they begin, so that those lost with a process are known."""
        self.connections: set[Connection] = set()
        self.requests_of_closed = 0
        """Of the connections that are no more; the others count their own."""
        self._is_slow = False
        self.is_holding = False
        """Several connections have their turn: their replies leave together."""
        self.held: list[Transport] = []
        """Whose replies wait for that."""
        self.when_flushed: dict[Transport, Callable[[], None]] = {}
        """What waits for a client to take the replies before."""
        self.lingering: set[Any] = set()
        """Requests that are not done with when their reply is: Tasks, and others in threads."""
        self.is_draining = False
        self.is_retiring = False
        """Draining while other processes go on: the next reply of each connection is its last."""
        self.begin: Callable[[Reactor, socket.socket, object], Any] = Connection
        """What a new connection is at first: itself, or the first stage on its way there."""
        self.tls: Tls | None = None
        self._context = copy_context()  # a thread's own is that of a request, and must not reach the next
        self._ready: dict[int, Any] = {}  # descriptor -> Connection or Listener
        self._listeners: list[Listener] = []
        self._sweep_s = max(
            _SWEEP_LEAST_S, min([_SWEEP_S, *(timeout / 4 for timeout in config.timeouts() if timeout)])
        )
        self._sweeper: asyncio.TimerHandle | None = None
        self._on_empty: Callable[[], None] | None = None
        self._sweep()

    def _turn(self, ready: list[tuple[int, int]]) -> None:
        began = held_since = self.now = time.monotonic()
        get = self._ready.get
        current.set(None)  # of the last turn
        self.is_holding = self._is_slow and len(ready) > 1
        for fd, events in ready:
            # A connection closed earlier in this batch is gone; one that got its number meanwhile finds
            # nothing to receive.
            subject = get(fd)
            if subject is None:
                continue
            try:
                subject.on_ready(events)
            except Exception:
                # The border of the reactor: a bug costs one connection, not the process.
                _log.exception("a bug in the server; the connection is closed")
                subject.close()
            if self.held and time.monotonic() - held_since > _HOLD_S:
                self._release()
                held_since = time.monotonic()
        if self.is_holding:
            self.is_holding = False
            self._release()
        self._is_slow = time.monotonic() - began > _SLOW_S * len(ready)

    def _release(self) -> None:
        """Send the replies that were held back."""
        held, self.held = self.held, []
        for connection in held:
            connection.uncork()

    def add(self, sock: socket.socket, address: object) -> None:
        """Take over a connected, non-blocking socket."""
        connection = self.begin(self, sock, address)
        self.connections.add(connection)
        self._ready[connection.fd] = connection
        self.poller.register(connection.fd, connection.mask)
        if self.is_counted:
            _accepted.inc()

    def replace(self, stage: Any, successor: Any) -> None:
        """A connection has passed a stage: `successor` takes its descriptor and its place."""
        stage.phase = CLOSED
        successor.requests = stage.requests
        successor.accepted_at = stage.accepted_at
        self.connections.discard(stage)
        self.connections.add(successor)
        self._ready[stage.fd] = successor
        if successor.mask != stage.mask:
            self.poller.modify(successor.fd, successor.mask)

    def listen(self, listener: Listener) -> None:
        """Accept connections from now on."""
        self._listeners.append(listener)
        self._ready[listener.fd] = listener
        listener.start()

    def forget(self, connection: Transport) -> None:
        """A connection closes; its descriptor is still open."""
        if self._ready.get(connection.fd) is connection:
            del self._ready[connection.fd]
        self.connections.discard(connection)
        self.requests_of_closed += connection.requests
        for listener in self._listeners:
            listener.on_room()
        if not self.connections and self._on_empty is not None:
            self._on_empty()

    def post(self, function: Callable[..., None], *args: Any) -> None:
        """Have the reactor's thread call `function(*args)`. From any thread; dropped after the loop."""
        try:
            self.loop.call_soon_threadsafe(self._call_posted, function, args, context=self._context)
        except RuntimeError:
            _log.debug("posted after the end of the loop: %r", function)

    def _call_posted(self, function: Callable[..., None], args: tuple[Any, ...]) -> None:
        self.now = time.monotonic()
        current.set(None)  # of what was posted before: the context is one for all
        function(*args)

    def _sweep(self) -> None:
        self._sweeper = self.loop.call_later(self._sweep_s, self._sweep)
        self.serialiser.set_date(time.time())
        now = self.now = time.monotonic()
        if self.tls is not None:
            self.tls.check(now)
        for connection in [connection for connection in self.connections if connection.deadline < now]:
            try:
                connection.on_deadline()
            except Exception:
                _log.exception("a bug in the server; the connection is closed")
                connection.close()
        self.threads.replace_lost()
        for listener in self._listeners:
            listener.on_room()

    def drain(
        self, on_empty: Callable[[], None], *, patience_s: float = 0.0, takes_rest: bool = True
    ) -> None:
        """Stop accepting, finish what is in flight, close the rest; call `on_empty` once no connection is
        left. Unless this process `takes_rest`, others share the listening sockets and take what is in the
        kernel's queue. With `patience_s` an idle connection is kept that long for one more request, whose
        reply says close: a request that is on its way while an idle connection closes would be lost.
        """
        self.is_draining = True
        self.is_retiring = bool(patience_s)
        self.now = time.monotonic()
        for listener in self._listeners:
            listener.stop(takes_rest=takes_rest)
        self._listeners.clear()
        if patience_s:
            self.idle_timeout_s = patience_s
            self.resolve = partial(_resolve_last, self.resolve)
        for connection in list(self.connections):
            connection.drain(patience_s)
        self._on_empty = on_empty
        if not self.connections:
            on_empty()

    def close(self) -> set[asyncio.Future[Any]]:
        """Cut off whatever is left and let go of the loop; return the Tasks that are to be cancelled."""
        for listener in self._listeners:
            listener.stop()
        self._listeners.clear()
        self._on_empty = None
        aborted = {connection.abort() for connection in list(self.connections)}
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.poller.close()
        lingering = {one for one in self.lingering if hasattr(one, "cancel")}
        return {task for task in aborted | lingering if task is not None and not task.done()}

    def drop_listener(self, listener: Listener) -> None:
        """A listener closes; its descriptor is still open."""
        self._ready.pop(listener.fd, None)


def _resolve_counted(resolve: Callable[[Request], Endpoint], limit: int, request: Request) -> Endpoint:
    """Resolve a request; the last that its connection may bring closes it."""
    connection: Any = request.connection
    if connection.requests >= limit:
        connection.closing = True
    return resolve(request)


def _resolve_last(resolve: Callable[[Request], Endpoint], request: Request) -> Endpoint:
    """Resolve a request that is the last of its connection."""
    request.connection.closing = True  # type: ignore[union-attr]  # a Connection: it set itself before
    return resolve(request)
