"""What systemd passes and wants to hear: listening sockets, and datagrams about the state of the service.

Both protocols are a few environment variables (sd_listen_fds(3), sd_notify(3)); without them nothing here
does anything, so a server under another supervisor, or under none, is not touched.
"""

from __future__ import annotations

import os

_FIRST_FD = 3  # SD_LISTEN_FDS_START


def take_sockets() -> dict[str, int]:
    """Return the descriptors passed to this process, by name; one without a name goes by its number. A child
    is not to take them for its own, so the variables are removed.
    """
    count = os.environ.pop("LISTEN_FDS", "")
    pid = os.environ.pop("LISTEN_PID", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, int] = {}
    for at, number in enumerate(range(_FIRST_FD, _FIRST_FD + int(count))):
        name = names[at] if at < len(names) else ""
        # systemd calls a socket without a name "unknown", and every socket of one unit the same
        found[str(number) if not name or name == "unknown" or name in found else name] = number
    return found
