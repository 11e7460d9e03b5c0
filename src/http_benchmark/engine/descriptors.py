"""Room for as many connections as are asked for: the limit of open files is raised as far as it goes."""

from __future__ import annotations

import sys

from http_benchmark.errors import UsageError

_OTHERS = 100
"""Files open beside connections: modules being loaded, the loop, the database."""


def make_room(connections: int) -> None:
    """Raise the soft limit where it is too low; UsageError where the hard one is."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"concurrency {connections} needs {needed} open files, and {hard} are allowed here; "
            f"raise that (ulimit -Hn {needed}), or use a lower concurrency"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
