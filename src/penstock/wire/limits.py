"""How much of each thing a peer may send. All on by default, all configurable; each number names its
precedent.
"""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Bounds on one request, in octets unless said otherwise."""

    request_line_bytes: int = 8_192  # RFC 9112 §3 recommends at least 8000; Apache 8190, nginx 8 KiB
    head_bytes: int = 32_768  # nginx 4 x 8 KiB; Node 16 KiB
    fields: int = 100  # count; Apache and gunicorn 100
    content_bytes: int = 1_048_576  # nginx and Fastify 1 MiB
    chunk_line_bytes: int = 1_024  # size and extension of one chunk; Node allows 16 KiB of extensions in all
    chunk_overhead_bytes: int = 65_536  # chunk lines of one content in all, beyond four times its data
    trailer_bytes: int = 8_192  # nginx counts them as head: one 8 KiB buffer
    trailer_fields: int = 32  # count; nobody sends more than a handful


METHOD_BYTES = 32
"""The longest method taken for a method at all; the longest registered one has 17 letters
(UPDATEREDIRECTREF).
"""

STANDARD_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"})
"""RFC 9110 §9 and RFC 5789, without CONNECT: only a proxy can answer that."""
