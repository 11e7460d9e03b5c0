"""Trace ids (W3C Trace Context): taken over from a valid `traceparent`, made otherwise."""

from __future__ import annotations

import random
import re

# Version 00 has exactly four parts; later versions may add parts. An all-zero id is invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:\Z|-)"
)


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a `traceparent` value, or a new random one when it is absent or malformed.

    >>> trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    >>> len(trace_id_of(""))
    32
    """
    match = _TRACEPARENT.match(traceparent)
    if match is not None and not (traceparent.startswith("00") and match.end() != len(traceparent)):
        return match[1]
    return f"{random.getrandbits(128) or 1:032x}"
