"""Serving in one process, without a supervisor.

What root is needed for is done first, then whoever is to serve loads the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.redaction import redactor
from penstock.observe.logs.file import open_log_files
from penstock.observe.logs.setup import configure
from penstock.observe.release import settle_release
from penstock.server.admin.endpoint import open_local
from penstock.server.bind import open_all
from penstock.server.identity import find_identity, give_up_root, read_certificates, set_umask
from penstock.server.log_setup import make_logging
from penstock.server.pid_file import holding
from penstock.server.serve import Server
from penstock.server.sharing import open_own_area
from penstock.server.signals import outlive_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.http.handler import Handler
    from penstock.observe.logs.file import LogFiles
    from penstock.server.admin.endpoint import LocalAdmin
    from penstock.server.bind import Bound
    from penstock.server.config import Config


def serve_alone(load: Callable[[], Handler], config: Config, *, application_path: str = "") -> int:
    """Serve what `load()` returns until told to stop; return the exit status. ConfigError: cannot listen, or
    not as that user; ApplicationError: the application cannot start.
    """
    outlive_signals()
    set_umask(config)
    identity = find_identity(config)
    files = open_log_files(config.log_file, config.access_log_file, identity and identity[:2])
    with holding(config.pid_file):
        bound = open_all(config)
        try:
            admin = open_local(config)
            try:
                return _serve(load, config, application_path, bound, files, admin)
            finally:
                if admin is not None:
                    admin.close()
        finally:
            for each in bound:
                each.close()


def _serve(
    load: Callable[[], Handler],
    config: Config,
    path: str,
    bound: Sequence[Bound],
    files: LogFiles,
    admin: LocalAdmin | None,
) -> int:
    redactor().configure(config.redact, config.redact_pattern)
    tls = read_certificates(config)
    give_up_root(config, tls)
    open_own_area()
    slot = None
    if admin is not None:
        admin.start()
        slot = admin.give(1)
    handler = load()
    settle_release(config.release, getattr(handler, "release", ""))
    configure(make_logging(config), files)
    server = Server(handler, config, path, bound=bound, tls=tls, log_files=files, slot=slot)
    server.admin_url = admin.bound.url() if admin is not None else ""
    return server.run()
