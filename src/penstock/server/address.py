"""Addresses to listen on, as they are written.

    HOST:PORT   [::1]:PORT   unix:/run/shop.sock   fd://3   fd://NAME

No socket here: settings are read, and their faults told, before anything is opened (`bind`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TCP = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45}(?:%[!-~]+)?)\]|([^\s:/\[\]]+)):([0-9]{1,5})", re.ASCII)
_FD = re.compile(r"fd://([!-~]+)", re.ASCII)
EXPECTED = "HOST:PORT, [::1]:PORT, unix:/path or fd://N"
EXPECTED_OPENED = "HOST:PORT, [::1]:PORT or unix:/path"


class Tcp(NamedTuple):
    """An address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Unix(NamedTuple):
    """A path in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


class Inherited(NamedTuple):
    """A socket that is open already: its number, or its name."""

    name: str

    def __str__(self) -> str:
        return f"fd://{self.name}"


def parse_address(text: str) -> Tcp | Unix | Inherited:
    """Return the address meant. ValueError, without a message, for anything else.

    >>> parse_address("[::1]:8000"), str(parse_address("unix:/run/shop.sock"))
    (Tcp(host='::1', port=8000), 'unix:/run/shop.sock')
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise ValueError
        return Unix(path)
    if found := _FD.fullmatch(text):
        return Inherited(found[1])
    found = _TCP.fullmatch(text)
    if found is None or int(found[3]) > 65_535:
        raise ValueError
    return Tcp(found[1] or found[2], int(found[3]))
