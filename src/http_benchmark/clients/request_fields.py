"""The one field of requests in which libraries would ask for different work.

Each asks for content codings by default, and not for the same; an answer in gzip and one in identity are not
the same work. So all ask for identity, unless the user's headers say otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call


def make_fields(call: Call) -> dict[str, str]:
    """Return the user's headers, with Accept-Encoding in any case."""
    fields = dict(call.headers)
    if not any(name.lower() == "accept-encoding" for name in fields):
        fields["Accept-Encoding"] = "identity"
    return fields
