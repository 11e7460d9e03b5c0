"""The files whose change reloads an application, and which of them have changed since the last look.

Two pictures of the tree are compared: path, time, size and inode of each file. That finds new, deleted and
renamed files and every way in which editors save. Where watchfiles is installed it says when to look;
a look every two seconds comes besides, because network and bind mounts tell nothing. Without it a look every
quarter of a second has to do. Looking takes a twentieth of one processor at most, however large the tree.
Not looked into: folders that begin with a point, `__pycache__`, `node_modules`, `site-packages`, virtual
environments, and links to folders.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from fnmatch import translate
from importlib.util import cache_from_source
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Picture = dict[str, tuple[int, int, int]]

# A hidden file is a lock or a copy of an editor's; flycheck writes its copies beside the source.
_FILES = ("[!.#]*.py",)
_NOT_FILES = ("flycheck_*",)
_NOT_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
_ENVIRONMENT = "pyvenv.cfg"  # PEP 405: what makes a folder a virtual environment
# Linux gives a user 8,192 watches where memory is small; nearest folders first.
_FOLDERS_LIMIT = 5_000

_POLL_S = 0.25
_BESIDES_S = 2.0
_SHARE = 20  # between two looks so many times what a look takes
# A save is over when nothing has changed for so long, a burst of them is cut after the second.
_SETTLE_S = 0.03
_BURST_S = 0.6


class Tree:
    """Some folders with all that is below them. ConfigError when one is none."""

    def __init__(
        self, roots: Iterable[str], include: Iterable[str] = (), exclude: Iterable[str] = ()
    ) -> None:
        self.roots = list(dict.fromkeys(map(os.path.abspath, roots)))
        self._included = _Patterns((*_FILES, *include))
        self._excluded = _Patterns((*_NOT_FILES, *exclude))
        self.folders: list[str] = []
        """Those of the last look."""
        self.is_cut = False
        """There are more folders than are looked into."""
        self.look_s = 0.0
        """What the last look took."""
        self._picture: Picture | None = None

    def look(self) -> list[str]:
        """Return the files that are new, changed or gone since the last look; the first finds none."""
        started = time.perf_counter()
        before, self._picture = self._picture, self.take_picture()
        self.look_s = time.perf_counter() - started
        if before is None or before == self._picture:
            return []
        either = before.items() ^ self._picture.items()
        return sorted({path for path, _ in either})

    def take_picture(self) -> Picture:
        picture: Picture = {}
        pending = deque((root, root) for root in self.roots)
        seen: dict[str, None] = {}
        while pending and len(seen) < _FOLDERS_LIMIT:
            folder, root = pending.popleft()
            if folder not in seen:
                entries = _list(folder)
                if folder == root or not any(entry.name == _ENVIRONMENT for entry in entries):
                    seen[folder] = None
                    pending.extend((path, root) for path in self._look_into(entries, root, picture))
        self.folders = list(seen)
        self.is_cut = bool(pending)
        return picture

    def _look_into(self, entries: list[os.DirEntry[str]], root: str, picture: Picture) -> Iterator[str]:
        """Take the files into the picture, yield the folders."""
        for entry in entries:
            name, path = entry.name, entry.path
            try:
                if entry.is_dir(follow_symlinks=False):
                    hidden = name.startswith(".") or name in _NOT_FOLDERS
                    if not hidden and not self._excluded.match(name, path, root):
                        yield path
                elif self._included.match(name, path, root) and not self._excluded.match(name, path, root):
                    found = entry.stat()
                    picture[path] = (found.st_mtime_ns, found.st_size, found.st_ino)
            except OSError:  # gone meanwhile, or a link to nothing
                continue

    def drop_doubtful_bytecode(self) -> None:
        """Delete bytecode that may be older than its source. Python compares whole seconds and the size, so
        that after two saves within a second it would run the first.
        """
        for path, (modified_ns, _, _) in self.take_picture().items():
            if path.endswith(".py"):
                try:
                    bytecode = cache_from_source(path)
                    if int(os.stat(bytecode).st_mtime) <= modified_ns // 10**9:  # noqa: PTH116 - PERF
                        os.unlink(bytecode)  # noqa: PTH108 - as above
                except (OSError, NotImplementedError):
                    continue

    def describe(self, changed: list[str]) -> str:
        """Return the names of some changed files, as seen from the first root."""
        here = f"{self.roots[0]}{os.sep}"
        shown = ", ".join(path.removeprefix(here) for path in changed[:3])
        return f"{shown} and {len(changed) - 3} more" if len(changed) > 3 else shown


class _Patterns:
    """Globs: one with a slash is for the path below the root, one without for the name."""

    def __init__(self, globs: Iterable[str]) -> None:
        globs = [glob.removeprefix("./").rstrip("/") for glob in globs]
        self._names = _join(glob for glob in globs if "/" not in glob)
        self._paths = _join(glob for glob in globs if "/" in glob)

    def match(self, name: str, path: str, root: str) -> bool:
        if self._names is not None and self._names.match(name):
            return True
        return self._paths is not None and bool(self._paths.match(os.path.relpath(path, root)))


def _join(globs: Iterable[str]) -> re.Pattern[str] | None:
    parts = [translate(glob) for glob in globs]
    return re.compile("|".join(parts)) if parts else None


def _list(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def has_watchfiles() -> bool:
    """Tell whether the extra is installed, without the time it takes to import."""
    from importlib.util import find_spec

    return find_spec("watchfiles") is not None


def occasions(tree: Tree) -> Iterator[None]:
    """Yield whenever it is time to look. OSError when watchfiles cannot watch: then `regularly` can."""
    from watchfiles import watch

    due = 0.0
    while True:
        watched = tree.folders
        try:
            for told in watch(
                *watched,
                watch_filter=None,
                debounce=50,
                step=20,
                rust_timeout=500,
                yield_on_timeout=True,
                recursive=False,  # only the folders that are looked into cost a watch
                ignore_permission_denied=True,
            ):
                now = time.monotonic()
                if told or now >= due:
                    yield
                    time.sleep(tree.look_s * _SHARE if told else 0.0)
                    due = time.monotonic() + max(_BESIDES_S, tree.look_s * _SHARE)
                if tree.folders != watched:
                    break
        except FileNotFoundError:
            yield  # a folder went meanwhile: look again


def regularly(tree: Tree) -> Iterator[None]:
    """Yield whenever it is time to look."""
    while True:
        yield
        time.sleep(max(_POLL_S, tree.look_s * _SHARE))


def settle(tree: Tree, changed: list[str]) -> list[str]:
    """Wait until the files rest; return all that have changed."""
    found = dict.fromkeys(changed)
    end = time.monotonic() + _BURST_S
    while time.monotonic() < end:
        time.sleep(_SETTLE_S)
        more = tree.look()
        if not more:
            break
        found |= dict.fromkeys(more)
    return list(found)
