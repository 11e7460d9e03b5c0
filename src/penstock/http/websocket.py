"""How WebSocket connections are kept: what a server's settings say, and a route may say otherwise."""

from __future__ import annotations

from typing import NamedTuple


class WebSocketSettings(NamedTuple):
    """The bounds and deadlines of one WebSocket connection."""

    # The limit of content, too; websockets 1 MiB, uvicorn 16 MiB.
    message_limit_bytes: int = 1024 * 1024
    """A message, after inflation; beyond it 1009."""
    # uvicorn 32, websockets 16.
    queue_limit: int = 32
    """Messages received ahead of the handler; beyond it the client waits."""
    # websockets, uvicorn and hypercorn 20: proxies close what is silent for 60.
    ping_interval_s: float = 20.0
    """A client silent for so long is asked by a ping; 0 for never."""
    ping_timeout_s: float = 20.0
    """And is cut off when it stays silent so long; 0 waits forever."""
    # websockets 10.
    close_timeout_s: float = 10.0
    """The client's side of the closing handshake."""
    compression: bool = True
    """permessage-deflate (RFC 7692) for clients that offer it."""
