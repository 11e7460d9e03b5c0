"""A URL taken apart, for the clients that connect by themselves."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlsplit

_MEANT_AS_THEY_ARE = "!#$%&'()*+,/:;=?@[]~"


class Origin(NamedTuple):
    """Where to connect to."""

    is_tls: bool
    host: str
    port: int

    @property
    def field(self) -> str:
        """What the field Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def take_apart(url: str) -> tuple[Origin, str]:
    """Return the origin and the request target in origin form.

    >>> take_apart("http://127.0.0.1:8000/a b?c=d#e")
    (Origin(is_tls=False, host='127.0.0.1', port=8000), '/a%20b?c=d')
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    target = quote(parts.path or "/", _MEANT_AS_THEY_ARE)
    if parts.query:
        target += "?" + quote(parts.query, _MEANT_AS_THEY_ARE)
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    return Origin(is_tls, host, parts.port or (443 if is_tls else 80)), target
