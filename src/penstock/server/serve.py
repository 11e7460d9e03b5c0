"""A server's life: listen, start the application, serve, drain, stop.

SIGINT or SIGTERM begins the drain: no more is accepted, what is in flight is finished, idle connections
close, and after the drain deadline the rest is cut off. A second signal ends at once. One process; the
listening sockets can come from outside, so that a supervisor may hold it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from penstock.errors import ApplicationError, MissingExtra, PenstockError
from penstock.observe.logs import writer as log_writer
from penstock.observe.logs.file import NO_FILES
from penstock.observe.logs.setup import JOBS
from penstock.server.banner import write_banner
from penstock.server.bind import open_all
from penstock.server.draining import Drain
from penstock.server.jobs import as_job
from penstock.server.lingering import wait_lingering
from penstock.server.listen import Listener
from penstock.server.log_setup import make_logging, open_access_log
from penstock.server.lookout import Lookout
from penstock.server.metering import Metering
from penstock.server.notes import make_notes
from penstock.server.processes import ProcessPool
from penstock.server.publisher import Publisher
from penstock.server.reactor import Reactor
from penstock.server.slow import SlowRequests
from penstock.server.systemd import Notifier
from penstock.server.threads import Claim, ThreadPool, too_busy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from penstock.http.handler import Handler
    from penstock.http.request import Request
    from penstock.http.response import Response
    from penstock.observe.board import Slot
    from penstock.observe.logs.file import LogFiles
    from penstock.observe.overview import State
    from penstock.observe.spans.export import SpanExport
    from penstock.server.bind import Bound
    from penstock.server.config import Config
    from penstock.server.scoreboard import Entry
    from penstock.server.tls import Tls

_log = logging.getLogger("penstock.server")

# A worker that retires gives idle connections this long for one more request. Clients and proxies that keep
# connections use them again within it or hardly ever; it is what a reload costs in time.
_PATIENCE_S = 2.0
# Tasks get this long to clean up once they are cancelled; after a second signal everything does.
_TASKS_STOP_S = 2.0
_FORCED_STOP_S = 0.1
# Threads get this long to end once nothing waits for them any more; they are daemons.
_THREADS_STOP_S = 1.0
# The last spans get this long to reach a collector; one that does not answer keeps no server.
_SPANS_STOP_S = 2.0


class Minder(Protocol):
    """Who watches over a server and says when it is to end; without one it is signals that do."""

    entry: Entry | None
    """Its numbers, where others accept from the same sockets."""

    def take(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        """The server begins."""

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server is done."""

    def say_ready(self, interface: str, reactor: Reactor, config: Config) -> None:
        """The application, of this kind, has started, and `reactor` accepts connections."""


