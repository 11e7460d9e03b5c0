"""Whether a stream is a terminal, and whether one shows colours."""

from __future__ import annotations

import os
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody looks at it."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def wants_colour(stream: TextIO | None) -> bool:
    """Tell whether colours are to be written to `stream`: on a terminal that shows them, unless somebody
    objects or insists. The order is that of CPython.
    """
    # https://no-color.org and https://force-color.org: any text but the empty one.
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return stream is not None
    return os.environ.get("TERM") != "dumb" and is_terminal(stream)
