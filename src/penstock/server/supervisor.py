"""The supervisor: holds the listening sockets, forks workers, replaces those that end.

It knows sockets, pids and signals, and serves nothing itself: no thread, no loop, no epoll, so that it can
fork at any time. One rule decides what to do next (`_reconcile`): there shall be as many workers as wanted,
one more while one is stale; what is ready beyond the wanted number is retired, stale ones first. Crashes,
reloads, recycling, TTIN and TTOU only change those numbers.

    SIGTERM, SIGINT   all drain, exit 0; a second one: at once, exit 130
    SIGHUP            a rolling reload: each worker is replaced, the new one ready before the old retires
    a saved file      with `--reload`: all go, then the next generation comes, at first one to see if it can
    SIGTTIN, SIGTTOU  one worker more, one less
    SIGUSR1           log files are opened again, by their names
    SIGUSR2           each worker logs what it is at
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError
from penstock.observe.logs.file import NO_FILES, LogFiles
from penstock.server import sharing
from penstock.server.backoff import Backoff
from penstock.server.banner import count_workers, write_banner
from penstock.server.child import Child, describe_end
from penstock.server.fork import HANDLED, STOPPING, fork
from penstock.server.scoreboard import Scoreboard
from penstock.server.systemd import Notifier
from penstock.server.worker import Seat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.observe.board import Slot
    from penstock.server.admin.endpoint import SupervisedAdmin
    from penstock.server.bind import Bound
    from penstock.server.config import Config
    from penstock.server.scoreboard import Entry
    from penstock.server.tls import Tls
    from penstock.server.watcher import Watcher
    from penstock.server.worker import Channel

_log = logging.getLogger("penstock.server")

# A worker that cannot even say why it does not start gets as many tries before the first one has served.
_BOOT_TRIES = 3
# Processes at most, those included that are still draining after one reload or many.
WORKERS_LIMIT = 1024
# How often deadlines are looked at.
_TICK_S = 0.5
# After its own deadlines a worker that drains gets this long before it is killed; after a second signal
# the second number.
_KILL_S = 5.0
_FORCED_KILL_S = 2.0
# In development a stuck handler must not keep the next code waiting.
_RENEW_KILL_S = 1.5


class Forked(BaseException):
    """Takes a new process out of the supervisor's code."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat


