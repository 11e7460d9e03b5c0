"""The one field of requests in which libraries would ask for different work.

Each asks for content codings by default, and not for the same; an answer in gzip and one in identity are not
the same work. So all ask for identity, unless the user's headers say otherwise.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from http_benchmark.clients.adapter import Call


def make_fields(call: Call, *, names_user: bool = False) -> dict[str, str]:
    """Return the user's headers, with Accept-Encoding in any case.

    `names_user`: with user and password of the URL too, for a library that does not send them by itself.
    """
    fields = dict(call.headers)
    given = {name.lower() for name in fields}
    if "accept-encoding" not in given:
        fields["Accept-Encoding"] = "identity"
    if names_user and "authorization" not in given:
        parts = urlsplit(call.url)
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            fields["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    return fields
