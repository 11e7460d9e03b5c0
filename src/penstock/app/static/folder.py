"""Which file a path names, and opening it so that it cannot be another one.

A path is walked from the folder's own descriptor, one segment at a time, with O_NOFOLLOW: each step is one
name in a directory that is already open. So `..`, a second slash, an absolute path or a link put there while
we look lead nowhere: there is no moment at which a checked path is resolved again by name. A symbolic link on
the way is resolved once; when the result lies inside, that path, without links, is walked in the same manner.
What is opened is a regular file, seen before (opening a device can have effects) and asked again afterwards.

Everything refused is a 404: who asks for `.git` must not learn that it is there. Absent on purpose: keeping
the folder's descriptor; the folder may be a link that a deployment moves.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError, HTTPError
from penstock.http.open_file import READING, OpenFile

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# No such thing, or none we look at: these are the client's doing. EMFILE and EIO are ours, and raised.
_ABSENT = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EACCES, errno.EPERM}
    | {errno.EISDIR, errno.ENXIO, errno.EILSEQ}
)


class Absent(Exception):
    """The path names nothing that is served."""


class _Link(Exception):
    """A symbolic link is on the way."""


class OpenFolder:
    """Owns the descriptor of a directory; `names` lead to it from the root, without links."""

    __slots__ = ("fd", "names")

    def __init__(self, fd: int, names: tuple[str, ...]) -> None:
        self.fd = fd
        self.names = names

    def __del__(self) -> None:
        os.close(self.fd)


class Folder:
    """The root of what is served."""

    def __init__(self, path: str | os.PathLike[str], *, links_outside: bool, dotfiles: bool) -> None:
        self.path = os.path.abspath(os.fspath(path))  # noqa: PTH100 - a link stays one, and may move
        if not os.path.isdir(self.path):  # noqa: PTH112 - as above: one kind of path in this file
            raise ApplicationError(f"static files: {os.fspath(path)!r} is not a directory")
        self._links_outside = links_outside
        self._dotfiles = dotfiles

    def open(self, names: Sequence[str]) -> OpenFile | OpenFolder:
        """Open what these names lead to, one by one from the root. Absent when that is nothing we serve;
        OSError when the system fails.
        """
        self.check(names)
        try:
            try:
                return _walk(self.path, names)
            except _Link:
                return self._open_linked(names)
        except (_Link, UnicodeEncodeError):  # a link put there meanwhile; a name this system cannot write
            raise Absent from None
        except OSError as error:
            if error.errno is None or error.errno in _ABSENT:
                raise Absent from None
            raise

    def path_of(self, names: Sequence[str]) -> str:
        """Return the path these names spell; for what is already known to be there."""
        return os.path.join(self.path, *names)  # noqa: PTH118

    def check(self, names: Sequence[str]) -> None:
        """Absent for names no file may have, and for hidden ones."""
        for name in names:
            if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
                raise Absent
            if name.startswith(".") and not self._dotfiles:
                raise Absent

    def _open_linked(self, names: Sequence[str]) -> OpenFile | OpenFolder:
        root = os.path.realpath(self.path)
        target = os.path.realpath(os.path.join(root, *names))  # noqa: PTH118
        if target == root:
            return _walk(root, ())
        inside = root.rstrip("/") + "/"
        if target.startswith(inside):
            resolved = target[len(inside) :].split("/")
            self.check(resolved)  # a link must not show what is hidden
            return _walk(root, resolved)
        if not self._links_outside:
            raise Absent
        return _walk("/", target.split("/")[1:])


def _walk(root: str, names: Sequence[str]) -> OpenFile | OpenFolder:
    fd = os.open(root, _DIRECTORY)
    try:
        for at, name in enumerate(names):
            mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                raise _Link
            if stat.S_ISDIR(mode):
                child = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            elif stat.S_ISREG(mode) and at == len(names) - 1:
                return OpenFile(os.open(name, READING | os.O_NOFOLLOW, dir_fd=fd))
            else:
                raise Absent
            os.close(fd)
            fd = child
        found = OpenFolder(fd, tuple(names))
        fd = -1
        return found
    finally:
        if fd >= 0:
            os.close(fd)


def refuse(error: OSError) -> HTTPError:
    """Return what a client is told when the system fails: it may come again when descriptors ran out."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return HTTPError(503, "too many files are open", headers={"Retry-After": "1"})
    raise error
