"""Serving with several workers: what they share is opened, then this process is their supervisor.

What root is needed for is done here. Each new process comes out of the supervisor's code as `Forked`, and is
a worker from there on, outside of everything the supervisor does on its way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import ConfigError
from penstock.http.redaction import redactor
from penstock.observe.logs.file import open_log_files
from penstock.observe.logs.setup import configure
from penstock.server.admin.endpoint import open_supervised
from penstock.server.bind import open_all
from penstock.server.fork import warn_of_threads
from penstock.server.identity import find_identity, read_certificates, set_umask
from penstock.server.log_setup import make_logging
from penstock.server.pid_file import holding
from penstock.server.sharing import open_areas
from penstock.server.signals import outlive_signals
from penstock.server.supervisor import WORKERS_LIMIT, Forked, Supervisor
from penstock.server.watcher import Watcher, hurried, make_tree
from penstock.server.worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.http.handler import Handler
    from penstock.server.bind import Bound
    from penstock.server.config import Config


def supervise(load: Callable[[], Handler], config: Config, *, application_path: str = "") -> int:
    """Serve what `load()` returns with `config.workers` processes until told to stop; return the exit status,
    in a worker that of the worker. ConfigError: cannot listen; ApplicationError: no worker can start.
    """
    if config.reload:
        config = hurried(config)
    config.check_together()
    redactor().configure(config.redact, config.redact_pattern)
    outlive_signals()
    set_umask(config)
    identity = find_identity(config)
    files = open_log_files(config.log_file, config.access_log_file, identity and identity[:2])
    if config.preload:
        handler = load()
        load = lambda: handler  # noqa: E731
    configure(make_logging(config), files)
    if config.preload:
        warn_of_threads()
    open_areas(config.workers, WORKERS_LIMIT)
    watcher = None
    if config.reload:
        import penstock.server.serve  # noqa: F401 - once, and not for each generation anew: 0.1 s

        watcher = Watcher(make_tree(config, application_path))  # before there is a socket to inherit
    admin = None
    try:
        with holding(config.pid_file):
            admin = open_supervised(config, WORKERS_LIMIT)
            try:
                bound = open_all(config)
                tls = read_certificates(config)
            except ConfigError:
                if admin is not None:
                    admin.close()
                raise
            supervisor = Supervisor(bound, config, application_path, files, watcher, admin, tls)
            kept: Sequence[Bound] = ()
            try:
                return supervisor.run()
            except Forked as forked:
                kept = forked.seat.bound
                raise
            finally:
                supervisor.leave(kept)
    except Forked as forked:
        seat = forked.seat
    # A worker from here on, outside of everything the supervisor does on its way out.
    if admin is not None and seat.entry is None:
        return run_worker(admin.make_handler, admin.config, seat, application_path, files)
    return run_worker(load, config, seat, application_path, files)
