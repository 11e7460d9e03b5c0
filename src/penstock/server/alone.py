"""Serving in one process, without a supervisor.

What root is needed for is done first, then whoever is to serve loads the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.observe.log_file import open_log_files
from penstock.observe.logs import configure
from penstock.server.bind import open_all
from penstock.server.identity import find_identity, load_as_user, set_umask
from penstock.server.pid_file import holding
from penstock.server.serve import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.http.handler import Handler
    from penstock.server.config import Config


def serve_alone(load: Callable[[], Handler], config: Config, *, application_path: str = "") -> int:
    """Serve what `load()` returns until told to stop; return the exit status. ConfigError: cannot listen, or
    not as that user; ApplicationError: the application cannot start.
    """
    set_umask(config)
    identity = find_identity(config)
    files = open_log_files(config.log_file, config.access_log_file, identity and identity[:2])
    with holding(config.pid_file):
        bound = open_all(config)
        try:
            handler, tls = load_as_user(load, config)
            configure(config.log_level, files, development=config.development)
            return Server(handler, config, application_path, bound=bound, tls=tls, log_files=files).run()
        finally:
            for each in bound:
                each.close()