class Server:
    """One process that serves one handler; what the handler sees of it is `http.handler.ServerView`."""

    def __init__(
        self,
        handler: Handler,
        config: Config,
        application_path: str = "",
        *,
        bound: Sequence[Bound] | None = None,
        handles_signals: bool = True,
        seat: Minder | None = None,
        tls: Tls | None = None,
        log_files: LogFiles = NO_FILES,
        slot: Slot | None = None,
    ) -> None:
        self.config = config
        self.started_at = time.time()
        """Seconds since the epoch."""
        self.urls: list[str] = []
        """Where it is reached, once it listens."""
        self.admin_url = ""
        """Where its figures are told, if anywhere."""
        self.draining = Drain()
        self.log_files = log_files
        self.websocket = config.websocket
        self.in_development = config.development
        self.explain = _make_explain(config)
        """Answers a failure in development; None: nobody may see it."""
        self._handler = handler
        self._application_path = application_path
        self._bound = bound or ()
        self._seat = seat
        self._tls = tls
        self._publisher = Publisher(slot) if slot is not None else None
        # A Ctrl-C goes to supervisor and workers alike; the supervisor says what it means.
        both = (signal.SIGINT, signal.SIGTERM) if seat is None else (signal.SIGTERM,)
        self._signals = both if handles_signals else ()  # only the main thread may
        self._is_retiring = False
        self._notifier = Notifier() if seat is None else None
        self._threads = ThreadPool(config.threads, config.queue_limit)
        self._processes = ProcessPool(config.processes, make_logging(config, log_files))
        self._reactor: Reactor | None = None
        self._kept: set[Any] = set()
        """What goes on behind its reply, or by itself."""
        self._slow = SlowRequests(config.slow_request_s) if config.slow_request_s else None
        self._lookout: Lookout | None = None
        self._span_export: SpanExport | None = None
        self._stop: asyncio.Event | None = None
        self._is_forced = False

    # What a handler may ask for.

    def thread_pool(self) -> dict[str, int]:
        """Return total_workers, active_workers, idle_workers, queue_depth, as of now."""
        return self._threads.figures()

    def run_eagerly(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine at once: its result when it did not wait, else the Task that carries it on."""
        assert self._reactor is not None  # noqa: S101 - requests come through it
        return self._reactor.run(coroutine)

    def run_soon(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return the Task that runs a coroutine."""
        return asyncio.get_running_loop().create_task(coroutine)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Let a Task end before the application is stopped, as long as the drain deadline allows."""
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    async def run_in_thread(self, function: Callable[..., Any], *args: object) -> Any:
        """Return `function(*args)`, run in the thread pool in a copy of the caller's context. HTTPError 503
        when its queue is full.
        """
        claim = Claim()
        work, future = as_job(function, args, claim)
        if not self._threads.submit(work):
            raise too_busy()
        try:
            return await future
        except asyncio.CancelledError:
            # Nobody waits for it any more: it is not begun, or its thread counts as lost until it ends.
            if claim.take_away() and claim.thread is not None:
                self._threads.lose(claim.thread)
            raise

    async def continue_in_thread(self, function: Callable[..., Any], *args: object) -> Any:
        """Return `function(*args)`, run in the thread pool in a copy of the caller's context, however full
        it is.
        """
        work, future = as_job(function, args)
        self._threads.continue_in(copy_context(), work)
        return await future

    async def run_in_process(self, function: Callable[..., Any], *args: object) -> Any:
        """Return `function(*args)`, run in the process pool; all of it travels by pickle."""
        return await self._processes.run(function, *args)

    # Its life.

    def run(self) -> int:
        """Serve until told to stop; return the exit status: 0, or 130 when a second signal cut it short."""
        self._bound = self._bound or open_all(self.config)
        try:
            self._run_loop(_make_loop(self.config.loop))
        finally:
            for bound in self._bound:
                bound.close()
        return 130 if self._is_forced else 0

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not asyncio.Runner: it waits without end for Tasks that do not heed their cancel.
        asyncio.set_event_loop(loop)
        try:
            main = loop.create_task(self._main())
            while not main.done():
                try:
                    loop.run_until_complete(main)
                except (SystemExit, KeyboardInterrupt) as error:
                    if main.done() or self._reactor is None:
                        raise
                    # asyncio lets these two out of any Task or callback.
                    _log.error("%r reached the loop and is ignored: only a signal stops the server", error)
        finally:
            try:
                loop.run_until_complete(self._end_tasks(asyncio.all_tasks(loop)))
                loop.run_until_complete(loop.shutdown_asyncgens())
                if not self._is_forced:
                    loop.run_until_complete(loop.shutdown_default_executor())
            finally:
                asyncio.set_event_loop(None)
                loop.close()

    async def _end_tasks(self, tasks: Iterable[asyncio.Future[Any]]) -> None:
        """Cancel these and give them a moment to clean up."""
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=_FORCED_STOP_S if self._is_forced else _TASKS_STOP_S)
            if stuck:
                _log.warning("%d tasks do not end although they are cancelled", len(stuck))

    def stop(self) -> None:
        """Begin to stop, as a signal would; twice: at once. Thread of the loop."""
        if self._stop is None:
            return
        if self._stop.is_set():
            self._is_forced = True
            _log.warning("a second signal: stopping at once")
        self._stop.set()
        if self._is_forced and self._forced is not None and not self._forced.done():
            self._forced.set_result(None)

    def leave(self, *, to_others: bool) -> None:
        """Begin to stop, unless that has begun; at the word of the supervisor. `to_others`: who shares the
        listening sockets goes on.
        """
        if self._stop is not None and not self._stop.is_set():
            self._is_retiring = to_others
            self.stop()

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._forced: asyncio.Future[None] = loop.create_future()
        for number in self._signals:
            loop.add_signal_handler(number, self.stop)
        self._take_reopen_signal(loop)
        if self._seat is not None:
            self._seat.take(self, loop)
        if self._publisher is not None:
            self._publisher.start()
        log_writer.hold()
        access_log = open_access_log(self.config, self.log_files)
        try:
            if not await self._start_application():
                return
            metering = Metering(self._handler.methods) if self.config.metrics else None
            notes = make_notes(metering, access_log, self._slow)
            self._reactor = Reactor(loop, self.config, self._handler, self, self._threads, notes)
            self._reactor.lingering = self._kept
            if metering is not None:
                metering.start(self._reactor)
            try:
                await self._serve_until_stopped()
            finally:
                await self._end_tasks(self._reactor.close())
                if metering is not None:
                    metering.stop()
                await self._stop_application()
        finally:
            for number in self._signals:  # from here on a further signal ends the process by itself
                loop.remove_signal_handler(number)
            if self._seat is not None:
                self._seat.leave(loop)
            if self._lookout is not None:
                self._lookout.stop()
            self._processes.stop()
            if self._span_export is not None:
                self._span_export.stop(_FORCED_STOP_S if self._is_forced else _SPANS_STOP_S)
            self._threads.stop(0.0 if self._is_forced or self.config.reload else _THREADS_STOP_S)
            if access_log is not None:
                access_log.stop()
            if self._publisher is not None:
                self._publisher.stop()
            if self._reactor is not None:  # else it never served
                self._tell("stopped")
            log_writer.release()

    def _take_reopen_signal(self, loop: asyncio.AbstractEventLoop) -> None:
        """SIGUSR1 opens log files again. Without any it is the application's, or nothing: never the end."""
        number = getattr(signal, "SIGUSR1", None)
        if not self._signals or number is None:
            return
        if any(self.log_files) or signal.getsignal(number) == signal.SIG_DFL:
            loop.add_signal_handler(number, self.reopen_logs)

    def reopen_logs(self) -> None:
        """Go on in the log files that have the names now; the thread that writes them sees to it."""
        JOBS.insist(self.log_files.reopen)

    async def _start_application(self) -> bool:
        """Return True once the application is ready, False when a signal came before it was."""
        assert self._stop is not None  # noqa: S101
        start = asyncio.ensure_future(self._handler.startup(self))
        stop = asyncio.ensure_future(self._stop.wait())
        timeout_s = self.config.lifespan_timeout_s
        try:
            await asyncio.wait([start, stop], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                return True
            if not stop.done():
                msg = f"the application did not start within {timeout_s:g} s (--lifespan-timeout)"
                raise ApplicationError(msg)
            self._is_forced = True  # nothing is served yet: one signal is enough
            return False
        except PenstockError:
            raise
        except Exception as error:
            _log.exception("the application failed to start")
            msg = f"the application failed to start: {type(error).__name__}: {error}"
            raise ApplicationError(msg) from error
        finally:
            start.cancel()
            stop.cancel()

    async def _serve_until_stopped(self) -> None:
        assert self._reactor is not None and self._stop is not None  # noqa: S101, PT018
        self._prepare(self._reactor)
        self._look_out()
        entry = self._seat.entry if self._seat is not None else None
        for bound in self._bound:
            self._reactor.listen(Listener(self._reactor, bound.sock, self.config, entry))
        self.urls = [bound.url() for bound in self._bound]
        self._announce()
        await self._stop.wait()
        self._publish("draining")
        if self._notifier is not None:
            self._notifier.stopping()
        # In development the next code is waited for, and a browser asks again.
        is_patient = self._is_retiring and not self.config.reload
        patience_s = min(_PATIENCE_S, self.config.drain_timeout_s) if is_patient else 0.0
        self._tell("stopping: finishing what is in flight, %g s at most", self.config.drain_timeout_s)
        empty = asyncio.get_running_loop().create_future()
        # Not from here: a request that is already there is answered, and its handler is not in our Task.
        self._reactor.post(self._drain, self._reactor, empty, patience_s)
        until_s = asyncio.get_running_loop().time() + self.config.drain_timeout_s
        await asyncio.wait(
            [empty, self._forced], timeout=self.config.drain_timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if self._reactor.connections:
            _log.warning("%d connections were cut off", len(self._reactor.connections))
        await wait_lingering(self._reactor.lingering, until_s, self._forced)

    def _drain(self, reactor: Reactor, empty: asyncio.Future[None], patience_s: float) -> None:
        reactor.drain(
            lambda: None if empty.done() else empty.set_result(None),
            patience_s=patience_s,
            takes_rest=not self._is_retiring,
        )
        self.draining.begin()  # by now every connection knows: a reply to this carries Connection: close

    def _prepare(self, reactor: Reactor) -> None:
        """Tell the reactor what a connection goes through before it speaks HTTP, and whom to believe."""
        if self.config.is_secure:
            from penstock.server.tls import Tls  # here: ssl takes 10 ms to import

            reactor.tls = self._tls or Tls(self.config)
            reactor.begin = reactor.tls.begin
        if self.config.compression:
            from penstock.server.compressing import compress

            compress(reactor)
        if self.config.server_timing:
            from penstock.server.server_timing import tell_timing

            tell_timing(reactor)
        if self.config.otel:
            from penstock.server.tracing import trace

            self._span_export = trace(reactor, self._application_path)
        if self.config.root_path:
            from penstock.server.proxies import mount

            mount(reactor, self.config.root_path)  # runs after `trust`: what a proxy tells is known by then
        if self.config.proxy_trust:
            from penstock.server.proxies import trust

            trust(reactor, self.config)
        # With a supervisor it is the supervisor's; alone and without use for it, a hang-up ends the server.
        notifier = self._notifier
        if self._signals and notifier is not None and (reactor.tls is not None or notifier.is_heard):
            reactor.loop.add_signal_handler(signal.SIGHUP, self._reload, reactor, notifier)

    def _reload(self, reactor: Reactor, notifier: Notifier) -> None:
        """SIGHUP: read again what can change without a new process, the certificates."""
        notifier.reloading()
        if reactor.tls is not None:
            reactor.tls.reload()
        notifier.ready(self.urls)

    def _announce(self) -> None:
        """Tell who started the server that it serves: a person, or the supervisor."""
        self._publish("ready")
        interface = getattr(self._handler, "interface", "Penstock App")
        if self._seat is not None and self._reactor is not None:
            self._seat.say_ready(interface, self._reactor, self.config)
            return
        write_banner(
            self.config,
            application_path=self._application_path,
            urls=self.urls,
            interface=interface,
            admin_url=self.admin_url,
        )
        if self._notifier is not None:
            self._notifier.ready(self.urls)
            self._notifier.beat_in(asyncio.get_running_loop())

    def _look_out(self) -> None:
        """Have a thread look after the loop and the requests, but for those of the admin endpoint."""
        config, seat = self.config, self._seat
        takes_signals = bool(self._signals) and (seat is None or seat.entry is not None)
        is_wanted = config.stuck_timeout_s or config.blocked_loop_s or self._slow or self._publisher
        if self._reactor is not None and (is_wanted or takes_signals):
            self._lookout = Lookout(
                self._reactor, config, self._slow, is_replaced=seat is not None, takes_signals=takes_signals
            )

    def _publish(self, state: State) -> None:
        """Tell who looks from outside."""
        if self._publisher is not None:
            self._publisher.tell(state, self._reactor, self._lookout)

    def _tell(self, message: str, *args: object) -> None:
        """Log a step of an orderly life; of a worker's, the supervisor's is told."""
        _log.log(logging.INFO if self._seat is None else logging.DEBUG, message, *args)

    async def _stop_application(self) -> None:
        stop = asyncio.ensure_future(self._handler.shutdown())
        timeout_s = self.config.lifespan_timeout_s
        await asyncio.wait([stop, self._forced], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._is_forced:
            await asyncio.wait([stop], timeout=_FORCED_STOP_S)
        if not stop.done():
            stop.cancel()
            if not self._is_forced:
                _log.error("the application did not stop within %g s", timeout_s)
        elif not stop.cancelled() and stop.exception() is not None:
            _log.error("the application failed to stop", exc_info=stop.exception())


def _make_loop(name: str) -> asyncio.AbstractEventLoop:
    if name == "asyncio":
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError:
        raise MissingExtra("loop = uvloop needs an extra: pip install 'penstock[uvloop]'") from None
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _make_explain(config: Config) -> Callable[[Request, BaseException], Response] | None:
    if not config.development:
        return None
    from penstock.observe.failures.development import explain

    return explain


__all__ = ["Server"]
