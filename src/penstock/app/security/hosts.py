"""`TrustedHosts`: requests for other hosts than one's own are refused.

What an application builds of the Host field, links and redirects, then leads nowhere else; and a page that
points its name at this address (DNS rebinding) gets nothing. A port is not looked at. Behind trusted proxies
the host is the one they name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError, HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.http.request import Request

_PATTERN = re.compile(r"(?:\*\.)?+[a-z0-9_-]++(?:\.[a-z0-9_-]++)*+|\[[0-9a-f:.]++\]")
_PORT = re.compile(r":[0-9]*\Z")


class TrustedHosts:
    """Answers 400 to requests for hosts that are not listed: "example.org", "*.example.org" for every name
    below it (not itself), "192.0.2.1", "[2001:db8::1]".
    """

    replaces_outer = True

    def __init__(self, hosts: Iterable[str]) -> None:
        if isinstance(hosts, (str, bytes)):
            raise ApplicationError(f"TrustedHosts({hosts!r}): expected a list of hosts")
        listed = [host.lower() if isinstance(host, str) else host for host in hosts]
        for host in listed:
            if not isinstance(host, str) or _PATTERN.fullmatch(host) is None:
                raise ApplicationError(
                    f"TrustedHosts: {host!r} is no host; expected 'example.org', '*.example.org' or an "
                    "address, without scheme and port"
                )
        if not listed:
            raise ApplicationError("TrustedHosts([]) would refuse everybody")
        self._exact = frozenset(host for host in listed if not host.startswith("*"))
        self._suffixes = tuple(host[1:] for host in listed if host.startswith("*"))

    def refusals(self, method: str) -> dict[int, str]:  # noqa: ARG002 - the same for all
        """For the OpenAPI document."""
        return {400: "The request is malformed, or for a host that is not served here."}

    def before(self, request: Request) -> None:
        host = request.host
        if host in self._exact:
            return
        host = host_name(host)
        if host not in self._exact and not (self._suffixes and host.endswith(self._suffixes)):
            raise HTTPError(400, "this host is not served here")


def host_name(host: str) -> str:
    """Return the name or address of a Host field in lower case, without port and final dot.

    >>> host_name("Example.org.:8080"), host_name("[::1]:80")
    ('example.org', '[::1]')
    """
    return _PORT.sub("", host).lower().removesuffix(".")
