"""`UpgradeResponse`: 101 Switching Protocols (RFC 9110 §7.8). After its head the connection belongs to a
`Speaker` of another protocol, and HTTP is over on it.

The server sends it only to a client that asked for this protocol, so never in HTTP/1.0; whoever asked for
another, `h2c` say, gets an ordinary response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.response import Response

if TYPE_CHECKING:
    from penstock.http.handler import Speaker
    from penstock.http.response import Fields


class UpgradeResponse(Response):
    """A switch to `protocol`, as the client named it. The server adds Upgrade and Connection."""

    __slots__ = ("protocol", "speaker")

    is_stream = True

    def __init__(self, protocol: str, speaker: Speaker, headers: Fields | None = None) -> None:
        super().__init__(b"", 101, headers)
        self.protocol = protocol
        self.speaker = speaker
