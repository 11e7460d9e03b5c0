"""`penstock ctl`: how a running server stands, and what it is to do.

It finds the server as the server finds its settings: `admin` and `pid_file`, by flag, environment or file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from penstock.cli.plain import show_age, show_plain, show_size
from penstock.errors import ConfigError, ServerUnreachable
from penstock.server.suggestion import did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from penstock.server.config import Config

_ACTIONS = {
    "status": "workers, and requests in flight with their age",
    "reload": "each worker is replaced by one with new code (SIGHUP)",
    "stop": "what is in flight is finished, then the server ends (SIGTERM)",
    "scale": "one worker more or less: scale +1, scale -1 (SIGTTIN, SIGTTOU)",
    "reopen-logs": "log files are opened again by their names (SIGUSR1)",
}

# The settings by which a server is found.
SETTINGS_TAKEN = frozenset({"admin", "pid_file", "chdir"})
FLAGS = ["--json"]
_STALE_S = 2.5  # the loop turns and figures are told at least once a second
USAGE = "ACTION [--admin ADDRESS] [--pid-file FILE]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action and what goes with it."""
    listed = "; ".join(f"{name}: {purpose}" for name, purpose in _ACTIONS.items())
    parser.add_argument("action", metavar="ACTION", nargs="?", help=listed)
    parser.add_argument("amount", metavar="+1|-1", nargs="?", help="with scale")
    parser.add_argument("--json", action="store_true", help="status as JSON")


def check_arguments(options: argparse.Namespace) -> None:
    """ConfigError for words that make no sense together."""
    action, amount = options.action, options.amount
    if action is None:
        raise ConfigError(f"ctl what? {', '.join(_ACTIONS)}")
    if action not in _ACTIONS:
        raise ConfigError(f"unknown action {action!r}{did_you_mean(action, _ACTIONS)}")
    if action == "scale" and amount not in ("+1", "-1"):
        raise ConfigError("scale by how much? One worker at a time: penstock ctl scale +1, or -1")
    if action != "scale" and amount is not None:
        raise ConfigError(f"unexpected argument {amount!r}")
    if action != "status" and options.json:
        raise ConfigError("--json is for status")


def act(options: argparse.Namespace, config: Config) -> int:
    """Do it; return the exit code. ServerUnreachable: nothing was done."""
    from penstock.server.control import fetch_status, list_processes, send_signal

    if options.action != "status":
        if config.pid_file is None:
            raise ConfigError(f"{options.action} which server? Name its pid file with --pid-file")
        action = f"{options.action} {options.amount}" if options.amount else options.action
        print(f"{action}: told process {send_signal(action, config.pid_file)}")
        return 0
    if config.admin is not None:
        told = fetch_status(config.admin)
        try:
            print(json.dumps(told, indent=2) if options.json else render_status(told))
        except (KeyError, TypeError):
            raise ServerUnreachable(f"what answers at {config.admin} is of another version") from None
    elif config.pid_file is not None:
        found = list_processes(config.pid_file)
        print(json.dumps({"processes": found}, indent=2) if options.json else _render_processes(found))
    else:
        raise ConfigError("status of which server? Name its admin endpoint with --admin, or --pid-file")
    return 0


def render_status(told: dict[str, Any]) -> str:
    """What the admin endpoint told, for people."""
    head = ("PID", "STATE", "AGE", "CONNECTIONS", "REQUESTS", "IN FLIGHT", "OLDEST", "THREADS", "RSS")
    rows = [head, *map(_row_of_worker, told["workers"])]
    if any(each.get("release") for each in told["workers"]):
        releases = ["RELEASE", *(show_plain(each.get("release") or "-") for each in told["workers"])]
        rows = [(row[0], release, *row[1:]) for row, release in zip(rows, releases, strict=True)]
    lines = [*_summarise(told), "", *align(rows)]
    requests = told["requests"]
    if requests:
        rows = [("AGE", "RUNS", "WORKER", "REQUEST")]
        rows += [
            (show_age(r["age_seconds"]), r["runs"], str(r["worker"]), show_plain(r["line"])) for r in requests
        ]
        lines += ["", *align(rows)]
        hidden = told["requests_in_flight"] - len(requests)
        if hidden > 0:
            lines.append(f"and {hidden} younger ones")
    return "\n".join(lines)


def _summarise(told: dict[str, Any]) -> Iterator[str]:
    age, rss = show_age(told["uptime_seconds"]), show_size(told["rss_bytes"])
    workers = f"{_count(len(told['workers']), 'worker')}, {_count(told['restarts'], 'restart')}"
    release = f"release {show_plain(told['release'])}, " if told.get("release") else ""
    yield f"{told['status']}: {release}process {told['pid']} for {age}, {workers}, {rss}"
    connections = _count(told["connections"], "connection")
    requests = f"{_count(told['requests_total'], 'request')} so far, {told['requests_in_flight']} in flight"
    yield f"{connections}, {requests}, {told['thread_pool']['queue_depth']} waiting for a thread"
    from penstock.observe.health import render_check  # here: other actions need no such thing

    for name, check in told.get("checks", {}).items():
        if check["status"] != "ok":
            yield show_plain(render_check(name, check))


def _row_of_worker(worker: dict[str, Any]) -> tuple[str, ...]:
    pool = worker["thread_pool"]
    state = worker["state"]
    still_s, told_s = worker["loop_still_seconds"], worker["figures_age_seconds"]
    if told_s > _STALE_S:
        state += f", silent for {show_age(told_s)}"
    elif still_s > _STALE_S:
        state += f", loop still for {show_age(still_s)}"
    return (
        str(worker["pid"]),
        state,
        show_age(worker["uptime_seconds"]),
        str(worker["connections"]),
        str(worker["requests_total"]),
        str(worker["requests_in_flight"]),
        show_age(worker["oldest_request_seconds"]),
        f"{pool['active_workers']} of {pool['total_workers']}",
        show_size(worker["rss_bytes"]),
    )


def _render_processes(found: Sequence[dict[str, Any]]) -> str:
    rows = [
        (str(p["pid"]), p["role"], show_age(p["uptime_seconds"]), show_size(p["rss_bytes"])) for p in found
    ]
    note = "What they are at is told by the admin endpoint: start the server with --admin, and name it here."
    return "\n".join([*align([("PID", "ROLE", "AGE", "RSS"), *rows]), "", note])


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in columns; nothing trails the last one."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