class Supervisor:
    """The parent of some workers."""

    def __init__(
        self,
        bound: Sequence[Bound],
        config: Config,
        application_path: str = "",
        files: LogFiles = NO_FILES,
        watcher: Watcher | None = None,
        admin: SupervisedAdmin | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._bound = bound
        self._admin = admin
        self._watcher = watcher
        self._tls = tls
        """Held here, so that a worker can be replaced while the files are broken."""
        self._renewed = 0.0
        """When the files changed; 0.0 once the application is there again."""
        self._urls = [each.url() for each in bound]
        self._notifier = Notifier()
        self._config = config
        self._application_path = application_path
        self._files = files
        self._wanted = config.workers
        self._workers: dict[int, Child] = {}
        self._pid = os.getpid()
        self._signals: list[int] = []
        self._stops = 0  # signals to stop so far
        self._is_booted = False
        self._boot_failures = 0
        self._generation = 0  # reloads so far
        self._failure: str | None = None
        self._backoff = Backoff()
        self._scoreboard = Scoreboard(WORKERS_LIMIT)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def run(self) -> int:
        """Return the exit status; ApplicationError when no worker can start. Raises `Forked` in a worker."""
        signal.set_wakeup_fd(self._wake_in.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._on_signal)
        while True:
            self._take_signals()
            self._reap()
            now = time.monotonic()
            if self._stops and not self._workers:
                break
            self._kill_overdue(now)
            if self._tls is not None:
                self._tls.check(now, is_told=False)  # the workers look as well, and say so
            if not self._stops:
                self._reconcile(now)
            self._notifier.beat()
            if self._admin is not None:
                self._tend(self._admin, now)
            self._wait(now)
        if self._failure is not None:
            raise ApplicationError(self._failure)
        _log.info("stopped")
        return 130 if self._stops > 1 else 0

    def leave(self, kept: Sequence[Bound] = ()) -> None:
        """Let go of everything but the sockets a new process serves; in the supervisor, of them too."""
        signal.set_wakeup_fd(-1)
        if self._watcher is not None:
            self._watcher.channel.close()
        self._wake_in.close()
        self._wake_out.close()
        for worker in self._workers.values():
            worker.channel.close()
        for bound in self._bound:
            if bound not in kept:
                bound.close()
        if self._watcher is not None and os.getpid() == self._pid:
            self._watcher.stop()
        if self._admin is not None:
            self._admin.leave(kept)

    # Signals.

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signals.append(number)

    def _take_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number in STOPPING:
                self._stop()
            elif number == signal.SIGUSR1:
                self._reopen()
            elif number == signal.SIGUSR2:
                for worker in self._workers.values():  # by signal: a loop that is stuck hears no word
                    worker.signal(signal.SIGUSR2)
            elif self._stops:
                continue
            elif number == signal.SIGHUP:
                self._reload()
            elif number == signal.SIGTTIN:
                self._resize(self._wanted + 1)
            elif number == signal.SIGTTOU:
                self._resize(max(1, self._wanted - 1))

    def _stop(self) -> None:
        """Have every worker drain; the second time, end at once."""
        self._stops += 1
        config, now = self._config, time.monotonic()
        if self._stops == 1:
            self._notifier.stopping()
            _log.info("stopping %s, %g s at most", count_workers(len(self._workers)), config.drain_timeout_s)
            for bound in self._bound:  # the workers' copies take what the kernel has completed
                bound.close()
            patience_s = self._drain_patience_s()
        else:
            _log.warning("a second signal: stopping at once")
            patience_s = _FORCED_KILL_S
        for worker in self._workers.values():
            worker.is_retiring = True
            worker.kill_at = now + patience_s
            worker.signal(signal.SIGTERM)

    def _drain_patience_s(self) -> float:
        return self._config.drain_timeout_s + self._config.lifespan_timeout_s + _KILL_S

    def _reload(self) -> None:
        self._notifier.reloading()
        self._generation += 1
        _log.info("reload: replacing %s, one at a time", count_workers(len(self._workers)))
        if self._tls is not None:
            self._tls.reload()
        for worker in self._workers.values():
            worker.stale = worker.stale or "reload"
        self._backoff.reset()

    def _reopen(self) -> None:
        """Ours first: the supervisor may make a file where a worker, no longer root, may not."""
        self._files.reopen()
        for worker in self._workers.values():
            worker.channel.send("reopen")
        if self._admin is not None:
            self._admin.reopen()

    def _renew(self, what: str) -> None:
        """The code has changed: every worker goes, and when all are gone the next ones come. What the one
        holds, a file or a port, the other can have then; meanwhile the kernel keeps connections.
        """
        if self._stops:
            return
        now = time.monotonic()
        _log.info("%s: reloading", what)
        self._renewed = now
        self._generation += 1
        self._backoff.reset()
        for worker in self._workers.values():
            end = now + self._config.drain_timeout_s + _RENEW_KILL_S
            worker.kill_at = min(worker.kill_at or end, end)
            if not worker.is_retiring:
                worker.is_retiring = True
                if worker.is_ready:
                    worker.channel.send("retire")
                else:
                    worker.signal(signal.SIGTERM)

    def _resize(self, wanted: int) -> None:
        self._wanted = wanted
        _log.info("%s wanted", count_workers(wanted))

    # Workers.

    def _tend(self, admin: SupervisedAdmin, now: float) -> None:
        """Tell how things stand, and have the admin endpoint answer."""
        admin.tell_of([each.told() for each in self._workers.values()], is_draining=bool(self._stops))
        if not self._stops and admin.is_due(now):
            try:
                admin.begin(*self._fork(None, [admin.bound], None))
            except OSError as error:
                _log.error("cannot fork the admin endpoint: %s", error.strerror)

    def _reconcile(self, now: float) -> None:
        """Start what is missing; retire what is too much."""
        serving = [worker for worker in self._workers.values() if not worker.is_retiring]
        ready = [worker for worker in serving if worker.is_ready]
        ready.sort(key=lambda worker: (not worker.stale, worker.started))
        for worker in ready[: max(0, len(ready) - self._wanted)]:
            self._retire(worker, now)
            serving.remove(worker)
        wanted = self._count_wanted(serving)
        if now >= self._backoff.until:
            try:
                for _ in range(wanted - len(serving)):
                    self._start(now)
            except OSError as error:  # no process or no descriptor to be had
                delay_s = self._backoff.fail(now, lived_s=0.0)
                _log.error("cannot fork a worker, next try in %g s: %s", delay_s, error.strerror)

    def _count_wanted(self, serving: Sequence[Child]) -> int:
        wanted = self._wanted + any(worker.stale for worker in serving)
        if not self._config.reload:
            return wanted
        if any(worker.is_retiring for worker in self._workers.values()):
            return 0
        is_whole = any(worker.is_ready and not worker.is_broken for worker in serving)
        return wanted if is_whole else 1

    def _retire(self, worker: Child, now: float) -> None:
        worker.is_retiring = True
        worker.kill_at = now + self._drain_patience_s()
        worker.channel.send("retire")
        if worker.stale == "reload" and not self._list_stale("reload"):
            _log.info("reload done")
            self._notifier.ready(self._urls)

    def _start(self, now: float) -> None:
        """Fork; in the child, `Forked` is raised."""
        entry = self._scoreboard.give()
        if entry is None:  # too many that do not end; they are killed in time
            return
        slot = self._admin.give(entry.place) if self._admin is not None else None
        sharing.reserve(entry.place)
        try:
            pid, channel = self._fork(entry, self._bound, slot)
        except OSError:
            self._scoreboard.take_back(entry)
            raise
        worker = self._workers[pid] = Child(pid, channel, entry, now, self._generation)
        worker.kill_at = now + 2 * self._config.lifespan_timeout_s  # to import it, and to start it
        _log.debug("worker %d is started", pid)

    def _fork(self, entry: Entry | None, bound: Sequence[Bound], slot: Slot | None) -> tuple[int, Channel]:
        """Return a new process and our end of its channel; in it, `Forked` is raised."""
        pid, channel = fork()
        if not pid:
            raise Forked(Seat(channel, entry, bound, slot, tls=self._tls, is_first=not self._is_booted))
        return pid, channel

    def _listen_to(self, worker: Child) -> None:
        """Take what a worker has to say."""
        for word, text in worker.channel.receive():
            if word == "ready":
                worker.is_ready = True
                worker.kill_at = worker.kill_at if worker.is_retiring else 0.0
                self._on_ready(worker, text)
            elif word == "stale":
                _log.info("worker %d is replaced: %s", worker.pid, text)
                worker.stale = worker.stale or text
            elif word == "failed":
                worker.failure = text
            elif word == "broken":
                worker.is_broken = True

    def _on_ready(self, worker: Child, interface: str) -> None:
        _log.debug("worker %d is ready", worker.pid)
        if self._renewed and not worker.is_retiring:
            if not worker.is_broken:
                _log.info("reloaded in %.2f s", time.monotonic() - self._renewed)
            self._renewed = 0.0
        ready = sum(each.is_ready for each in self._workers.values())
        if self._is_booted or (ready < self._wanted and not worker.is_broken):
            return
        self._is_booted = True
        write_banner(
            self._config,
            application_path=self._application_path,
            urls=self._urls,
            interface=interface,
            admin_url=self._admin.bound.url() if self._admin is not None else "",
        )
        self._notifier.ready(self._urls)

    def _reap(self) -> None:
        """Collect processes that ended: workers, and as PID 1 whatever else was left to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            worker = self._workers.get(pid)
            if worker is not None:
                self._listen_to(worker)
                del self._workers[pid]
                worker.channel.close()
                self._scoreboard.take_back(worker.entry)
                sharing.bury(worker.entry.place, was_told=worker.is_retiring)
                if self._admin is not None:
                    self._admin.bury(worker.entry.place, was_told=worker.is_retiring)
                self._on_end(worker, os.waitstatus_to_exitcode(status))
            elif self._admin is not None and pid == self._admin.pid:
                self._admin.on_end()
                if not self._stops:
                    _log.error(
                        "the admin endpoint has ended, %s", describe_end(os.waitstatus_to_exitcode(status))
                    )

    def _on_end(self, worker: Child, code: int) -> None:
        if worker.is_retiring:
            _log.debug("worker %d has ended, %s", worker.pid, describe_end(code))
            return
        now = time.monotonic()
        delay_s = self._backoff.fail(now, lived_s=now - worker.started if worker.is_ready else 0.0)
        if worker.is_ready:
            after = f" in {delay_s:g} s" if delay_s else ""
            _log.error("worker %d has ended, %s; it is replaced%s", worker.pid, describe_end(code), after)
            return
        reason = worker.failure or f"a worker ended before it was ready, {describe_end(code)}"
        if not self._is_booted:
            self._boot_failures += 1
            if worker.failure or self._boot_failures >= _BOOT_TRIES:
                self._give_up(reason)
            return
        if self._drop_reload():
            _log.error("reload given up, the workers there are stay: %s", reason)
            self._notifier.ready(self._urls)
        else:
            _log.error("a worker cannot start, next try in %g s: %s", delay_s, reason)

    def _give_up(self, reason: str) -> None:
        """Nothing can be served: stop the workers that there are and say why."""
        if self._failure is None:
            self._failure = reason
            self._stops = self._stops or 1
            for worker in self._workers.values():
                worker.is_retiring = True
                worker.kill_at = time.monotonic() + self._drain_patience_s()
                worker.signal(signal.SIGTERM)

    def _list_stale(self, reason: str) -> list[Child]:
        workers = self._workers.values()
        return [worker for worker in workers if worker.stale == reason and not worker.is_retiring]

    def _drop_reload(self) -> bool:
        """Let stale workers stay; False when none is stale for a reload."""
        dropped = self._list_stale("reload")
        for worker in dropped:
            worker.stale = ""
        return bool(dropped)

    def _kill_overdue(self, now: float) -> None:
        for worker in self._workers.values():
            if worker.kill_at and now >= worker.kill_at:
                what = "end" if worker.is_retiring else "become ready"
                _log.error("worker %d does not %s in time; it is killed", worker.pid, what)
                worker.failure = worker.failure or "the application is not ready in time (--lifespan-timeout)"
                worker.kill_at = now + _FORCED_KILL_S
                worker.signal(signal.SIGKILL)

    def _wait(self, now: float) -> None:
        """Sleep until a signal or a worker's word, or until a deadline may have passed."""
        poller = select.poll()
        poller.register(self._wake_out, select.POLLIN)
        watcher = self._watcher if self._watcher is not None and self._watcher.channel.is_open else None
        if watcher is not None:
            poller.register(watcher.channel.fileno(), select.POLLIN)
        listened = {}
        for worker in self._workers.values():
            if worker.channel.is_open:
                listened[worker.channel.fileno()] = worker
                poller.register(worker.channel.fileno(), select.POLLIN)
        wait_s = min(_TICK_S, max(0.0, self._backoff.until - now) or _TICK_S)
        for fd, _ in poller.poll(wait_s * 1000):
            if fd in listened:
                self._listen_to(listened[fd])
            elif watcher is not None and fd == watcher.channel.fileno():
                for what in watcher.receive():
                    self._renew(what)
            else:
                self._drain_wakeups()

    def _drain_wakeups(self) -> None:
        try:
            self._wake_out.recv(4096)
        except BlockingIOError:
            pass
