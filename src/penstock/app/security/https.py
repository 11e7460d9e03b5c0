"""`HTTPSRedirect`: what comes in plain text is sent to the same place over HTTPS.

The scheme is the client's, as a trusted proxy tells it. 308 keeps method and content (RFC 9110 §15.4.9). What
was sent in plain text is read by others already; `SecurityHeaders` has HSTS for the next time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError, HTTPError
from penstock.http.response import Response

if TYPE_CHECKING:
    from penstock.http.request import Request

_PORT = re.compile(r":[0-9]*\Z")


class HTTPSRedirect:
    """Answers plain HTTP with 308 to the same URL over HTTPS, at `port`."""

    replaces_outer = True

    def __init__(self, *, port: int = 443) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65_535:
            raise ApplicationError(f"HTTPSRedirect: port={port!r}; expected a number from 1 to 65535")
        self._port = "" if port == 443 else f":{port}"

    def before(self, request: Request) -> Response | None:
        if request.scheme == "https" or request.raw_path == b"*":
            return None
        host = _PORT.sub("", request.host)
        if not host:
            raise HTTPError(400, "this is served over HTTPS only, and the request names no host")
        location = f"https://{host}{self._port}{request.prefix}{request.target}"
        return Response(b"", 308, [("Location", location)])
