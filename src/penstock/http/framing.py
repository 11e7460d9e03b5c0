"""How one request's content is delimited, as decided once by `wire.framing` from its field section (RFC 9112
§6).

A value only: equal field sections share one instance, so it is immutable.
"""

from __future__ import annotations

from typing import NamedTuple


class Framing(NamedTuple):
    """What the field section says about content and connection."""

    content_length: int | None = None
    """Octets of content that follow the head; None when none was declared. Never set together with `chunked`.
    """
    chunked: bool = False
    persistent: bool = True
    """False after `Connection: close`, and for HTTP/1.0 without `keep-alive`."""
    expects_continue: bool = False
    upgrade: str | None = None
    """The value of Upgrade when Connection names it, HTTP/1.1 only."""

    @property
    def has_content(self) -> bool:
        """True when octets of content, or at least a last chunk, follow the head."""
        return self.chunked or bool(self.content_length)
