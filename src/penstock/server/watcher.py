"""The process that watches files for a supervisor, and says "changed" with their names.

A process, because watchfiles runs threads, and the supervisor must be free to fork at any time. It ends with
its supervisor, whose end of the channel is closed then.
"""

from __future__ import annotations

import importlib.machinery
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import ConfigError
from penstock.server.config import Config
from penstock.server.fork import fork
from penstock.server.watch import Tree, has_watchfiles, occasions, regularly, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.server.worker import Channel

_log = logging.getLogger("penstock.server")

_DRAIN_S = 0.5


def make_tree(config: Config, application_path: str) -> Tree:
    """Return what is watched for an application: the working directory, from which it is imported, the folder
    where it lies when that is elsewhere, and those of the setting. ConfigError when one of these is none.
    """
    for folder in config.reload_dir:
        if not Path(folder).is_dir():
            raise ConfigError(f"reload_dir: {folder} is no folder")
    roots = [str(Path.cwd()), *_find_elsewhere(application_path), *config.reload_dir]
    return Tree(roots, config.reload_include, config.reload_exclude)


def _find_elsewhere(application_path: str) -> list[str]:
    """Return the folder of the top package, found without an import, unless it is installed."""
    name = application_path.partition(":")[0].partition(".")[0]
    here = str(Path.cwd())
    try:
        spec = importlib.machinery.PathFinder.find_spec(name, [here, *sys.path])
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    found = list(spec.submodule_search_locations or [])
    if not found and spec.has_location and spec.origin:
        found = [os.path.dirname(spec.origin)]  # noqa: PTH120
    installed = ("site-packages", "dist-packages")
    return [
        folder
        for folder in found
        if not folder.startswith(here) and not any(part in installed for part in Path(folder).parts)
    ]


def describe_method() -> str:
    """Return what notices a save, for the banner."""
    if has_watchfiles():
        return "watchfiles notices a save"
    return "files are looked at every 0.25 s (the extra penstock[standard] notices a save at once)"


def hurried(config: Config) -> Config:
    """Return the settings with the defaults of reloading: failures shown, a short drain, and no end for a
    worker whose loop stands still, as it does in a debugger.
    """
    changed: dict[str, Any] = {"development": True, "drain_timeout_s": _DRAIN_S, "stuck_timeout_s": 0.0}
    usual = Config()
    return replace(
        config,
        **{name: value for name, value in changed.items() if getattr(config, name) == getattr(usual, name)},
    )


class Watcher:
    """The process, as the supervisor sees it."""

    def __init__(self, tree: Tree) -> None:
        self.pid, self.channel = fork()
        if not self.pid:
            _live(tree, self.channel)

    def receive(self) -> list[str]:
        """Return what has changed, a text for each time, and log what else there is to say."""
        changed = []
        for word, text in self.channel.receive():
            if word == "changed":
                changed.append(text)
            elif word == "cut":
                _log.warning("only the nearest %s folders are watched: start in a smaller one", text)
            elif word == "polling":
                _log.warning("watchfiles cannot watch, so files are looked at every 0.25 s: %s", text)
            elif word == "failed":
                _log.error("the files are watched no more: %s", text)
        return changed

    def stop(self) -> None:
        """End it, in the supervisor."""
        try:
            if not os.waitpid(self.pid, os.WNOHANG)[0]:
                os.kill(self.pid, signal.SIGTERM)
                os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # collected when it ended by itself; its number may be another's by now


def _live(tree: Tree, channel: Channel) -> None:
    """All that happens in the process; never returns."""
    try:
        tree.look()
        if tree.is_cut:
            channel.send("cut", str(len(tree.folders)))
        _watch(tree, channel)
    except BaseException as error:
        channel.send("failed", f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _watch(tree: Tree, channel: Channel) -> None:
    if has_watchfiles():
        try:
            _tell(tree, channel, occasions(tree))
        except Exception as error:  # no watch left to be had, or a package that does not work here
            channel.send("polling", f"{type(error).__name__}: {error}")
        else:
            return
    _tell(tree, channel, regularly(tree))


def _tell(tree: Tree, channel: Channel, looks: Iterator[None]) -> None:
    for _ in looks:
        channel.receive()
        if not channel.is_open:
            return
        changed = tree.look()
        if changed:
            channel.send("changed", tree.describe(settle(tree, changed)))
