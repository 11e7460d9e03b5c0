"""The name that was probably meant, for messages about a name that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """`; did you mean 'port'?` to end a message with, or nothing when no known name is near.

    What all names begin with is the `prefix`: it must not make them look alike.

    >>> did_you_mean("prot", ["host", "port"])
    "; did you mean 'port'?"
    >>> did_you_mean("idle-timeout", ["idle_timeout"])
    "; did you mean 'idle_timeout'?"
    >>> did_you_mean("PENSTOCK_X", ["PENSTOCK_HOST", "PENSTOCK_PORT"], "PENSTOCK_")
    ''
    """
    from difflib import get_close_matches  # here: only a mistake needs it

    found = get_close_matches(name.removeprefix(prefix), [other.removeprefix(prefix) for other in known], n=1)
    return f"; did you mean {prefix + found[0]!r}?" if found else ""
