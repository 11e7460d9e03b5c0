"""What the process is to the system: its user and groups, its umask, its directory.

Root is needed to open a port below 1024 and to read the key of a certificate, and for nothing after that. So
whoever serves becomes `--user` once that is done, before the application is imported; a supervisor stays
root, to read keys again and to fork. The way back is closed, and that is tried, not assumed.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.server.config import Config
    from penstock.server.tls import Tls


class Identity(NamedTuple):
    """Whom to become."""

    user: int
    group: int
    groups: Sequence[int]
    """All of them: whatever groups root had are left."""
    name: str = ""
    home: str = ""


def find_identity(config: Config) -> Identity | None:
    """Return who shall serve; None: whoever started the server. ConfigError when there is no such user or
    group, or when this process may not become it.
    """
    if config.user is None and config.group is None:
        return None
    if os.name != "posix":
        raise ConfigError("user, group: this system has no such thing")
    found = _look_up(config)
    if os.geteuid() != 0 and (found.user, found.group) != (os.geteuid(), os.getegid()):
        key = "user" if config.user is not None else "group"
        wanted = getattr(config, key)
        raise ConfigError(f"{key}: only root can become {wanted}, and this is user {os.geteuid()}")
    return found


def _look_up(config: Config) -> Identity:
    import grp
    import pwd

    group = None
    if config.group is not None:
        try:
            group = grp.getgrnam(config.group).gr_gid
        except KeyError:
            if not config.group.isdecimal():
                raise ConfigError(f"group: there is no group {config.group}") from None
            group = int(config.group)
    if config.user is None:
        assert group is not None  # noqa: S101 - the caller looked
        return Identity(os.geteuid(), group, [group])
    try:
        entry = pwd.getpwnam(config.user)
    except KeyError:
        if not config.user.isdecimal():
            raise ConfigError(f"user: there is no user {config.user}") from None
        try:
            entry = pwd.getpwuid(int(config.user))
        except (KeyError, OverflowError):
            return _take_number(config.user, group)
    own = entry.pw_gid if group is None else group
    groups = os.getgrouplist(entry.pw_name, own)
    return Identity(entry.pw_uid, own, groups, entry.pw_name, entry.pw_dir)


def _take_number(user: str, group: int | None) -> Identity:
    if group is None:  # not 0, which is what some programs take then
        raise ConfigError(f"user: {user} is in no list of users, so its group has to be named with --group")
    return Identity(int(user), group, [group])


def become(identity: Identity) -> None:
    """Be that user from now on, for good. ConfigError when the system refuses or would let it come back."""
    if (os.geteuid(), os.getegid()) == (identity.user, identity.group) and os.geteuid() != 0:
        return  # it was started as that user, and only root may set groups
    try:
        os.setgroups(list(identity.groups))
        # Of root these set the real, effective and saved ones; the user last, for it ends the right to.
        os.setgid(identity.group)
        os.setuid(identity.user)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"user, group: cannot become {identity.name or identity.user}: {error}") from None
    if identity.user != 0 and _is_root_again():
        raise ConfigError("user: root was given up and could be had again; nothing is served this way")
    if not _can_import():
        library, name = Path(logging.__file__).parents[1], identity.name or identity.user
        raise ConfigError(f"user: {name} cannot read Python's own library, {library}, so nothing can run")
    if identity.name:  # as login(1) and systemd do it; a program looks for its files there
        os.environ.update(HOME=identity.home, USER=identity.name, LOGNAME=identity.name)


def _is_root_again() -> bool:
    for regain in (os.setuid, os.seteuid):
        try:
            regain(0)
        except PermissionError:
            continue
        return True
    return 0 in (os.getuid(), os.geteuid())


def read_certificates(config: Config) -> Tls | None:
    """Read what may be root's alone, the keys of certificates; None: TLS is not spoken."""
    if not config.is_secure:
        return None
    from penstock.server.tls import Tls  # here: ssl takes 10 ms to import

    return Tls(config)


def give_up_root(config: Config, tls: Tls | None = None) -> None:
    """Become who shall serve; what root could read of `tls` stays in use."""
    identity = find_identity(config)
    if identity is not None:
        become(identity)
        if tls is not None:
            tls.look_again()


def _can_import() -> bool:
    """Whether this user can read where Python is installed; below root's home nobody else can."""
    try:
        with open(logging.__file__, "rb"):  # noqa: PTH123 - a file of the library that is not frozen in
            return True
    except PermissionError:
        return False


def set_umask(config: Config) -> None:
    """From here on new files have no more permissions than that."""
    if config.umask is not None:
        os.umask(int(config.umask, 8))


def enter_directory(config: Config) -> None:
    """Go where the server is to run. ConfigError when that is not possible."""
    if config.chdir is not None:
        try:
            os.chdir(config.chdir)
        except OSError as error:
            raise ConfigError(f"chdir: {config.chdir}: {error.strerror}") from None
