"""`penstock top`: the live figures of a running server in the terminal, every second, until q or Ctrl-C.

It shows what the dashboard shows, from the same `/live` of the admin endpoint, and finds that as `penstock
ctl` does. Where nobody sits at a terminal it prints one look and ends. An endpoint that does not answer at
the start is an error; one that is lost later is waited for, with what it told last still to be seen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from penstock.errors import ConfigError, ServerUnreachable

if TYPE_CHECKING:
    import argparse

    from penstock.cli.terminal import Terminal
    from penstock.cli.top_screen import Screen
    from penstock.server.config import Config

# The settings by which a server is found.
SETTINGS_TAKEN = frozenset({"admin", "chdir"})
FLAGS = ["--json", "--once"]
USAGE = "[ADDRESS] [--once] [--json]"
_INTERVAL_S = 1.0
_PLAIN_WIDTH = 120
_RATES = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the address and what goes with it."""
    parser.add_argument(
        "address",
        metavar="ADDRESS",
        nargs="?",
        help="of the admin endpoint: 127.0.0.1:9000 or unix:/path; by default the setting admin",
    )
    parser.add_argument("--once", action="store_true", help="print one look and end")
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def act(options: argparse.Namespace, config: Config) -> int:
    """Show it; return the exit code. ServerUnreachable: nothing answers."""
    given: str | None = options.address or config.admin
    if given is None:
        raise ConfigError("top of which server? Name its admin endpoint: penstock top 127.0.0.1:9000")
    address = given.removeprefix("http://").rstrip("/") if given.startswith("http://") else given  # pasted
    look = _fetch(address)
    if options.json:
        print(json.dumps(look, indent=2))
        return 0
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    try:
        if options.once or not is_terminal:
            from penstock.cli.top_screen import Screen

            print("\n".join(Screen(is_coloured=False).lines(look, _PLAIN_WIDTH)))
        else:
            _watch(address, look)
    except (KeyError, TypeError, IndexError):
        raise ServerUnreachable(f"what answers at {address} is of another version") from None
    return 0


def _fetch(address: str, path: str = "/live") -> Any:
    from penstock.server.control import fetch

    return fetch(address, path, {"number", "workers", "routes"} if path == "/live" else {"points"})


def _watch(address: str, look: dict[str, Any]) -> None:
    from penstock.cli.terminal import Terminal
    from penstock.cli.top_screen import Screen

    screen = Screen(is_coloured=not os.environ.get("NO_COLOR"))
    screen.rates = [point["rate"] for point in _fetch(address, "/live/history")["points"]][-_RATES:]
    with Terminal() as terminal:
        try:
            _show(terminal, screen, address, look)
        except KeyboardInterrupt:
            pass


def _show(terminal: Terminal, screen: Screen, address: str, look: dict[str, Any]) -> None:
    """Until q."""
    number, lost = look["number"], ""
    due = time.monotonic()
    while True:
        width, height = terminal.size()
        terminal.show(screen.lines(look, width, height, lost))
        due = max(due + _INTERVAL_S, time.monotonic())
        while (left_s := due - time.monotonic()) > 0:
            key = terminal.wait(left_s)
            if key in {"q", "Q"}:
                return
            if key == "":  # another size, or back from the background
                width, height = terminal.size()
                terminal.show(screen.lines(look, width, height, lost))
        try:
            look, lost = _fetch(address), ""
        except ServerUnreachable as error:
            lost = lost or f"{error}; lost at {time.strftime('%H:%M:%S')}, trying again"
        if not lost and look["number"] != number:
            number = look["number"]
            screen.rates = [*screen.rates, look["rate_per_s"]][-_RATES:]
