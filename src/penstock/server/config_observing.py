"""The settings of what a server tells: log, figures, traces. `Config` is these and the others."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.server.kinds import (
    Bind,
    Choice,
    Expression,
    LogFormat,
    Maybe,
    Path,
    Seconds,
    Several,
    Share,
    Switch,
    Text,
)
from penstock.server.setting import LOG, OBSERVING, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingConfig:
    """What is told, where and how."""

    access_log: bool = setting(default=True, group=LOG, kind=Switch(), purpose="a log line for each request")
    log_file: str | None = setting(
        None, LOG, Text("FILE", "a path"), "the log goes there, not to stderr; SIGUSR1 reopens it"
    )
    access_log_file: str | None = setting(
        None, LOG, Text("FILE", "a path"), "the access log goes there; SIGUSR1 reopens it"
    )
    log_level: str = setting(
        "info", LOG, Choice("debug", "info", "warning", "error", "critical"), "least severity that is logged"
    )
    log_format: str = setting(
        "auto",
        LOG,
        Choice("auto", "json", "text"),
        "form of the log; auto: text on a terminal, else JSON lines",
    )
    access_log_format: str = setting(
        "auto",
        LOG,
        LogFormat(),
        "form of the access log: auto (that of the log), json, text, common, combined, or one of Apache's",
    )
    access_log_sample: float = setting(
        1.0, LOG, Share(), "share of fast successes in the access log; errors and slow requests are all there"
    )
    access_log_exclude: tuple[str, ...] = setting(
        (), LOG, Several(Path()), "paths whose successes are not in the access log; may be repeated"
    )

    redact: tuple[str, ...] = setting(
        (),
        LOG,
        Several(Text("NAME", "a name such as customer-id")),
        "hide values of this name as those of passwords are hidden; may be repeated",
    )
    redact_pattern: tuple[str, ...] = setting(
        (),
        LOG,
        Several(Expression(), is_whole=True),
        "hide what this regular expression finds, or its groups; may be repeated",
    )

    release: str | None = setting(
        None,
        OBSERVING,
        Text("TEXT|@FILE", "a text, or @ and the path of a file"),
        "which release of the application this is; @FILE: its first line, read by each worker as it starts;"
        " without it the App's version",
    )
    metrics: bool = setting(
        default=True,
        group=OBSERVING,
        kind=Switch(),
        purpose="count requests, how long they take, and what the server does",
    )
    admin: str | None = setting(
        None,
        OBSERVING,
        Maybe(Bind(takes_fd=False)),
        "answer probes and tell figures here, such as 127.0.0.1:9100, whatever the workers do",
    )
    # Off: durations tell an attacker, too, such as whether a user exists.
    server_timing: bool = setting(
        False,
        OBSERVING,
        Switch(),
        "tell clients what the time of their request went to",
    )
    otel: bool = setting(
        default=False,
        group=OBSERVING,
        kind=Switch(),
        purpose="send a span of each request to an OpenTelemetry collector, which the variables OTEL_* name",
    )
    # Nobody waits longer without noticing (Nielsen's second); a slow query log of MySQL begins at 10 s, of
    # most frameworks' tools at 0.5 to 1.
    slow_request_s: float = setting(
        1.0,
        OBSERVING,
        Seconds(zero=True, none="off"),
        "a request that takes so long is logged with its phases and where it was seen; 0 for none",
    )
    # asyncio's debug mode calls a callback slow from 0.1 s on. What is held up so long, all clients feel.
    blocked_loop_s: float = setting(
        0.1,
        OBSERVING,
        Seconds(zero=True, none="off"),
        "a loop that stands still so long is logged with the frame that blocks it; 0 for none",
    )
