"""What a server says of itself on stderr when it is ready: what it serves, where, and within which bounds.

Every deadline and limit in force is there, made from the settings, so none can be forgotten. It is part of
the log at level info: a higher `log_level` silences it. Coloured only on a terminal, and not under NO_COLOR.
Where the log on stderr is JSON it is one line of it, for whoever reads that reads every line.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

from penstock.observe.logs.setup import find_form
from penstock.observe.logs.stderr import STDERR, make_note
from penstock.observe.terminal import wants_colour
from penstock.server.config import SETTINGS
from penstock.server.kinds import Count
from penstock.server.setting import DEADLINES, LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from penstock.server.config import Config

_WIDTH = 100
_LOCAL = re.compile(r"https?://(?:127\.|localhost\b|\[::1\])|unix:")
_INDENT = 13  # of the values; the longest label is "application"
_BOLD, _DIM, _GREEN, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[0m"


def write_banner(
    config: Config,
    *,
    application_path: str,
    urls: Sequence[str],
    interface: str = "Penstock App",
    admin_url: str = "",
    stream: TextIO | None = None,
) -> None:
    """Write the banner for a server that listens at `urls` to `stream`, by default stderr."""
    if config.log_level not in ("debug", "info"):
        return
    if stream is None and find_form(config.log_format) == "json":  # type: ignore[arg-type] # no other words
        _log_banner(config, application_path, urls, interface, admin_url)
        return
    stream = sys.stderr if stream is None else stream
    is_coloured = wants_colour(stream)
    text = render_banner(config, application_path, urls, interface, admin_url, is_coloured=is_coloured)
    stream.write(text)
    stream.flush()


def _log_banner(
    config: Config, application_path: str, urls: Sequence[str], interface: str, admin_url: str
) -> None:
    """Write the banner as a line of JSON among the others."""
    from penstock import __version__

    deadlines, limits = ", ".join(_list_group(config, DEADLINES)), ", ".join(_list_group(config, LIMITS))
    members = {
        "application": application_path,
        "interface": interface,
        "urls": list(urls),
        "admin": admin_url or None,
        "python": ".".join(map(str, sys.version_info[:3])),
        "workers": config.workers if config.is_supervised else None,
        "threads": config.threads,
        "deadlines": deadlines,
        "limits": limits,
    }
    members = {name: value for name, value in members.items() if value is not None}
    message = f"Penstock {__version__} serves {application_path} at {', '.join(urls)} (pid {os.getpid()})"
    STDERR.write(make_note("INFO", message, STDERR.formatter, members, logger="penstock.server"))


def render_banner(
    config: Config,
    application_path: str,
    urls: Sequence[str],
    interface: str,
    admin_url: str = "",
    *,
    is_coloured: bool = False,
) -> str:
    """The banner's text."""
    from penstock import __version__

    bold, dim, green, plain = (_BOLD, _DIM, _GREEN, _PLAIN) if is_coloured else ("", "", "", "")
    rows = [
        ("application", f"{application_path} ({interface})"),
        ("address", ", ".join(urls)),
        ("process", _describe_process(config)),
        ("deadlines", ", ".join(_list_group(config, DEADLINES))),
        ("limits", ", ".join(_list_group(config, LIMITS))),
        *([("development", _describe_development(config, urls))] if config.development else []),
        (
            "bounds",
            f"{config.connection_limit} connections, {config.queue_limit} requests waiting for a thread",
        ),
    ]
    if admin_url:
        rows.insert(2, ("admin", f"{admin_url} ({_describe_admin(admin_url)})"))
    lines = [f"{bold}Penstock {__version__}{plain} {dim}(Ctrl-C stops it){plain}"]
    for label, value in rows:
        first, *rest = _wrap(value)
        start, end = (green, plain) if label == "address" else ("", "")
        lines.append(f"  {dim}{label.ljust(_INDENT - 2)}{plain} {start}{first}{end}")
        lines.extend(f"{' ' * (_INDENT + 1)}{line}" for line in rest)
    return "\n".join(lines) + "\n"


def _describe_admin(url: str) -> str:
    """What to do with it: look at it in a browser, or where that does not reach it in a terminal."""
    return "dashboard: /dashboard" if url.startswith("http") else f"penstock top {url}"


def _describe_process(config: Config) -> str:
    process = f"pid {os.getpid()}, Python {'.'.join(map(str, sys.version_info[:3]))}"
    if not config.is_supervised:
        return f"{process}, up to {config.threads} threads"
    return f"{process}, {count_workers(config.workers)} of up to {config.threads} threads"


def count_workers(number: int) -> str:
    """`1 worker`, `2 workers`."""
    return "1 worker" if number == 1 else f"{number} workers"


def _describe_development(config: Config, urls: Sequence[str]) -> str:
    told = "failures are answered with their traceback"
    if not all(_LOCAL.match(url) for url in urls):
        told += " TO WHOEVER CAN CONNECT"
    if not config.reload:
        return told
    from penstock.server.watcher import describe_method

    return f"{describe_method()}, {told}"


def _list_group(config: Config, group: str) -> Iterable[str]:
    for setting in SETTINGS:
        if setting.group == group:
            label = setting.key.removesuffix("_timeout").removesuffix("_limit").replace("_", " ")
            value = setting.kind.show(getattr(config, setting.name))
            yield f"{value} {label}s" if isinstance(setting.kind, Count) else f"{label} {value}"


def _wrap(text: str) -> list[str]:
    """Lines of `text`, broken only after a comma: "head 15 s" stays in one piece."""
    glued = text.replace(" ", "\xa0").replace(",\xa0", ", ")
    lines = textwrap.wrap(glued, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]
