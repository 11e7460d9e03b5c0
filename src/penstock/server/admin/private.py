"""Pages that no other site may read through the browser of somebody who may.

An address of the loopback is open to every page in every browser of that machine: a site can have its own
name resolve to 127.0.0.1 and is then of one origin with the admin endpoint (DNS rebinding). So a private page
is told there only to who asks for `localhost`, or for an address by its digits, which no foreign site can
have for a name. At other addresses the names are the operator's, and a unix socket no browser reaches.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from penstock.http.problem import problem

if TYPE_CHECKING:
    from penstock.http.request import Request
    from penstock.http.response import Response


def refuse_foreign(request: Request) -> Response | None:
    """Return the 421 for a request that may be another site's; None for all others."""
    host = request.headers.get("host")
    connection = request.connection
    if host is None or connection is None:
        return None
    address, port = connection.local
    if port is None or not _is_loopback(address) or _is_own(host):
        return None
    return problem(421, detail="this page is told under localhost or an IP address, and under no other name")


def _is_own(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.removeprefix("[").removesuffix("]").rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
