"""How a server logs, from its settings: for the log, and for the log of requests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from penstock.observe.logs.setup import Logging, find_form
from penstock.observe.release import get_release
from penstock.observe.terminal import wants_colour

if TYPE_CHECKING:
    from penstock.observe.logs.access import AccessLog
    from penstock.observe.logs.file import LogFiles
    from penstock.server.config import Config

_NEVER_NS: Final = 2**63


def make_logging(config: Config, files: LogFiles | None = None) -> Logging:
    """Return how the processes of a server log. `files`: for one that is to open the log by its name."""
    return Logging(
        level=config.log_level,
        form=config.log_format,  # type: ignore[arg-type] # its kind takes no other words
        access_form=config.access_log_format,
        release=get_release() or None,
        is_in_development=config.development,
        file=None if files is None or files.log is None else str(files.log.path),
    )


def open_access_log(config: Config, files: LogFiles) -> AccessLog | None:
    """Return the access log, which takes records from now on; None: nobody wants one."""
    if not config.access_log:
        return None
    from penstock.observe.logs.access import AccessLog, AccessSetup

    is_for_terminal = files.access is None and files.log is None
    form = config.access_log_format
    if form == "auto":
        form = find_form(config.log_format, is_for_terminal=is_for_terminal)  # type: ignore[arg-type]
    setup = AccessSetup(
        form=form,
        is_coloured=is_for_terminal and wants_colour(sys.stderr),
        slow_ns=round(config.slow_request_s * 1e9) or _NEVER_NS,
        release=get_release() or None,
        rate=config.access_log_sample,
        exclude=frozenset(path.encode() for path in config.access_log_exclude),
    )
    return AccessLog(setup)
