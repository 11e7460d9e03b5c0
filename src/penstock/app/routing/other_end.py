"""The same path with, or without, the slash at its end: where a redirect to it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import HTTPError
from penstock.http.response import Response

if TYPE_CHECKING:
    from penstock.http.request import Request


def redirect_to_other_end(request: Request) -> Response:
    """Return 308, which keeps method and content, with the query kept; HTTPError 404 where a client would
    take the path for another host.
    """
    raw = request.raw_path
    other = raw[:-1] if raw.endswith(b"/") else raw + b"/"
    path = request.prefix + "".join(chr(one) if 0x20 < one < 0x7F else f"%{one:02X}" for one in other)
    # Browsers read a backslash as a slash.
    if path.replace("\\", "/").startswith("//"):
        raise HTTPError(404)
    query = request.raw_query.decode("latin-1")
    return Response(b"", 308, {"Location": f"{path}?{query}" if query else path})
