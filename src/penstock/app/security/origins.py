"""Origins (RFC 6454 §6.1) as browsers send them: scheme, host, and a port that is not the scheme's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError

if TYPE_CHECKING:
    from penstock.http.request import Request

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*+://(?:[a-z0-9._-]++|\[[0-9a-f:.]++\])(?::[0-9]{1,5}+)?+")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin of a page; "null", of pages that hide theirs, is not."""
    return _ORIGIN.fullmatch(text) is not None


def check_origin(text: object, where: str) -> str:
    """Return an origin as a browser would send it; ApplicationError for what none would."""
    origin = text.lower() if isinstance(text, str) else ""
    if not is_origin(origin):
        raise ApplicationError(
            f"{where}: {text!r} is no origin; expected one such as 'https://example.org', without a path"
        )
    return without_default_port(origin)


def without_default_port(origin: str) -> str:
    """Return an origin without the port its scheme implies."""
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], "\n"))


def own_origin(request: Request) -> str:
    """Return the origin a request was sent to."""
    return without_default_port(f"{request.scheme}://{request.host.lower()}")
